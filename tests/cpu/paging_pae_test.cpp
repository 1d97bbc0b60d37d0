/// PAE and four-level paging: SDM vol. 3A, 4.4 to 4.7 and 4.10.
#include <gtest/gtest.h>

#include "tests/cpu/long_program.h"

namespace reprise {
namespace {

constexpr u32 P = Program::P, W = Program::W, U = Program::U, A = Program::A, D = Program::D,
              PS = Program::PS;
constexpr u64 kPage = 0x50000;
constexpr u64 kNx = LongProgram::kNx;

// Error code bits of #PF.
constexpr int kProtection = 1, kWrite = 2, kUserAccess = 4, kReserved = 8, kFetch = 16;

// mov eax, [rbx]; mov [rbx], eax; jmp rbx
const Program::Bytes kLoad = {0x8B, 0x03}, kStore = {0x89, 0x03}, kJump = {0xFF, 0xE3};

/// x86-64-v2 with what later processors check.
constexpr CpuModel kProtected{
    "test",
    Level::X64,
    true,
    0x0106A5,
    models::kX64V2 | FeatureSet{Feature::Smep, Feature::Smap, Feature::Umip, Feature::FsGsBase},
    ""};

/// The error code, or -1 if RBX's access to kPage was no fault.
int page_fault(LongProgram& p, u64 address = kPage)
{
    p.reg(RBX) = address;
    p.run(3);
    if (p.vector() != 14) return -1;
    EXPECT_EQ(p.cpu.state.cr2, address);
    return p.error();
}

int fault(const Program::Bytes& code, u64 entry, u8 cpl = 0)
{
    LongProgram p{code, cpl};
    p.bus.ram[kPage] = 0xF4;
    p.map64(kPage, entry);
    return page_fault(p);
}

TEST(LongPaging, ErrorCodesSayWhatWasWrong)
{
    EXPECT_EQ(fault(kLoad, kPage), 0);
    EXPECT_EQ(fault(kStore, kPage), kWrite);
    EXPECT_EQ(fault(kLoad, kPage, 3), kUserAccess);
    EXPECT_EQ(fault(kLoad, kPage | P | W, 3), kProtection | kUserAccess);
    EXPECT_EQ(fault(kStore, kPage | P | U), kProtection | kWrite) << "CR0.WP is set";
    EXPECT_EQ(fault(kLoad, kPage | P | u64{1} << 40), kProtection | kReserved)
        << "MAXPHYADDR is 40";
    EXPECT_EQ(fault(kLoad, kPage | P | u64{1} << 62), -1) << "ignored";
}

TEST(LongPaging, NoExecuteStopsFetchesOnly)
{
    EXPECT_EQ(fault(kLoad, kPage | P | W | kNx), -1);
    EXPECT_EQ(fault(kJump, kPage | P | W | kNx), kProtection | kFetch);
    EXPECT_EQ(fault(kJump, kPage | P | W | U | kNx, 3), kProtection | kUserAccess | kFetch);
    EXPECT_EQ(fault(kJump, kPage), kFetch);
}

TEST(LongPaging, WithoutNxeItsBitIsReservedAndFetchesAreNotTold)
{
    for (const bool fetch : {false, true}) {
        LongProgram p{fetch ? kJump : kLoad};
        p.cpu.state.msr.efer &= ~u64{kEferNxe};
        p.cpu.state_loaded();
        p.map64(kPage, kPage | P | W | kNx);
        EXPECT_EQ(page_fault(p), kProtection | kReserved);
    }
}

TEST(LongPaging, EveryLevelCanForbid)
{
    for (const u64 table : {LongProgram::kPml4, LongProgram::kPdpt, LongProgram::kPd}) {
        LongProgram p{kStore, 3};
        p.set<u64>(table, p.get<u64>(table) & ~u64{W});
        p.cpu.state.cr0 &= ~u64{kCr0Wp};  // so that the handler has a stack
        EXPECT_EQ(page_fault(p), kProtection | kWrite | kUserAccess) << table;
    }
}

TEST(LongPaging, AccessedAndDirtyAreSet)
{
    LongProgram p{kStore};
    EXPECT_EQ(page_fault(p), -1);
    for (const u64 table : {LongProgram::kPml4, LongProgram::kPdpt, LongProgram::kPd}) {
        EXPECT_TRUE(p.get<u64>(table) & A) << table;
        EXPECT_FALSE(p.get<u64>(table) & D) << table;
    }
    EXPECT_EQ(p.get<u64>(LongProgram::pte64(kPage)), kPage | P | W | U | A | D);
}

TEST(LongPaging, LargePagesEndTheWalkEarly)
{
    LongProgram p{{0x8B, 0x03, 0x8B, 0x09}};             // mov eax, [rbx]; mov ecx, [rcx]
    p.set<u64>(LongProgram::kPd + 8, 0 | P | W | PS);    // 2 MB at 2 MB
    p.set<u64>(LongProgram::kPdpt + 8, 0 | P | W | PS);  // 1 GB at 1 GB
    p.set<u32>(kPage + 0x123, 0xAA);
    p.reg(RBX) = 0x200000 + kPage + 0x123;
    p.reg(RCX) = 0x40000000 + kPage + 0x123;
    p.step(2);
    EXPECT_EQ(p.reg(RAX), 0xAAu);
    EXPECT_EQ(p.reg(RCX), 0xAAu);
    EXPECT_EQ(p.get<u64>(LongProgram::kPdpt + 8), P | W | PS | A);
}

TEST(LongPaging, ReservedBitsOfLargePages)
{
    const auto large = [](u64 table, u64 entry, const char* model) {
        LongProgram p{kLoad, 0, model};
        p.set<u64>(table + 8, entry | P | W | PS);
        return page_fault(p, table == LongProgram::kPd ? 0x200000 : 0x40000000);
    };
    EXPECT_EQ(large(LongProgram::kPd, 0x2000, "x86-64-v2"), kProtection | kReserved);
    EXPECT_EQ(large(LongProgram::kPd, 0x1000, "x86-64-v2"), -1) << "PAT";
    EXPECT_EQ(large(LongProgram::kPdpt, 0x200000, "x86-64-v2"), kProtection | kReserved);
    EXPECT_EQ(large(LongProgram::kPdpt, 0, "x86-64"), kProtection | kReserved) << "no 1 GB pages";
}

// ---- SMEP and SMAP -----------------------------------------------------------------------------

TEST(LongPaging, SmepForbidsToRunTheUsersCode)
{
    LongProgram p{kProtected, kJump};
    p.map64(Program::kCode, Program::kCode | P | W);
    p.map64(Program::kHandlers, Program::kHandlers | P | W);
    p.cpu.state.cr4 |= kCr4Smep;
    p.cpu.state_loaded();
    EXPECT_EQ(page_fault(p), kProtection | kFetch);
}

TEST(LongPaging, SmapForbidsToTouchTheUsersData)
{
    for (const bool ac : {false, true}) {
        LongProgram p{kProtected, {0x90, 0x8B, 0x03, 0xF4}};  // nop (or stac); mov eax, [rbx]; hlt
        if (ac) p.code({0x0F, 0x01, 0xCB, 0x8B, 0x03, 0xF4});
        for (const u64 page :
             {u64{Program::kCode}, u64{Program::kHandlers}, u64{Program::kStack - 0x1000},
              u64{Program::kIdt}, u64{Program::kGdt}})
            p.map64(page, page | P | W);
        p.cpu.state.cr4 |= kCr4Smap;
        p.cpu.state_loaded();
        EXPECT_EQ(page_fault(p), ac ? -1 : kProtection) << ac;
    }
}

TEST(LongPaging, WhatAcAllowedIsForbiddenAgainAfterClac)
{
    LongProgram p{kProtected,
                  {0x0F, 0x01, 0xCB, 0x8B, 0x03,    // stac; mov eax, [rbx]
                   0x0F, 0x01, 0xCA, 0x8B, 0x03}};  // clac; mov eax, [rbx]
    for (const u64 page : {u64{Program::kCode}, u64{Program::kHandlers},
                           u64{Program::kStack - 0x1000}, u64{Program::kIdt}, u64{Program::kGdt}})
        p.map64(page, page | P | W);
    p.cpu.state.cr4 |= kCr4Smap;
    p.cpu.state_loaded();
    p.reg(RBX) = kPage;
    EXPECT_EQ(p.run_to_vector(), 14);
    EXPECT_EQ(p.error(), kProtection);
    EXPECT_EQ(p.pushed(1), Program::kCode + 8u);
}

// ---- The TLB -----------------------------------------------------------------------------------

TEST(LongPaging, GlobalPagesSurviveALoadOfCr3)
{
    for (const bool global : {false, true}) {
        LongProgram p{{0x8B, 0x03, 0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8, 0x8B, 0x03}};
        p.map64(kPage, kPage | P | W | (global ? LongProgram::G : 0));
        p.reg(RBX) = kPage;
        p.step();  // mov eax, [rbx]
        p.map64(kPage, 0);
        p.step(2);  // mov rax, cr3; mov cr3, rax
        p.run(3);   // mov eax, [rbx]
        EXPECT_EQ(p.vector(), global ? -1 : 14);
    }
}

TEST(LongPaging, GlobalPagesEndWithPgeAndInvlpg)
{
    for (const bool pge : {false, true}) {
        LongProgram p{
            {0x8B, 0x03, 0x0F, 0x01, 0x3B, 0x8B, 0x03}};  // mov eax, [rbx]; invlpg [rbx]; mov
        if (pge) p.code({0x8B, 0x03, 0x0F, 0x22, 0xE0, 0x8B, 0x03});  // mov cr4, rax
        p.map64(kPage, kPage | P | W | LongProgram::G);
        p.reg(RBX) = kPage;
        p.step();
        p.reg(RAX) = p.cpu.state.cr4 & ~u64{kCr4Pge};
        p.map64(kPage, 0);
        p.run(4);
        EXPECT_EQ(p.vector(), 14) << pge;
    }
}

TEST(LongPaging, InvlpgForgetsAllOfALargePage)
{
    LongProgram p{{0x8B, 0x03, 0x0F, 0x01, 0x39, 0x8B, 0x03}};  // mov eax, [rbx]; invlpg [rcx]; mov
    p.set<u64>(LongProgram::kPd + 8, 0 | P | W | PS);
    p.reg(RBX) = 0x200000 + kPage;
    p.reg(RCX) = 0x3FF000;
    p.step();
    p.set<u64>(LongProgram::kPd + 8, 0);
    p.run(4);
    EXPECT_EQ(p.vector(), 14);
}

TEST(LongPaging, CodeMovesWithItsPage)
{
    // A loop through a page of code that is mapped anew, then INVLPG: call rbx; invlpg [rbx]; call
    // rbx
    LongProgram p{{0xFF, 0xD3, 0x0F, 0x01, 0x3B, 0xFF, 0xD3, 0xF4}};
    p.code(kPage, {0xB0, 1, 0xC3});           // mov al, 1; ret
    p.code(kPage + 0x1000, {0xB4, 2, 0xC3});  // mov ah, 2; ret
    p.reg(RBX) = kPage;
    p.step(3);
    p.map64(kPage, (kPage + 0x1000) | P | W);
    p.run();
    EXPECT_EQ(p.reg(RAX), 0x201u);
}

TEST(LongPaging, MemoryAbove4GB)
{
    // Not there on this bus: reads give ones, and nothing else happens.
    LongProgram p{{0x48, 0x8B, 0x03, 0xF4}};
    p.map64(kPage, 0xFF00000000 | P | W);
    p.reg(RBX) = kPage;
    p.run();
    EXPECT_EQ(p.reg(RAX), ~u64{0});
}

// ---- PAE in 32 bits ----------------------------------------------------------------------------

/// 32-bit protected mode under PAE paging: the first 2 MB map to themselves.
class PaeProgram : public Program {
public:
    static constexpr u32 kPdpt = 0x100000, kPd = 0x101000, kPt = 0x102000;

