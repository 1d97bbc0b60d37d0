#include "cpu/jit/window.h"

#include <sys/mman.h>

#include <algorithm>

namespace reprise::jit {

namespace {
constexpr u64 kReserved = Window::kGuardBelow + Window::kSpan + Window::kGuardAbove;
}

Window::Window(Bus& bus, BlockCache& blocks, u64 a20_mask)
    : bus_(bus), blocks_(blocks), a20_mask_(a20_mask), file_(bus.ram_file())
{
    if (file_.fd < 0) return;
    void* reserved =
        mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) return;
    reserved_ = static_cast<u8*>(reserved);
    base_ = reserved_ + kGuardBelow;
    filled_.resize(kUnits);
    mapped_.resize(kPages);
    writable_.resize(kPages);
}

Window::~Window()
{
    if (reserved_) munmap(reserved_, kReserved);
}

bool Window::repair(const u8* host, bool write)
{
    const u64 linear = static_cast<u64>(host - base_);
    if (linear >= kSpan) return false;
    const u64 page = linear / kPageSize;
    if (!filled_[linear / kUnit]) fill(linear);
    if (!mapped_[page]) return false;
    if (!write || writable_[page]) return true;
    const u64 at = page_of(linear);
    const PageAccess access = bus_.page(physical(at));
    // Code that was there may be gone.
    if (access.write != access.read || is_code(at)) return false;
    if (mprotect(base_ + at, kPageSize, PROT_READ | PROT_WRITE) != 0) return false;
    writable_[page] = true;
    --protected_;
    return true;
}

/// Maps what is plain RAM from the unit of `linear` on.
void Window::fill(u64 linear)
{
    const u64 first = linear / kUnit * kUnit, end = (linear / kGroup + 1) * kGroup;
    Run run;
    for (u64 at = first; at < end; at += kPageSize) {
        if (at % kUnit == 0) {
            if (filled_[at / kUnit]) break;
            filled_[at / kUnit] = true;
            ++units_filled_;
        }
        const PageAccess access = bus_.page(physical(at));
        const u64 offset = reinterpret_cast<u64>(access.read) - reinterpret_cast<u64>(file_.data);
        if (!access.read || access.shared || offset >= file_.size || offset % kPageSize != 0)
            continue;
        const bool writable = access.write == access.read && !is_code(at);
        const bool continues = run.linear + run.size == at && run.offset + run.size == offset;
        if (!continues || run.writable != writable) {
            map(run);
            run = {at, offset, 0, writable};
        }
        run.size += kPageSize;
    }
    map(run);
}

void Window::map(const Run& run)
{
    if (run.size == 0) return;
    const int rights = run.writable ? PROT_READ | PROT_WRITE : PROT_READ;
    const void* at = mmap(base_ + run.linear, run.size, rights, MAP_SHARED | MAP_FIXED, file_.fd,
                          static_cast<off_t>(run.offset));
    if (at == MAP_FAILED) return;  // as if it were no RAM
    const auto first = static_cast<std::ptrdiff_t>(run.linear / kPageSize),
               count = static_cast<std::ptrdiff_t>(run.size / kPageSize);
    std::fill_n(mapped_.begin() + first, count, true);
    std::fill_n(writable_.begin() + first, count, run.writable);
    if (!run.writable) protected_ += static_cast<std::size_t>(count);
}

void Window::protect(u64 physical_address)
{
    if (!base_ || physical_address >= kSpan) return;
    const u64 page = page_of(physical_address), closed = ~a20_mask_;  // address lines held down
    protect_page(page);
    if (closed != 0) protect_page(page | closed);
}

void Window::protect_page(u64 linear)
{
    if (!base_ || !writable_[linear / kPageSize]) return;
    if (protected_ >= kMaxProtected || mprotect(base_ + linear, kPageSize, PROT_READ) != 0) {
        base_ = nullptr;
        return;
    }
    writable_[linear / kPageSize] = false;
    ++protected_;
}

void Window::forget(u64 first, u64 size)
{
    if (!base_ || first >= kSpan || size == 0) return;
    // With a line held down, addresses are found at more than one place.
    if (~a20_mask_ != 0) return unmap(0, kSpan);
    unmap(first, std::min(size, kSpan - first));
}

void Window::unmap(u64 first, u64 size)
{
    for (u64 unit = first / kUnit; unit * kUnit < first + size && units_filled_ != 0; ++unit) {
        if (!filled_[unit]) continue;
        u64 end = unit;
        for (; end * kUnit < first + size && filled_[end]; ++end) filled_[end] = false;
        units_filled_ -= end - unit;
        const void* at = mmap(base_ + unit * kUnit, (end - unit) * kUnit, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        if (at == MAP_FAILED) {
            base_ = nullptr;
            return;
        }
        for (u64 page = unit * kUnit / kPageSize; page < end * kUnit / kPageSize; ++page) {
            if (mapped_[page] && !writable_[page]) --protected_;
            mapped_[page] = writable_[page] = false;
        }
    }
}

}  // namespace reprise::jit
