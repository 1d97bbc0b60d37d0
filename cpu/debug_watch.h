/// Breakpoints and watchpoints of somebody who looks at the guest from outside. The guest has no
/// part in them: its debug registers, its memory and its time stay as they are.
///
/// Whatever executes guest code honours them with what it has to have anyway:
///   - a block of instructions ends before an instruction with a breakpoint, and no link leads to
///   the
///     block that begins there, so that Cpu::run comes by and looks (Cpu::stops_for_debugger);
///   - a page with watched bytes has no fast entry in the TLB, so that accesses take the slow path,
///     which looks and ends the block behind the present instruction (Cpu::watch_access).
/// Code that reaches memory without asking the TLB has to ask `watches_page` instead.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "cpu/tlb.h"

namespace reprise {

/// All addresses are linear.
struct DebugPoints {
    struct Data {
        u64 first = 0, last = 0;
        bool reads = false, writes = false;
    };
    std::vector<u64> code;
    std::vector<Data> data;
};

struct DebugHit {
    enum class Kind : u8 { Code, Read, Write };
    Kind kind = Kind::Code;
    u64 address = 0;  // of the instruction, or the first watched byte of the access
};

class DebugWatch {
public:
    void set(DebugPoints points)
    {
        points_ = std::move(points);
        std::ranges::sort(points_.code);
    }

    bool breaks_at(u64 linear) const { return std::ranges::binary_search(points_.code, linear); }

    bool watches_page(u64 page) const
    {
        return std::ranges::any_of(points_.data, [&](const DebugPoints::Data& d) {
            return page_of(d.first) <= page && page <= d.last;
        });
    }

    /// Notes an access of `size` bytes. True if it is one that was waited for.
    bool access(u64 linear, int size, bool write)
    {
        const u64 last = linear + static_cast<u64>(size) - 1;
        for (const DebugPoints::Data& d : points_.data) {
            if (d.last < linear || last < d.first || !(write ? d.writes : d.reads)) continue;
            // Of all that an instruction does, a write tells the most.
            if (!hit || write)
                hit = {write ? DebugHit::Kind::Write : DebugHit::Kind::Read,
                       std::max(linear, d.first)};
            return true;
        }
        return false;
    }

    /// Why the CPU has stopped. It goes on when this is taken away.
    std::optional<DebugHit> hit;

    /// The breakpoint at this address does not stop the CPU at this clock.
    void pass(u64 linear, u64 clock)
    {
        passed_linear_ = linear;
        passed_clock_ = clock;
    }
    bool passes(u64 linear, u64 clock) const
    {
        return passed_clock_ == clock && passed_linear_ == linear;
    }

    /// Taken since the CPU was attached to.
    u64 interrupts = 0;

private:
    DebugPoints points_;
    u64 passed_linear_ = 0;
    u64 passed_clock_ = ~u64{0};
};

}  // namespace reprise