    explicit PaeProgram(const Bytes& bytes, const char* model = "pentium2")
        : Program(model, 4 << 20)
    {
        start_protected();
        code(bytes);
        set<u64>(kPdpt, kPd | P);
        set<u64>(kPd, kPt | P | W | U);
        for (u64 page = 0; page < 512; ++page) set<u64>(kPt + page * 8, page << 12 | P | W | U);
        cpu.state.cr3 = kPdpt;
        cpu.state.cr4 |= kCr4Pae;
        cpu.state.cr0 |= kCr0Pg;
        cpu.state.pdpte = {kPd | P, 0, 0, 0};
        cpu.state_loaded();
    }
};

TEST(PaePaging, TheFirstTwoBitsSelectARegister)
{
    PaeProgram p{{0x8B, 0x03}};  // mov eax, [ebx]
    p.cpu.state.pdpte[3] = PaeProgram::kPd | P;
    p.set<u32>(kPage, 3);
    p.reg(RBX) = 0xC0000000 + kPage;
    p.step();
    EXPECT_EQ(p.reg(RAX), 3u);
}

TEST(PaePaging, TheRegistersAreLoadedWithCr3)
{
    PaeProgram p{{0x8B, 0x03, 0x0F, 0x22, 0xD8, 0x8B, 0x03}};  // mov eax, [ebx]; mov cr3, eax; mov
    p.set<u64>(PaeProgram::kPdpt + 8, PaeProgram::kPd | P);
    p.reg(RBX) = 0x40000000 + kPage;
    EXPECT_EQ(p.run_to_vector(), 14) << "memory is not looked at";
    PaeProgram q{{0x0F, 0x22, 0xD8, 0x8B, 0x03}};
    q.set<u64>(PaeProgram::kPdpt + 8, PaeProgram::kPd | P);
    q.reg(RAX) = PaeProgram::kPdpt;
    q.reg(RBX) = 0x40000000 + kPage;
    q.step(2);
    EXPECT_EQ(q.vector(), -1);
    EXPECT_EQ(q.cpu.state.pdpte[1], PaeProgram::kPd | P);
}

TEST(PaePaging, ReservedBitsOfTheRegistersAreGp)
{
    for (const u64 wrong : {u64{2}, u64{0x20}, u64{1} << 36, u64{1} << 63}) {
        PaeProgram p{{0x0F, 0x22, 0xD8}};
        p.set<u64>(PaeProgram::kPdpt + 8, PaeProgram::kPd | P | wrong);
        p.reg(RAX) = PaeProgram::kPdpt;
        EXPECT_EQ(p.run_to_vector(), 13) << wrong;
    }
}

TEST(PaePaging, BitsAboveTheAddressAreReserved)
{
    PaeProgram p{{0x8B, 0x03}};
    p.set<u64>(PaeProgram::kPt + (kPage >> 12) * 8, kPage | P | u64{1} << 36);
    p.reg(RBX) = kPage;
    EXPECT_EQ(p.run_to_vector(), 14);
    EXPECT_EQ(p.error_code(), u32{kProtection | kReserved});
}

TEST(PaePaging, LargePagesHave2MB)
{
    PaeProgram p{{0x8B, 0x03}};
    p.set<u64>(PaeProgram::kPd + 8, 0 | P | W | PS);
    p.set<u32>(kPage, 8);
    p.reg(RBX) = 0x200000 + kPage;
    p.step();
    EXPECT_EQ(p.reg(RAX), 8u);
}

TEST(PagingPse36, LargePagesReach64GB)
{
    // Bit 13 is bit 32 of the address: nothing is there, so reads give ones. Bit 17 is reserved.
    for (const u32 bit : {13u, 17u}) {
        Program p("pentium3", 4 << 20);
        p.start_protected();
        p.code({0x8B, 0x03, 0xF4});
        p.enable_paging();
        p.cpu.state.cr4 |= kCr4Pse;
        p.set<u32>(Program::kPageDirectory + 4, 1u << bit | P | W | PS);
        p.reg(RBX) = 0x400000 + kPage;
        p.run();
        EXPECT_EQ(p.vector(), bit == 13 ? -1 : 14);
        if (bit == 13) {
            EXPECT_EQ(p.reg(RAX), 0xFFFFFFFFu);
        }
    }
}

}  // namespace
}  // namespace reprise
