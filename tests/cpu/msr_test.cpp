/// Model specific registers and CPUID: SDM vol. 4, chapter 2, and vol. 2A, CPUID.
#include <gtest/gtest.h>

#include <string>

#include "cpu/cpuid.h"
#include "tests/cpu/long_program.h"

namespace reprise {
namespace {

/// -1: #GP.
struct Msrs : LongProgram {
    explicit Msrs(const char* model = "x86-64-v2") : LongProgram({}, 0, model) {}

    bool write(u32 index, u64 value)
    {
        run_one({0x0F, 0x30}, index, value);
        return vector() == -1;
    }
    bool read(u32 index)
    {
        run_one({0x0F, 0x32}, index, 0);
        return vector() == -1;
    }
    u64 value() { return reg(RDX) << 32 | reg(RAX); }

private:
    void run_one(const Bytes& bytes, u32 index, u64 value)
    {
        code(bytes);
        cpu.memory_written(kCode, bytes.size());
        cpu.state.rip = kCode;
        cpu.state.halted = false;
        reg(RCX) = index;
        reg(RAX) = static_cast<u32>(value);
        reg(RDX) = value >> 32;
        run(1);
        if (cpu.state.rip != kCode + 2) run(1);
    }
};

TEST(Msr, KeepsWhatIsWritten)
{
    for (const u32 index : {0x174u, 0x175u, 0x176u, 0xC0000081u, 0xC0000082u, 0xC0000083u,
                            0xC0000084u, 0xC0000100u, 0xC0000101u, 0xC0000102u, 0xC0000103u}) {
        Msrs m;
        EXPECT_TRUE(m.write(index, 0x12345678)) << index;
        EXPECT_TRUE(m.read(index));
        EXPECT_EQ(m.value(), 0x12345678u) << index;
    }
}

TEST(Msr, UnknownOnesAreGp)
{
    for (const u32 index :
         {0x3u, 0x48u, 0x49u, 0x480u, 0x800u, 0xC0000104u, 0xC0010015u, 0xFFFFFFFFu}) {
        EXPECT_FALSE(Msrs().read(index)) << index;
        EXPECT_FALSE(Msrs().write(index, 0)) << index;
    }
    EXPECT_FALSE(Msrs("x86-64").read(0xC0000103)) << "no RDTSCP";
}

TEST(Msr, AddressesAreCanonical)
{
    for (const u32 index :
         {0x175u, 0x176u, 0xC0000082u, 0xC0000083u, 0xC0000100u, 0xC0000101u, 0xC0000102u}) {
        EXPECT_FALSE(Msrs().write(index, u64{1} << 47)) << index;
        EXPECT_TRUE(Msrs().write(index, 0xFFFF800000000000)) << index;
    }
}

TEST(Msr, ReservedBitsAreGp)
{
    EXPECT_FALSE(Msrs().write(0xC0000080, u64{kEferLme | kEferLma} | 2));
    EXPECT_FALSE(Msrs().write(0xC0000080, 0)) << "LME cannot change under paging";
    EXPECT_TRUE(Msrs().write(0xC0000080, kEferLme)) << "LMA is left alone";
    EXPECT_FALSE(Msrs().write(0x1B, 0xFEE00D00)) << "x2APIC";
    EXPECT_FALSE(Msrs().write(0x1B, u64{1} << 40 | 0x800));
    EXPECT_FALSE(Msrs().write(0xC0000084, u64{1} << 32));
    EXPECT_FALSE(Msrs().write(0x17A, 8));
}

TEST(Msr, PatAndMtrrsTakeMemoryTypes)
{
    Msrs m;
    EXPECT_TRUE(m.read(0x277));
    EXPECT_EQ(m.value(), 0x0007040600070406u);
    EXPECT_TRUE(m.write(0x277, 0x0706050401000706));
    EXPECT_FALSE(Msrs().write(0x277, 2));
    EXPECT_FALSE(Msrs().write(0x277, 0x0300000000000000));
    EXPECT_FALSE(Msrs().write(0x250, 7)) << "UC- is of the PAT only";
    EXPECT_TRUE(Msrs().write(0x26F, 0x0606060606060606));
    EXPECT_FALSE(Msrs().write(0x200, 3));
    EXPECT_TRUE(Msrs().write(0x200, 0xC0000000));
    EXPECT_FALSE(Msrs().write(0x201, 0x400));
    EXPECT_TRUE(Msrs().write(0x201, 0xFFC0000800));
    EXPECT_FALSE(Msrs().write(0xFE, 0)) << "MTRRcap";
    EXPECT_FALSE(Msrs().write(0x2FF, 0x1000));
}

TEST(Msr, TheApicIsTheBootstrapProcessorsAndTellsItsBus)
{
    Msrs m;
    EXPECT_TRUE(m.read(0x1B));
    EXPECT_EQ(m.value(), kApicBaseAfterReset);
    EXPECT_TRUE(cpuid(m.cpu, 1, 0).edx & 1 << 9);
    EXPECT_TRUE(m.write(0x1B, 0xFEE00100));
    EXPECT_FALSE(cpuid(m.cpu, 1, 0).edx & 1 << 9) << "CPUID shows the global enable";
}

TEST(Msr, TheTscCanBeSet)
{
    Msrs m;
    EXPECT_TRUE(m.write(0x10, 0x123400000000));
    EXPECT_TRUE(m.read(0x10));
    EXPECT_EQ(m.value(), 0x123400000001u);
}

TEST(Msr, ThePentiumHasFew)
{
    Program p("pentium");
    p.start_protected();
    p.code({0x0F, 0x32});
    p.reg(RCX) = 0x1B;
    EXPECT_EQ(p.run_to_vector(), 13);
}

// ---- CPUID -------------------------------------------------------------------------------------

TEST(Cpuid, TellsModelsApart)
{
    const auto leaf = [](const char* model, u32 n, u32 sub = 0) {
        LongProgram p({}, 0, model);
        return cpuid(p.cpu, n, sub);
    };
    const auto legacy = [](const char* model, u32 n) {
        Program p(model);
        p.start_protected();
        return cpuid(p.cpu, n, 0);
    };
    EXPECT_EQ(legacy("pentium", 0).eax, 1u);
    EXPECT_EQ(legacy("pentium2", 0).eax, 2u);
    EXPECT_EQ(legacy("pentium2", 2).edx, 0x0C040843u) << "512 KB";
    EXPECT_EQ(leaf("x86-64", 0).eax, 7u);
    EXPECT_EQ(leaf("x86-64", 0x80000000).eax, 0x80000008u);
    EXPECT_EQ(leaf("x86-64", 0x80000008).eax, 0x3028u) << "40 and 48 bits";
    EXPECT_EQ(leaf("x86-64", 0x80000001).edx, 1u << 29 | 1u << 20 | 1u << 11) << "LM, NX, SYSCALL";
    EXPECT_EQ(leaf("x86-64-v2", 0x80000001).edx,
              1u << 29 | 1u << 27 | 1u << 26 | 1u << 20 | 1u << 11);
    EXPECT_EQ(leaf("x86-64-v2", 0x80000001).ecx, 1u);
    EXPECT_FALSE(legacy("x86-64", 0x80000001).edx & 1 << 11) << "SYSCALL is of 64-bit mode";
    EXPECT_EQ(leaf("x86-64", 4, 3).eax & 31, 0u) << "no fourth cache";
    EXPECT_EQ(leaf("x86-64", 0x1000).eax, leaf("x86-64", 7).eax) << "above the highest";
}

TEST(Cpuid, TheNameHasThreeLeaves)
{
    LongProgram p;
    std::string name;
    for (u32 n = 0x80000002; n <= 0x80000004; ++n) {
        const CpuidLeaf leaf = cpuid(p.cpu, n, 0);
        for (const u32 word : {leaf.eax, leaf.ebx, leaf.ecx, leaf.edx})
            for (int i = 0; i < 4; ++i) name += static_cast<char>(word >> 8 * i);
    }
    EXPECT_EQ(name.size(), 48u);
    EXPECT_STREQ(name.c_str(), "Reprise x86-64-v2 processor");
}

}  // namespace
}  // namespace reprise
