/// x87: control and status word, environment, saving and restoring the whole FPU; WAIT; what is no
/// instruction.
#include <algorithm>

#include "cpu/ops/x87.h"

namespace reprise::ops {

namespace {

using fp::F80;

// ---- Control and status word --------------------------------------------------------------------

/// Reserved bits are not stored; bit 6 reads as one (SDM vol. 1, figure 8-6). Bit 7 is the 8087's
/// IEM.
void set_control(X87& x, u16 value)
{
    const u16 stored = x.cpu.at_least(Level::I80286) ? 0x1F3F : 0x1FBF;
    x.s.control = static_cast<u16>((value & stored) | 0x40);
    x.summarize();
}

void initialize(X87& x)
{
    x.s.status = 0;
    x.s.full = 0;
    x.s.opcode = 0;
    x.s.ip = x.s.data = 0;
    x.s.cs = x.s.ds = 0;
    set_control(x, x.cpu.at_least(Level::I80386) ? kControlAfterInit : kControlAfterInit | 0x80);
}

bool fninit(X87& x) { return initialize(x), true; }

bool fnclex(X87& x)
{
    x.s.status &= static_cast<u16>(~(fp::kAllExceptions | kStackFlag | FpuState::kEs | kBusy));
    return true;
}

bool fldcw(X87& x)
{
    set_control(x, TRY(x.read<u16>()));
    return true;
}
bool fnstcw(X87& x) { return x.write(x.s.control); }
bool fnstsw(X87& x) { return x.write(x.s.status); }
bool fnstsw_ax(X87& x)
{
    x.cpu.set_reg<u16>(RAX, x.s.status);
    return true;
}

/// FDISI and FENI: the 8087's interrupt enable mask. Later processors ignore them.
template <bool mask>
bool interrupt_mask(X87& x)
{
    if (!x.cpu.at_least(Level::I80286))
        x.s.control = static_cast<u16>(mask ? x.s.control | 0x80 : x.s.control & ~0x80);
    return true;
}

/// FSETPM and FRSTPM: the 287 has to be told of protected mode, here it knows.
bool protected_mode(X87&) { return true; }

// ---- Environment --------------------------------------------------------------------------------

/// SDM vol. 1, 8.1.7, table 8-3: 0 valid, 1 zero, 2 special, 3 empty.
u16 tag_word(const X87& x)
{
    u16 tags = 0;
    for (int n = 0; n < 8; ++n) {
        const int physical = (x.s.top() + n) & 7;
        const fp::Kind kind = fp::classify(x.st(n));
        const int tag = x.empty(n)                 ? 3
                        : kind == fp::Kind::Normal ? 0
                        : kind == fp::Kind::Zero   ? 1
                                                   : 2;
        tags = static_cast<u16>(tags | tag << 2 * physical);
    }
    return tags;
}

void set_tag_word(X87& x, u16 tags)
{
    x.s.full = 0;
    for (int n = 0; n < 8; ++n)
        if ((tags >> 2 * n & 3) != 3) x.s.full |= static_cast<u8>(1 << n);
}

/// Seven words of 16 or 32 bits (SDM vol. 1, figures 8-9 to 8-12).
using Environment = std::array<u32, 7>;

int word_size(const X87& x) { return x.insn.size == 2 ? 2 : 4; }
u64 environment_size(const X87& x) { return 7 * static_cast<u64>(word_size(x)); }

/// In real mode pointers are linear addresses, of which a word holds 16 bits and the next the rest.
Environment environment(const X87& x)
{
    const FpuState& s = x.s;
    const bool wide = word_size(x) == 4;
    Environment e = {s.control, s.status, tag_word(x)};
    if (x.cpu.real_or_v86()) {
        const u32 ip = static_cast<u32>((u64{s.cs} << 4) + s.ip),
                  data = static_cast<u32>((u64{s.ds} << 4) + s.data);
        e[3] = ip & 0xFFFF;
        e[4] = (ip >> 16) << 12 | s.opcode;
        e[5] = data & 0xFFFF;
        e[6] = (data >> 16) << 12;
    } else {
        e[3] = static_cast<u32>(s.ip);
        e[4] = wide ? s.cs | u32{s.opcode} << 16 : s.cs;
        e[5] = static_cast<u32>(s.data);
        e[6] = s.ds;
    }
    // What is reserved reads as ones, where a 16-bit value is alone in its word.
    if (wide)
        for (const std::size_t n : {0u, 1u, 2u, 6u})
            if (n != 6 || !x.cpu.real_or_v86()) e[n] |= 0xFFFF0000;
    if (wide && x.cpu.real_or_v86()) e[3] |= 0xFFFF0000, e[5] |= 0xFFFF0000;
    return e;
}

bool write_environment(X87& x)
{
    const Environment e = environment(x);
    const bool wide = word_size(x) == 4;
    for (std::size_t n = 0; n < e.size(); ++n) {
        const bool ok =
            wide ? x.write<u32>(e[n], 4 * n) : x.write<u16>(static_cast<u16>(e[n]), 2 * n);
        if (!ok) return false;
    }
    return true;
}

Fallible<Environment> read_environment(X87& x)
{
    Environment e{};
    const bool wide = word_size(x) == 4;
    for (std::size_t n = 0; n < e.size(); ++n) {
        if (wide) e[n] = TRY(x.read<u32>(4 * n));
        else e[n] = TRY(x.read<u16>(2 * n));
    }
    return e;
}

void set_environment(X87& x, const Environment& e)
{
    FpuState& s = x.s;
    s.status = static_cast<u16>(e[1]);
    set_tag_word(x, static_cast<u16>(e[2]));
    if (x.cpu.real_or_v86()) {
        s.ip = (e[3] & 0xFFFF) | (e[4] >> 12 & 0xFFFF) << 16;
        s.data = (e[5] & 0xFFFF) | (e[6] >> 12 & 0xFFFF) << 16;
        s.opcode = e[4] & 0x7FF;
        s.cs = s.ds = 0;
    } else {
        s.ip = e[3];
        s.cs = static_cast<u16>(e[4]);
        if (word_size(x) == 4) s.opcode = e[4] >> 16 & 0x7FF;
        s.data = e[5];
        s.ds = static_cast<u16>(e[6]);
    }
    set_control(x, static_cast<u16>(e[0]));
}

bool fnstenv(X87& x)
{
    if (!x.probe(0, static_cast<int>(environment_size(x)), word_size(x)) || !write_environment(x))
        return false;
    set_control(x, x.s.control | fp::kAllExceptions);
    return true;
}

bool fldenv(X87& x)
{
    set_environment(x, TRY(read_environment(x)));
    return true;
}

/// Registers stand 10 bytes apart, so that an access by the word is the widest that #AC never
/// refuses.
bool write_register(X87& x, F80 value, u64 offset)
{
    for (u64 n = 0; n < 4; ++n)
        if (!x.write<u16>(static_cast<u16>(value.significand >> 16 * n), offset + 2 * n))
            return false;
    return x.write<u16>(value.exponent, offset + 8);
}

Fallible<F80> read_register(X87& x, u64 offset)
{
    F80 value;
    for (u64 n = 0; n < 4; ++n)
        value.significand |= u64{TRY(x.read<u16>(offset + 2 * n))} << 16 * n;
    value.exponent = TRY(x.read<u16>(offset + 8));
    return value;
}

bool fnsave(X87& x)
{
    const u64 registers = environment_size(x);
    if (!x.probe(0, static_cast<int>(registers) + 80, 2) || !write_environment(x)) return false;
    for (int n = 0; n < 8; ++n)
        if (!write_register(x, x.st(n), registers + 10 * static_cast<u64>(n))) return false;
    initialize(x);
    return true;
}

bool frstor(X87& x)
{
    const Environment e = TRY(read_environment(x));
    std::array<F80, 8> registers;
    for (std::size_t n = 0; n < 8; ++n)
        registers[n] = TRY(read_register(x, environment_size(x) + 10 * n));
    set_environment(x, e);
    const u8 full = x.s.full;
    for (int n = 0; n < 8; ++n) x.set(n, registers[static_cast<std::size_t>(n)]);
    x.s.full = full;
    return true;
}

// ---- FXSAVE and FXRSTOR (SDM vol. 1, table 10-2)
// -------------------------------------------------------------

constexpr int kFxArea = 416;      // what is written of 512 bytes
constexpr u64 kFxLastByte = 511;  // is touched first, as AMD's processors do
constexpr u64 kFxMxcsr = 24, kFxRegisters = 32, kFxXmm = 160;

bool fx_aligned(X87& x, bool write)
{
    return x.cpu.check_aligned_16<Attempt::Full>(x.insn.seg, x.cpu.address(x.insn), write);
}

/// DAZ, MXCSR's bit 6, came with SSE2.
u32 mxcsr_mask(const X87& x) { return x.cpu.model().has(Feature::Sse2) ? 0xFFFF : 0xFFBF; }

/// XMM8 to XMM15 exist in 64-bit mode.
std::size_t xmm_count(const X87& x) { return x.cpu.mode64() ? 16 : 8; }

bool write_fx_pointers(X87& x)
{
    const FpuState& s = x.s;
    if (x.insn.size == 8) return x.write<u64>(s.ip, 8) && x.write<u64>(s.data, 16);
    return x.write<u64>((s.ip & 0xFFFFFFFF) | u64{s.cs} << 32, 8) &&
           x.write<u64>((s.data & 0xFFFFFFFF) | u64{s.ds} << 32, 16);
}

bool fxsave(X87& x)
{
    const FpuState& s = x.s;
    if (!fx_aligned(x, true) || !x.probe(kFxLastByte, 1, 1) || !x.probe(0, kFxArea, 8))
        return false;
    const u64 words = s.control | u64{s.status} << 16 | u64{s.full} << 32 | u64{s.opcode} << 48;
    if (!x.write<u64>(words, 0) || !write_fx_pointers(x)) return false;
    for (int n = 0; n < 8; ++n) {
        const F80 value = x.st(n);
        const u64 offset = kFxRegisters + 16 * static_cast<u64>(n);
        if (!x.write<u64>(value.significand, offset) || !x.write<u64>(value.exponent, offset + 8))
            return false;
    }
    if (!x.cpu.model().has(Feature::Sse)) return true;
    const SseState& sse = x.cpu.state.sse;
    if (!x.write<u64>(sse.mxcsr | u64{mxcsr_mask(x)} << 32, kFxMxcsr)) return false;
    for (std::size_t n = 0; n < xmm_count(x); ++n)
        if (!x.write<u64>(sse.xmm[n].low, kFxXmm + 16 * n) ||
            !x.write<u64>(sse.xmm[n].high, kFxXmm + 16 * n + 8))
            return false;
    return true;
}

struct FxImage {
    u64 words = 0, ip = 0, data = 0;
    std::array<F80, 8> registers{};
    u32 mxcsr = 0;
    std::array<Xmm, 16> xmm{};
};

Fallible<FxImage> read_fx_image(X87& x)
{
    FxImage image;
    image.words = TRY(x.read<u64>(0));
    image.ip = TRY(x.read<u64>(8));
    image.data = TRY(x.read<u64>(16));
    for (std::size_t n = 0; n < 8; ++n)
        image.registers[n] = TRY(x.read_extended(kFxRegisters + 16 * n));
    if (!x.cpu.model().has(Feature::Sse)) return image;
    image.mxcsr = TRY(x.read<u32>(kFxMxcsr));
    for (std::size_t n = 0; n < xmm_count(x); ++n) {
        image.xmm[n].low = TRY(x.read<u64>(kFxXmm + 16 * n));
        image.xmm[n].high = TRY(x.read<u64>(kFxXmm + 16 * n + 8));
    }
    return image;
}

bool fxrstor(X87& x)
{
    if (!fx_aligned(x, false)) return false;
    static_cast<void>(TRY(x.read<u8>(kFxLastByte)));
    const FxImage image = TRY(read_fx_image(x));
    if (image.mxcsr & ~mxcsr_mask(x)) return x.cpu.general_protection();

    FpuState& s = x.s;
    const bool wide = x.insn.size == 8;
    s.status = static_cast<u16>(image.words >> 16);
    s.opcode = image.words >> 48 & 0x7FF;
    s.ip = wide ? image.ip : image.ip & 0xFFFFFFFF;
    s.data = wide ? image.data : image.data & 0xFFFFFFFF;
    s.cs = wide ? 0 : static_cast<u16>(image.ip >> 32);
    s.ds = wide ? 0 : static_cast<u16>(image.data >> 32);
    for (int n = 0; n < 8; ++n) x.set(n, image.registers[static_cast<std::size_t>(n)]);
    s.full = static_cast<u8>(image.words >> 32);
    set_control(x, static_cast<u16>(image.words));
    if (!x.cpu.model().has(Feature::Sse)) return true;
    x.cpu.state.sse.mxcsr = image.mxcsr;
    std::copy_n(image.xmm.begin(), xmm_count(x), x.cpu.state.sse.xmm.begin());
    return true;
}

// ---- WAIT, and encodings without a meaning ------------------------------------------------------

struct Wait {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        if ((cpu.state.cr0 & kCr0Mp) && (cpu.state.cr0 & kCr0Ts))
            return cpu.raise(kDeviceNotAvailable);
        return cpu.report_x87_error();
    }
};

bool undefined(X87& x) { return x.cpu.undefined_opcode(); }

using enum Form;
using enum X87Rule;

template <bool (*body)(X87&), X87Rule rule>
constexpr Opcode memory_row(int code, int reg, const char* name)
{
    return row<Esc<body, rule>, M>(code, name, x87_memory(reg));
}
template <bool (*body)(X87&), Level level = Level::I8086>
constexpr Opcode control_row(int code, int modrm, const char* name)
{
    return row<Esc<body, NonWaiting, level>>(code, name, x87_encoding(modrm));
}
template <bool (*body)(X87&)>
constexpr Opcode fx_row(int reg, const char* name)
{
    return row<Esc<body, NonWaiting>, M>(
        0x1AE, name,
        {.reg = static_cast<i8>(reg), .feature = Feature::Fxsr, .prefix = Mandatory::None});
}

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    called(memory_row<fldenv, Waiting>(0xD9, 4, "fldenv")),
    memory_row<fldcw, Waiting>     (0xD9, 5, "fldcw"),
    called(memory_row<fnstenv, NonWaiting>(0xD9, 6, "fnstenv")),
    memory_row<fnstcw, NonWaiting> (0xD9, 7, "fnstcw"),
    called(memory_row<frstor, Waiting>(0xDD, 4, "frstor")),
    called(memory_row<fnsave, NonWaiting>(0xDD, 6, "fnsave")),
    memory_row<fnstsw, NonWaiting> (0xDD, 7, "fnstsw"),

