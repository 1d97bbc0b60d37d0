#include "cpu/bare_cpu.h"

#include <algorithm>

namespace reprise {

namespace {

constexpr u16 kCodeSelector = 0x08, kDataSelector = 0x10;
constexpr u16 kFlatCode32 = 0xC9B,
              kFlatData32 = 0xC93;  // accessed, present, D/B and G: see Segment
constexpr u16 kFlatCode64 = 0xA9B;  // L instead of D/B
constexpr u64 kAddresses8086 = u64{1} << 20, kAddresses80286 = u64{1} << 24;

u64 address_mask(const CpuModel& model)
{
    if (!model.at_least(Level::I80286)) return kAddresses8086 - 1;
    return model.at_least(Level::I80386) ? ~u64{0} : kAddresses80286 - 1;
}

bool has_mode(const CpuModel& model, CodeSize mode)
{
    if (mode == CodeSize::Bits64) return model.has(Feature::LongMode);
    return mode == CodeSize::Bits16 || model.at_least(Level::I80386);
}

// Four-level paging, SDM vol. 3A, tables 4-15 to 4-20. All bits that the processor would set are
// set, so that it never writes to the tables.
constexpr u64 kTableBytes = 4096, kEntries = 512;
constexpr u64 kTable = 0x27;      // present, writable, user, accessed
constexpr u64 kSmallPage = 0x67;  // and dirty
constexpr u64 kLargePage = 0xE7;  // and PS
constexpr u64 kSmallBytes = u64{1} << 12, kLargeBytes = u64{1} << 21, kGigabyte = u64{1} << 30;

}  // namespace

BareCpu::BareCpu(const CpuModel& model, u64 memory_bytes)
    : bus(memory_bytes, address_mask(model)), cpu(bus, model)
{
    cpu.on_vector = [this](const Fault& fault, bool software) {
        if (deliver_) return false;
        stop_ = {software ? Reason::Interrupt : Reason::Exception, fault};
        return true;
    };
}

bool BareCpu::load(u64 address, std::span<const u8> bytes)
{
    if (address > bus.ram.size() || bytes.size() > bus.ram.size() - address) return false;
    std::ranges::copy(bytes, bus.ram.begin() + static_cast<std::ptrdiff_t>(address));
    cpu.memory_written(address, bytes.size());
    return true;
}

bool BareCpu::start(CodeSize mode, u64 ip)
{
    if (ip >= bus.ram.size()) return false;
    if (!has_mode(cpu.model(), mode)) return false;
    if (mode == CodeSize::Bits64 && bus.ram.size() > kEntries * kGigabyte) return false;
    if (mode == CodeSize::Bits16 && ip >= kAddresses8086) return false;
    cpu.reset();
    bus.behind.clear();
    if (mode == CodeSize::Bits16) start_real(ip);
    else if (mode == CodeSize::Bits32) start_protected(ip);
    else start_long(ip);
    cpu.state_loaded();
    return true;
}

void BareCpu::start_real(u64 ip)
{
    Segment& cs = cpu.state.seg[CS];
    cs.selector = ip < 0x10000 ? u16{0} : static_cast<u16>(ip >> 4);
    cs.base = u64{cs.selector} << 4;
    cpu.state.rip = ip - cs.base;
    cpu.state.gpr[RSP] = std::min<u64>(bus.ram.size(), 0x10000) & 0xFFFE;
}

void BareCpu::start_protected(u64 ip)
{
    CpuState& state = cpu.state;
    state.cr0 |= kCr0Pe;
    for (Segment& segment : state.seg) segment = {kDataSelector, 0, 0xFFFFFFFF, kFlatData32};
    state.seg[CS] = {kCodeSelector, 0, 0xFFFFFFFF, kFlatCode32};
    state.gdtr = state.idtr = {0, 0};
    state.rip = ip;
    state.gpr[RSP] = std::min<u64>(bus.ram.size(), 0xFFFFFFFF) & ~u64{0xF};
}

void BareCpu::start_long(u64 ip)
{
    start_protected(ip);
    map_memory();
    CpuState& state = cpu.state;
    state.seg[CS].access = kFlatCode64;
    state.cr0 |= kCr0Pg | kCr0Ne | kCr0Mp;
    state.cr3 = kPageTables;
    state.cr4 |= kCr4Pae | kCr4Osfxsr | kCr4Osxmmexcpt;
    state.msr.efer |= kEferLme | kEferLma;
    state.fpu.control = 0x37F;  // FNINIT, SDM vol. 2A
    state.fpu.full = 0;
    state.gpr[RSP] = bus.ram.size() & ~u64{0xF};
}

/// A PML4, a PDPT, a page directory for each GB of memory, and a page table for what is left over
/// from large pages.
void BareCpu::map_memory()
{
    const u64 size = bus.ram.size();
    const u64 directories = (size + kGigabyte - 1) / kGigabyte;
    bus.behind_at = kPageTables;
    bus.behind.assign((2 + directories + 1) * kTableBytes, 0);
    const auto address = [](u64 table) { return kPageTables + table * kTableBytes; };
    const auto set = [&](u64 table, u64 index, u64 entry) {
        for (u64 i = 0; i < 8; ++i)
            bus.behind[table * kTableBytes + index * 8 + i] = static_cast<u8>(entry >> 8 * i);
    };
    set(0, 0, address(1) | kTable);
    for (u64 i = 0; i < directories; ++i) set(1, i, address(2 + i) | kTable);
    const u64 large = size / kLargeBytes, small = size % kLargeBytes / kSmallBytes;
    for (u64 i = 0; i < large; ++i)
        set(2 + i / kEntries, i % kEntries, i * kLargeBytes | kLargePage);
    if (small == 0) return;
    set(2 + large / kEntries, large % kEntries, address(2 + directories) | kTable);
    for (u64 i = 0; i < small; ++i)
        set(2 + directories, i, (large * kLargeBytes + i * kSmallBytes) | kSmallPage);
}

BareCpu::Stop BareCpu::run(u64 limit)
{
    stop_.reset();
    const u64 end = cpu.state.clock + limit;
    cpu.run(end);
    if (stop_) return *stop_;
    if (cpu.state.shutdown) return {Reason::Shutdown, {}};
    return {cpu.state.halted ? Reason::Halted : Reason::Limit, {}};
}

}  // namespace reprise
