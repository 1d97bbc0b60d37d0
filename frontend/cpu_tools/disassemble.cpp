#include "frontend/cpu_tools/disassemble.h"

#if REPRISE_HAVE_ZYDIS
#include <Zydis/Zydis.h>
#endif

namespace reprise {

#if REPRISE_HAVE_ZYDIS

std::string disassemble(std::span<const u8> code, int bits, u64 address)
{
    ZydisDecoder decoder;
    ZydisFormatter formatter;
    const auto mode = bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                      : bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                   : ZYDIS_MACHINE_MODE_REAL_16;
    const auto stack = bits == 64   ? ZYDIS_STACK_WIDTH_64
                       : bits == 32 ? ZYDIS_STACK_WIDTH_32
                                    : ZYDIS_STACK_WIDTH_16;
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    char text[128];
    if (ZYAN_FAILED(ZydisDecoderInit(&decoder, mode, stack)) ||
        ZYAN_FAILED(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) ||
        ZYAN_FAILED(
            ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &instruction, operands)) ||
        ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, &instruction, operands,
                                                    instruction.operand_count_visible, text,
                                                    sizeof text, address, nullptr)))
        return "";
    return text;
}

#else

std::string disassemble(std::span<const u8>, int, u64) { return ""; }

#endif

}  // namespace reprise
