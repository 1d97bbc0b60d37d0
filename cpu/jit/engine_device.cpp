/// What host code calls for an operand that is the memory of a chip, or RAM beside code.
#include <cstring>

#include "cpu/jit/engine.h"

namespace reprise::jit {

namespace {

/// As wide as it was stored: the host waits if it has to put a value together.
u64 load(const void* from, int size)
{
    const auto as = [&](auto narrow) {
        std::memcpy(&narrow, from, sizeof narrow);
        return u64{narrow};
    };
    if (size == 1) return as(u8{});
    if (size == 2) return as(u16{});
    return size == 4 ? as(u32{}) : as(u64{});
}

void write(const DeviceOperand& operand)
{
    const auto size = static_cast<std::size_t>(operand.size);
    if (operand.host) std::memcpy(operand.host, &operand.value, size);
    else
        operand.device->memory_write(operand.offset, operand.size,
                                     load(&operand.value, operand.size));
}

}  // namespace

/// False: it is neither.
bool Engine::find_device(const Cpu& cpu, u64 offset, const DeviceAccess& access,
                         DeviceOperand& operand)
{
    const u64 size = access.size;
    operand.size = access.size;
    operand.host = nullptr;
    if (const Cpu::Run run = cpu.device_run(access.seg, offset, access.writes); run.bytes != 0) {
        operand.device = run.device;
        operand.offset = run.offset;
        return run.bytes >= size;
    }
    if (!access.writes) return false;
    // Host code asks for 64 bytes at once whether they are code: these may be others.
    const Cpu::FastSegment& s = cpu.fast_[access.seg];
    const u64 linear = s.base + offset;
    const TlbEntry& e = cpu.tlb_->entry(linear);
    const bool fast = offset + size <= s.write_end && page_of(linear + size - 1) + e.write_tag == 0;
    if (!fast || cpu.blocks_.is_code(e.physical() + linear % kPageSize, size)) return false;
    operand.host = reinterpret_cast<u8*>(linear + e.addend);
    return true;
}

/// Host code is about to execute an instruction that reads it.
bool Engine::load_device(Cpu* cpu, u64 offset, u32 packed, DeviceOperand* operand)
{
    const DeviceAccess access = DeviceAccess::of(packed);
    if (!find_device(*cpu, offset, access, *operand)) return false;
    operand->written = access.writes;
    operand->value = operand->host ? load(operand->host, operand->size)
                                   : operand->device->memory_read(operand->offset, operand->size);
    return true;
}

/// It has executed one that only stores.
bool Engine::store_device(Cpu* cpu, u64 offset, u32 packed, DeviceOperand* operand)
{
    operand->written = 0;
    if (!find_device(*cpu, offset, DeviceAccess::of(packed), *operand)) return false;
    write(*operand);
    return true;
}

void Engine::write_back(DeviceOperand* operand)
{
    operand->written = 0;
    write(*operand);
}

}  // namespace reprise::jit
