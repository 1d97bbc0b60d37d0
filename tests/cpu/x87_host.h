/// The x87 of the processor this runs on: executes one instruction from a given state.
#pragma once

#if defined(__x86_64__)

#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "cpu/fp/fp.h"

namespace reprise {

/// What FNSAVE stores with 32-bit operand size in protected mode (SDM vol. 1, figure 8-9).
struct [[gnu::packed]] X87Image {
    struct [[gnu::packed]] Register {
        u64 significand;
        u16 exponent;
    };

    u32 control = 0xFFFF037F, status = 0xFFFF0000, tags = 0xFFFFFFFF;
    u32 ip = 0, cs_opcode = 0, dp = 0, ds = 0xFFFF0000;
    std::array<Register, 8> st{};  // from the top of the stack

    int top() const { return status >> 11 & 7; }
    fp::F80 get(int i) const { return {st[i].significand, st[i].exponent}; }
    void set(int i, fp::F80 value) { st[i] = {value.significand, value.exponent}; }
    /// The tag of ST(i); valid ones are made exact by the processor.
    int tag(int i) const { return tags >> ((top() + i) % 8 * 2) & 3; }
    void set_tag(int i, u32 tag)
    {
        const int shift = (top() + i) % 8 * 2;
        tags = (tags & ~(3u << shift)) | tag << shift;
    }
};
static_assert(sizeof(X87Image) == 108);

/// One x87 instruction, callable. Its memory operand, if it has one, is written as [rsi].
class X87Instruction {
public:
    struct Frame {
        X87Image before;
        u8 pad1[4];
        X87Image after;
        u8 pad2[4];
        alignas(16) std::array<u8, 128> memory;
        u64 flags;  // EFLAGS before, then after
        u64 rax;
    };

    explicit X87Instruction(std::span<const u8> bytes)
    {
        std::vector<u8> code;
        const auto emit = [&](std::initializer_list<u8> opcode, std::size_t offset) {
            code.insert(code.end(), opcode);
            for (int i = 0; i < 4; ++i) code.push_back(static_cast<u8>(offset >> 8 * i));
        };
        emit({0x48, 0x8D, 0xB7}, offsetof(Frame, memory));  // lea rsi, [rdi + memory]
        emit({0xFF, 0xB7}, offsetof(Frame, flags));         // push [rdi + flags]
        code.push_back(0x9D);                               // popfq
        emit({0x48, 0x8B, 0x87}, offsetof(Frame, rax));     // mov rax, [rdi + rax]
        emit({0xDD, 0xA7}, offsetof(Frame, before));        // frstor [rdi + before]
        code.insert(code.end(), bytes.begin(), bytes.end());
        emit({0xDD, 0xB7}, offsetof(Frame, after));      // fnsave [rdi + after]
        emit({0x48, 0x89, 0x87}, offsetof(Frame, rax));  // mov [rdi + rax], rax
        code.push_back(0x9C);                            // pushfq
        emit({0x8F, 0x87}, offsetof(Frame, flags));      // pop [rdi + flags]
        code.push_back(0xC3);                            // ret

        void* const page =
            mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) return;
        std::memcpy(page, code.data(), code.size());
        if (mprotect(page, kPageSize, PROT_READ | PROT_EXEC) == 0) page_ = page;
        else munmap(page, kPageSize);
    }
    ~X87Instruction()
    {
        if (page_) munmap(page_, kPageSize);
    }
    X87Instruction(const X87Instruction&) = delete;
    X87Instruction& operator=(const X87Instruction&) = delete;

    /// False: the host lets nobody make code at run time.
    bool usable() const { return page_ != nullptr; }
    void run(Frame& frame) const { reinterpret_cast<void (*)(Frame*)>(page_)(&frame); }

private:
    static constexpr std::size_t kPageSize = 4096;
    void* page_ = nullptr;
};

}  // namespace reprise

#endif
