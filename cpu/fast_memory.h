/// Memory as instructions access it, where that is fast: one entry of the TLB, and the host's
/// memory. Everything else is in memory.cpp. Part of cpu.h, which includes it.
#pragma once

#include "cpu/cpu.h"

namespace reprise {

template <class T>
[[gnu::always_inline]] inline u8* Cpu::writable_host(u8 seg, u64 offset)
{
    const FastSegment& s = fast_[seg];
    const u64 linear = s.base + offset;
    const TlbEntry& e = tlb_->entry(linear);
    const u64 last = linear + sizeof(T) - 1;
    if (offset + sizeof(T) > s.write_end || page_of(last) + e.write_tag != 0) [[unlikely]]
        return nullptr;
    // Bytes that code may have been decoded from take the long way.
    const u64 code = *e.code_granules >> granule(linear) | *e.code_granules >> granule(last);
    if (code & 1) [[unlikely]]
        return nullptr;
    return reinterpret_cast<u8*>(linear + e.addend);
}

template <class T, Attempt attempt>
[[gnu::always_inline]] inline Fallible<T> Cpu::read(const Insn& insn, u8 seg, u64 offset)
{
    const FastSegment& s = fast_[seg];
    const u64 linear = s.base + offset;
    const TlbEntry& e = tlb_->entry(linear);
    if (offset + sizeof(T) <= s.read_end && page_of(linear + sizeof(T) - 1) + e.read_tag == 0)
        [[likely]] {
        T value;
        std::memcpy(&value, reinterpret_cast<const u8*>(linear + e.addend), sizeof value);
        return value;
    }
    if constexpr (attempt == Attempt::Fast) {
        return {};
    } else if constexpr (sizeof(T) == 16) {
        return read_slow_16(insn, seg, offset);
    } else {
        const Fallible<u64> slow = read_slow(insn, seg, offset, sizeof(T));
        if (!slow.ok) return {};
        return static_cast<T>(slow.value);
    }
}

template <Attempt attempt>
[[gnu::always_inline]] inline bool Cpu::check_aligned_16(u8 seg, u64 offset, bool write)
{
    if (((fast_[seg].base + offset) & 15) == 0) [[likely]]
        return true;
    if constexpr (attempt == Attempt::Full) refuse_unaligned_16(seg, offset, write);
    return false;
}

template <class T, Attempt attempt>
[[gnu::always_inline]] inline bool Cpu::write(const Insn& insn, u8 seg, u64 offset, T value)
{
    if (u8* host = writable_host<T>(seg, offset)) [[likely]] {
        std::memcpy(host, &value, sizeof value);
        return true;
    }
    if constexpr (attempt == Attempt::Fast) return false;
    else if constexpr (sizeof(T) == 16) return write_slow_16(insn, seg, offset, value);
    else return write_slow(insn, seg, offset, sizeof(T), value);
}

template <class T, Attempt attempt, class F>
[[gnu::always_inline]] inline bool Cpu::modify(const Insn& insn, u8 seg, u64 offset, F f)
{
    if (u8* host = writable_host<T>(seg, offset)) [[likely]] {
        T value;
        std::memcpy(&value, host, sizeof value);
        value = f(value);
        std::memcpy(host, &value, sizeof value);
        return true;
    }
    if constexpr (attempt == Attempt::Fast) {
        return false;
    } else {
        const Fallible<u64> old = read_for_modify_slow(insn, seg, offset, sizeof(T));
        if (!old.ok) return false;
        write_back_slow(f(static_cast<T>(old.value)));
        return true;
    }
}

template <class T, Attempt attempt>
[[gnu::always_inline]] inline bool Cpu::push(const Insn& insn, T value)
{
    const u64 sp = (state.gpr[RSP] - sizeof(T)) & stack_mask_;
    if (!write<T, attempt>(insn, SS, sp, value)) return false;
    set_sp(sp);
    return true;
}

template <class T, Attempt attempt>
[[gnu::always_inline]] inline Fallible<T> Cpu::peek(const Insn& insn, u64 depth)
{
    return read<T, attempt>(insn, SS, (state.gpr[RSP] + depth) & stack_mask_);
}

inline Cpu::Run Cpu::run_from(u8 seg, u64 offset, bool write)
{
    const FastSegment& s = fast_[seg];
    const u64 linear = s.base + offset, end = write ? s.write_end : s.read_end;
    const TlbEntry& e = tlb_->entry(linear);
    if (page_of(linear) + (write ? e.write_tag : e.read_tag) != 0 || offset >= end)
        return device_run(seg, offset, write);
    u64 bytes = std::min(kPageSize - linear % kPageSize, end - offset);
    if (const u64 code = write ? *e.code_granules >> granule(linear) : 0) {
        if (code & 1) return {};
        const u64 first =
            (linear >> BlockCache::kGranuleShift) + static_cast<u64>(std::countr_zero(code));
        bytes = std::min(bytes, (first << BlockCache::kGranuleShift) - linear);
    }
    return {.host = reinterpret_cast<u8*>(linear + e.addend), .bytes = bytes};
}

inline Cpu::Run Cpu::device_run(u8 seg, u64 offset, bool write) const
{
    const FastSegment& s = fast_[seg];
    const u64 linear = linear_address(seg, offset), end = write ? s.write_end : s.read_end;
    const TlbEntry& e = tlb_->entry(linear);
    if (e.page_tag != page_of(linear) || !e.is_chip || (write && !e.writable) || offset >= end ||
        data_breakpoints_ || debug_)
        return {};
    return {.device = e.chip,
            .offset = static_cast<u32>(linear + e.addend),
            .bytes = std::min(kPageSize - linear % kPageSize, end - offset)};
}

template <class T>
T Cpu::Run::load(u64 at) const
{
    if (device) return static_cast<T>(device->memory_read(offset + static_cast<u32>(at), sizeof(T)));
    T value;
    std::memcpy(&value, host + at, sizeof value);
    return value;
}

template <class T>
void Cpu::Run::store(u64 at, T value) const
{
    if (device) device->memory_write(offset + static_cast<u32>(at), sizeof(T), value);
    else std::memcpy(host + at, &value, sizeof value);
}

}  // namespace reprise
