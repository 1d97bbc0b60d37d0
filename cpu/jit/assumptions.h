/// What host code takes for granted about segments and the stack: part of a translation's key.
#pragma once

#include "cpu/blocks.h"

namespace reprise::jit {

/// Bits of a segment. `Wide`: offsets of 16 bits need no more than a check for the end of 64 KB.
/// `Flat`: base 0 and no limit, so that an offset is a linear address.
enum SegmentBit : u8 { kWideRead = 1, kWideWrite = 2, kFlatRead = 4, kFlatWrite = 8 };

struct Assumptions {
    u64 key = 0;

    u8 segment(u8 seg) const { return key >> 4 * seg & 15; }
    bool wide_stack() const { return key >> 24 & 1; }    // ESP, not SP
    bool simple_loads() const { return key >> 25 & 1; }  // of data segments: base = selector * 16
    bool backwards() const { return key >> 26 & 1; }     // DF
    bool paging() const { return key >> 27 & 1; }
    bool window() const { return key >> 28 & 1; }     // memory is a Window, else the TLB's
    bool low_bases() const { return key >> 29 & 1; }  // of all segments: below 1 MB
    u64 code_limit() const { return key >> 32; }

    static Assumptions of(const u8 (&segments)[6], bool wide_stack, bool simple_loads,
                          bool low_bases, u32 code_limit)
    {
        Assumptions a;
        for (u8 seg = 0; seg < 6; ++seg) a.key |= u64{segments[seg]} << 4 * seg;
        a.key |= u64{wide_stack} << 24 | u64{simple_loads} << 25 | u64{low_bases} << 29 |
                 u64{code_limit} << 32;
        return a;
    }
    Assumptions with(bool backwards, bool paging, bool window) const
    {
        return {key | u64{backwards} << 26 | u64{paging} << 27 | u64{window} << 28};
    }
};

/// What is copied of floating point: what has all exceptions masked when the block is translated.
/// It is only a guess, and no part of the key: host code that finds it otherwise calls the
/// instruction's handler.
struct FpChoice {
    bool x87 = false, sse = false;
};

}  // namespace reprise::jit
