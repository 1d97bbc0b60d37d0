/// Executes a few bytes of machine code: the processor as a library, and nothing else.
#include <cstdio>

#include "cpu/bare_cpu.h"

using namespace reprise;

int main()
{
    const u8 code[] = {0x01, 0xD8,        // add eax, ebx
                       0x89, 0x04, 0x24,  // mov [esp], eax
                       0xF4};             // hlt
    BareCpu bare(*find_cpu_model("pentium"));
    if (!bare.load(0x1000, code) || !bare.start(CodeSize::Bits32, 0x1000)) return 1;
    bare.cpu.set_reg<u32>(RAX, 40);
    bare.cpu.set_reg<u32>(RBX, 2);
    bare.cpu.set_reg<u32>(RSP, 0x2000);

    const BareCpu::Stop stop = bare.run(100);
    std::printf("eax = %u, [2000h] = %u, flags = %X\n", bare.cpu.reg<u32>(RAX),
                bare.bus.ram[0x2000], bare.cpu.state.rflags);
    return stop.reason == BareCpu::Reason::Halted ? 0 : 1;
}
