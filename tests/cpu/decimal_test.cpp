/// DAA, DAS, AAA, AAS, AAM and AAD against their "Operation" sections in SDM vol. 2A.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>

#include "cpu/alu.h"
#include "cpu/cpu.h"
#include "tests/cpu/flag_combination.h"
#include "cpu/flat_bus.h"

namespace reprise {
namespace {

struct Adjusted {
    u8 al;
    bool cf, af;
};

/// SDM vol. 2A, DAA and DAS, "Operation".
Adjusted manual_decimal(bool add_it, u8 al, bool cf, bool af)
{
    const u8 old_al = al;
    const bool old_cf = cf;
    cf = false;
    if ((al & 0x0F) > 9 || af) {
        const int adjusted = add_it ? al + 6 : al - 6;
        cf = old_cf || adjusted > 0xFF || adjusted < 0;
        al = static_cast<u8>(adjusted);
        af = true;
    } else {
        af = false;
    }
    if (old_al > 0x99 || old_cf) {
        al = static_cast<u8>(add_it ? al + 0x60 : al - 0x60);
        cf = true;
    } else if (add_it) {
        cf = false;
    }
    return {al, cf, af};
}

template <bool add_it>
void check_decimal()
{
    for (int al = 0; al < 256; ++al)
        for (u32 i = 0; i < 64; ++i) {
            const u32 in = flag_combination(i);
            LazyFlags f;
            f.set(in);
            const u8 value = decimal_adjust<add_it>(f, static_cast<u8>(al));
            const Adjusted wanted = manual_decimal(add_it, static_cast<u8>(al), in & CF, in & AF);
            ASSERT_EQ(value, wanted.al) << al << ' ' << in;
            ASSERT_EQ(f.cf(), wanted.cf) << al << ' ' << in;
            ASSERT_EQ(f.af(), wanted.af) << al << ' ' << in;
            ASSERT_EQ(f.zf(), value == 0);
            ASSERT_EQ(f.sf(), value >= 0x80);
            ASSERT_EQ(f.pf(), even_parity(value));
        }
}

TEST(Decimal, DaaIsExact) { check_decimal<true>(); }
TEST(Decimal, DasIsExact) { check_decimal<false>(); }

/// A real-mode processor that runs one instruction on AX and the flags.
class OneInstruction {
public:
    OneInstruction(const char* model, std::initializer_list<u8> code)
        : cpu_(bus_, *find_cpu_model(model))
    {
        cpu_.state.seg[CS].selector = 0;
        cpu_.state.seg[CS].base = 0;
        std::ranges::copy(code, bus_.ram.begin() + 0x100);
        cpu_.state_loaded();
    }

    void run(u16 ax, u32 flags)
    {
        cpu_.state.rip = 0x100;
        cpu_.state.gpr[RAX] = ax;
        cpu_.state.rflags = flags | kReservedSetFlags;
        cpu_.state_loaded();
        cpu_.run(cpu_.state.clock + 1);
    }
    u16 ax() const { return static_cast<u16>(cpu_.state.gpr[RAX]); }
    bool flag(Flag f) const { return cpu_.state.rflags & f; }

private:
    FlatBus bus_{1 << 20};
    Cpu cpu_;
};

/// SDM vol. 2A, AAA and AAS: AX is adjusted by 106h, AF and CF tell whether, AL keeps a digit. Of
/// the 8086 the 8086 Family User's Manual, AAA: AL by 6 and AH by 1, each on its own.
void check_ascii(const char* model, u8 opcode, bool add_it, bool separate)
{
    OneInstruction machine(model, {opcode});
    for (int al = 0; al < 256; ++al)
        for (const int ah : {0x00, 0x01, 0x09, 0x7F, 0xFF})
            for (const u32 flags : {u32{0}, u32{AF}, u32{CF}, u32{AF | CF}}) {
                const u16 ax = static_cast<u16>(ah << 8 | al);
                const bool adjust = (al & 0x0F) > 9 || (flags & AF);
                int wanted = ax;
                if (adjust && separate)
                    wanted =
                        (add_it ? ah + 1 : ah - 1) << 8 | static_cast<u8>(add_it ? al + 6 : al - 6);
                else if (adjust) wanted = add_it ? ax + 0x106 : ax - 0x106;
                machine.run(ax, flags);
                ASSERT_EQ(machine.ax(), wanted & 0xFF0F) << model << ' ' << ax << ' ' << flags;
                ASSERT_EQ(machine.flag(CF), adjust);
                ASSERT_EQ(machine.flag(AF), adjust);
            }
}

TEST(Decimal, AaaIsExact)
{
    check_ascii("80486", 0x37, true, false);
    check_ascii("8086", 0x37, true, true);
}
TEST(Decimal, AasIsExact)
{
    check_ascii("80486", 0x3F, false, false);
    check_ascii("8086", 0x3F, false, true);
}

TEST(Decimal, AamDividesAndAadMultiplies)
{
    for (const u8 base : {1, 7, 10, 16, 255}) {
        OneInstruction aam("80486", {0xD4, base}), aad("80486", {0xD5, base});
        for (int al = 0; al < 256; ++al) {
            aam.run(static_cast<u16>(0x5500 | al), 0);
            ASSERT_EQ(aam.ax(), (al / base) << 8 | al % base);
            ASSERT_EQ(aam.flag(ZF), al % base == 0);
            ASSERT_EQ(aam.flag(SF), al % base >= 0x80);
            for (const int ah : {0, 1, 9, 0x80, 0xFF}) {
                aad.run(static_cast<u16>(ah << 8 | al), 0);
                const int value = (al + ah * base) & 0xFF;
                ASSERT_EQ(aad.ax(), value);
                ASSERT_EQ(aad.flag(ZF), value == 0);
                ASSERT_EQ(aad.flag(SF), value >= 0x80);
                ASSERT_EQ(aad.flag(PF), even_parity(static_cast<u64>(value)));
            }
        }
    }
}

}  // namespace
}  // namespace reprise
