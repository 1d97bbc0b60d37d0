/// Memory for host code, never writable and executable at the same address: one block of memory
/// seen twice.
#pragma once

#include <cstddef>

#include "machine/base/types.h"

namespace reprise::jit {

class CodeMemory {
public:
    explicit CodeMemory(std::size_t size);
    ~CodeMemory();
    CodeMemory(const CodeMemory&) = delete;
    CodeMemory& operator=(const CodeMemory&) = delete;

    /// False: the host has refused it.
    bool ok() const { return run_ != nullptr; }

    std::size_t used() const { return used_; }
    std::size_t left() const { return size_ - used_; }
    /// Where the next code will run.
    u8* next() const { return run_ + used_; }
    const u8* begin() const { return run_; }

    /// Copies code that was made for next(). Needs `size` <= left().
    u8* add(const void* code, std::size_t size);
    /// Makes the 32-bit displacement at `site` lead to `target`.
    void patch(u8* site, const u8* target);
    /// Forgets all but the first `kept` bytes.
    void reset(std::size_t kept) { used_ = kept; }

private:
    std::size_t size_;
    std::size_t used_ = 0;
    u8* write_ = nullptr;
    u8* run_ = nullptr;
};

}  // namespace reprise::jit