    called(control_row<interrupt_mask<false>>(0xDB, 0xE0, "fneni")),
    called(control_row<interrupt_mask<true>>(0xDB, 0xE1, "fndisi")),
    control_row<fnclex>                           (0xDB, 0xE2, "fnclex"),
    called(control_row<fninit>(0xDB, 0xE3, "fninit")),
    called(control_row<protected_mode, Level::I80286>(0xDB, 0xE4, "fnsetpm")),
    control_row<fnstsw_ax, Level::I80286>         (0xDF, 0xE0, "fnstsw"),

    fx_row<fxsave>  (0, "fxsave"),
    fx_row<fxrstor> (1, "fxrstor"),
    row<Wait>       (0x9B, "wait", {.carry = Carry::Copy}),
});
// clang-format on

constexpr auto build()
{
    std::array<Opcode, kRows.size() + 8> all{};
    std::size_t at = 0;
    for (const Opcode& r : kRows) all[at++] = r;
    for (int n = 0; n < 8; ++n)
        all[at++] = row<Esc<undefined, NonWaiting>, None, Ev>(0xD8 + n, "esc");
    return all;
}

constexpr auto kAllRows = build();

}  // namespace

std::span<const Opcode> x87_control_rows() { return kAllRows; }

}  // namespace reprise::ops
