#include "cpu/ops/x87.h"

namespace reprise::ops {

void X87::summarize()
{
    const bool error = (s.status & ~s.control & fp::kAllExceptions) != 0;
    s.status = static_cast<u16>((s.status & ~(FpuState::kEs | kBusy)) |
                                (error ? FpuState::kEs | kBusy : 0));
}

void X87::raise(u8 flags)
{
    s.status |= flags;
    summarize();
}

bool X87::stack_fault(u16 c1)
{
    conditions(kC1, c1);
    s.status |= kStackFlag;
    raise(fp::kInvalid);
    return (s.control & fp::kInvalid) != 0;
}

Fallible<fp::F80> X87::read_extended(u64 offset)
{
    const u64 significand = TRY(read<u64>(offset));
    const u16 exponent = TRY(read<u16>(offset + 8));
    return fp::F80{significand, exponent};
}

bool X87::write_extended(fp::F80 value, u64 offset)
{
    return probe_extended(offset) && write<u64>(value.significand, offset) &&
           write<u16>(value.exponent, offset + 8);
}

bool X87::probe_extended(u64 offset) { return probe(offset, 8, 8) && probe(offset + 8, 2, 2); }

bool X87::probe(u64 offset, int bytes, int step)
{
    for (int done = 0; done < bytes; done += step)
        if (!cpu.probe_write(insn, insn.seg, at(offset + static_cast<u64>(done)), step))
            return false;
    return true;
}

X87Start begin_x87(Cpu& cpu, X87Rule rule, Level level, Feature feature)
{
    if (cpu.state.cr0 & (kCr0Em | kCr0Ts)) return cpu.raise(kDeviceNotAvailable), X87Start::Leave;
    if (!cpu.model().has(Feature::Fpu)) return X87Start::Skip;
    if (!cpu.at_least(level) || !cpu.model().has(feature))
        return cpu.undefined_opcode(), X87Start::Leave;
    if (rule != X87Rule::NonWaiting && !cpu.report_x87_error()) return X87Start::Leave;
    return X87Start::Execute;
}

Flow without_x87(Cpu& cpu, const Insn& insn)
{
    if (insn.memory && !cpu.at_least(Level::I80386))
        TRY(cpu.read<u16>(insn, insn.seg, cpu.address(insn)));
    return &insn + 1;
}

Flow end_x87(Cpu& cpu, const Insn& insn, X87Rule rule, u16 status_before)
{
    const FpuState& s = cpu.state.fpu;
    if (rule == X87Rule::Numeric) remember_pointers(cpu, insn);
    if (!((s.status ^ status_before) & FpuState::kEs)) [[likely]]
        return &insn + 1;

    const bool error = s.status & FpuState::kEs;
    if ((error && (cpu.state.cr0 & kCr0Ne)) || !cpu.on_ferr) return &insn + 1;
    cpu.at(insn);
    cpu.on_ferr(error);
    cpu.state.rip = cpu.next_ip(insn);
    return cpu.leave(&insn);
}

}  // namespace reprise::ops
