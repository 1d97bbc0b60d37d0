/// Guest RAM: one block in a memfd, so that it can be mapped more than once.
#pragma once

#include <span>
#include <utility>

#include "cpu/bus.h"
#include "machine/base/types.h"

namespace reprise {

class Ram {
public:
    /// Throws HostError if the host has not enough memory.
    explicit Ram(u64 size);
    ~Ram();
    Ram(Ram&& other) noexcept
        : size_(std::exchange(other.size_, 0)),
          fd_(std::exchange(other.fd_, -1)),
          data_(std::exchange(other.data_, nullptr))
    {
    }
    Ram(const Ram&) = delete;
    Ram& operator=(const Ram&) = delete;

    u64 size() const { return size_; }
    u8* data() { return data_; }
    const u8* data() const { return data_; }
    std::span<u8> bytes() { return {data_, size_}; }

    u8* begin() { return data_; }
    u8* end() { return data_ + size_; }
    const u8* begin() const { return data_; }
    const u8* end() const { return data_ + size_; }
    u8& operator[](u64 address) { return data_[address]; }
    u8 operator[](u64 address) const { return data_[address]; }

    /// Bus::ram_file
    RamFile file() const { return {fd_, data_, size_}; }

private:
    u64 size_;
    int fd_ = -1;
    u8* data_ = nullptr;
};

}  // namespace reprise
