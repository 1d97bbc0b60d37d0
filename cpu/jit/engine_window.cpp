/// Memory without paging: which Window, and what becomes of host code that it does not suit.
#include <algorithm>
#include <utility>

#include "cpu/jit/engine.h"

namespace reprise::jit {

/// Null: accesses look into the TLB.
Window* Engine::window()
{
    if (std::exchange(is_window_known_, true)) return window_;
    window_ = nullptr;
    constexpr u64 kLine20 = 1 << 20;
    const u64 mask = cpu_.bus_.a20_mask();
    if ((cpu_.state.cr0 & kCr0Pg) || cpu_.data_breakpoints_ || (~mask != 0 && ~mask != kLine20))
        return nullptr;
    auto& window = windows_[~mask != 0];
    if (!window && handle_faults())
        window = std::make_unique<Window>(cpu_.bus_, cpu_.blocks_, mask);
    return window_ = window.get();
}

const void* Engine::memory_of(const Assumptions& assumptions)
{
    return assumptions.window() ? static_cast<const void*>(window()->base()) : cpu_.tlb_;
}

void Engine::add_fault_site(const u8* begin, const u8* end, const u8* out)
{
    const auto offset = [&](const u8* at) { return static_cast<u32>(at - memory_.begin()); };
    fault_sites_.push_back({offset(begin), offset(end), offset(out)});
}

const u8* Engine::way_out(const u8* code, const u8* address, bool write)
{
    const u64 offset = static_cast<u64>(code - memory_.begin());
    const auto behind = std::ranges::upper_bound(fault_sites_, offset, {}, &FaultSite::begin);
    if (behind == fault_sites_.begin() || offset >= std::prev(behind)->end) return nullptr;
    fault_ = {true, write, address};
    return memory_.begin() + std::prev(behind)->out;
}

/// Unless it cannot happen again, the instruction goes another way from now on.
void Engine::faulted(const Exit& exit)
{
    const Fault fault = std::exchange(fault_, {});
    ++statistics_.faults;
    if (!window_ || window_->repair(fault.address, fault.write)) return;
    Translations& translations = codes_[exit.code->block];
    const u32 bit = u32{1} << exit.insn->index;
    const bool outside =
        fault.address < window_->base() || fault.address >= window_->base() + Window::kSpan;
    Marks& marks = translations.marks;
    (outside && !(marks.wraps & bit) ? marks.wraps : marks.checked) |= bit;
    const auto found = std::ranges::find(translations.codes, exit.code,
                                         [](const auto& code) { return code.get(); });
    if (found == translations.codes.end()) return;
    drop(std::move(*found));
    translations.codes.erase(found);
}

}  // namespace reprise::jit
