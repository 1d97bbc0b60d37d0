/// Operands that were found to be the memory of a chip: host code calls the chip, and executes the
/// instruction on a copy of the operand.
#include "cpu/jit/block_writer.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

namespace {

bool is_store(u16 code)
{
    return code == 0x88 || code == 0x89 || code == 0xC6 || code == 0xC7 || code == 0xA2 ||
           code == 0xA3;
}

/// Instructions that write whatever they compute.
bool always_writes(u16 code)
{
    return code < 0x40 || (code >= 0x80 && code <= 0x83) || code == 0x86 || code == 0x87 ||
           code == 0xF6 || code == 0xF7 || code == 0xFE || code == 0xFF;
}

}  // namespace

/// Nothing: it goes to its handler, as it does if anything else but the TLB and the chip is needed.
std::optional<DeviceAccess> BlockWriter::device_access(const Place& place, bool write) const
{
    if (!(code_.marks.checked >> index_ & 1) || place.kind != Place::Kind::Operand) return {};
    const Insn& insn = *insn_at(index_);
    const u16 code = opcodes()[insn.opcode].code;
    const bool store = is_store(code);
    if (place.size > 8 || ends_block(insn) || !place.once) return {};
    if (write && !store && !always_writes(code)) return {};
    return DeviceAccess{place.seg, static_cast<u8>(place.size), !store, write};
}

/// Where an access goes that the TLB has no plain memory for; RCX is in r10. A store goes to the
/// Frame first, and to the chip behind the instruction.
void BlockWriter::write_device_access(const DeviceSite& site)
{
    a_.bind(site.cold);
    a_.mov(x86::rcx, kSavedRcx);
    if (site.access.reads) {
        call_device(site, engine_.stubs().load_device);
    } else {
        a_.lea(kAddress, frame(offsetof(Frame, device) + offsetof(DeviceOperand, value)));
        a_.mov(device_written(), kAddress);
        a_.mov(kIndex.r32(), 0);
    }
    a_.jmp(site.hit);
}

void BlockWriter::call_device(const DeviceSite& site, const u8* stub)
{
    offset_of(site.place);
    a_.mov(kIndex.r32(), site.access.packed());
    a_.mov(kSavedRcx, reinterpret_cast<u64>(site.exit));
    a_.call(reinterpret_cast<u64>(stub));
}

x86::Mem BlockWriter::device_written() const
{
    return frame(offsetof(Frame, device) + offsetof(DeviceOperand, written));
}

/// Behind an instruction that may have stored to a chip.
void BlockWriter::write_device_store()
{
    if (!device_stored_) return;
    device_stored_ = false;
    const Label none = a_.newLabel(), done = a_.newLabel();
    a_.mov(kSavedRcx, x86::rcx);
    a_.mov(x86::rcx, device_written());
    a_.jecxz(x86::rcx, none);
    a_.mov(x86::rcx, kSavedRcx);
    if (devices_.back().access.reads) a_.call(reinterpret_cast<u64>(engine_.stubs().write_back));
    else call_device(devices_.back(), engine_.stubs().store_device);
    a_.jmp(done);
    a_.bind(none);
    a_.mov(x86::rcx, kSavedRcx);
    a_.bind(done);
}

}  // namespace reprise::jit
