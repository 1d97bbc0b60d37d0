#include "cpu/bare_cpu.h"

#include <algorithm>

namespace reprise {

namespace {

constexpr u16 kCodeSelector = 0x08, kDataSelector = 0x10;
constexpr u16 kFlatCode32 = 0xC9B,
              kFlatData32 = 0xC93;  // accessed, present, D/B and G: see Segment
constexpr u64 kAddresses8086 = u64{1} << 20, kAddresses80286 = u64{1} << 24;

u64 address_mask(const CpuModel& model)
{
    if (!model.at_least(Level::I80286)) return kAddresses8086 - 1;
    return model.at_least(Level::I80386) ? ~u64{0} : kAddresses80286 - 1;
}

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
    const bool has =
        mode == CodeSize::Bits16 || (mode == CodeSize::Bits32 && cpu.at_least(Level::I80386));
    if (!has || (mode == CodeSize::Bits16 && ip >= kAddresses8086)) return false;
    cpu.reset();
    if (mode == CodeSize::Bits16) start_real(ip);
    else start_protected(ip);
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
