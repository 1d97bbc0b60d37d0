/// 32-bit paging: Intel SDM vol. 3A, chapter 4, and 6.15, interrupt 14 (#PF).
#include <gtest/gtest.h>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 P = Program::P, W = Program::W, U = Program::U, A = Program::A, D = Program::D;
constexpr u32 kPage = 0x50000;  // the page that tests play with; the next one follows it
constexpr u32 kNext = kPage + 0x1000;

// Error code bits of #PF.
constexpr u32 kProtection = 1, kWrite = 2, kUserAccess = 4, kReserved = 8;

// mov eax, [ebx]; mov [ebx], eax; add [ebx], eax
const Program::Bytes kLoad = {0x8B, 0x03}, kStore = {0x89, 0x03}, kAdd = {0x01, 0x03};

/// Paging is on, EBX points at `kPage`, and the code is `code`.
class Paged : public Program {
public:
    explicit Paged(const Bytes& bytes, u8 cpl = 0, const char* model = "pentium", u64 ram = 2 << 20)
        : Program(model, ram)
    {
        if (cpl == 3) start_user();
        else start_protected();
        code(bytes);
        enable_paging();
        reg(RBX) = kPage;
        reg(RAX) = 0x11223344;
    }
    u32 entry(u32 page = kPage) const { return get<u32>(pte(page)); }

    /// The error code, or -1 if there was no page fault.
    int page_fault()
    {
        step(1);
        if (cpu.state.rip != kHandlers + 16 * 14) return -1;
        EXPECT_EQ(error_ip(), kCode);
        return static_cast<int>(error_code());
    }
};

TEST(Paging, AccessedIsSetByReadsAndDirtyByWrites)
{
    Paged read{kLoad}, write{kStore}, modify{kAdd};
    for (Paged* p : {&read, &write, &modify}) {
        EXPECT_EQ(p->page_fault(), -1);
        EXPECT_TRUE(p->get<u32>(Program::kPageDirectory) & A);
        EXPECT_FALSE(p->get<u32>(Program::kPageDirectory) & D);
    }
    EXPECT_EQ(read.entry(), kPage | P | W | U | A);
    EXPECT_EQ(write.entry(), kPage | P | W | U | A | D);
    EXPECT_EQ(modify.entry(), kPage | P | W | U | A | D);
}

TEST(Paging, DirtyIsSetByAWriteAfterARead)
{
    Paged p{{0x8B, 0x03, 0x89, 0x03}};  // mov eax, [ebx]; mov [ebx], eax
    p.step();
    EXPECT_FALSE(p.entry() & D);
    p.step();
    EXPECT_TRUE(p.entry() & D);
}

TEST(Paging, FetchesSetAccessedOnly)
{
    Paged p{{0x90}};
    p.step();
    EXPECT_EQ(p.entry(Program::kCode), Program::kCode | P | W | U | A);
    EXPECT_EQ(p.entry(Program::kCode + 0x1000), (Program::kCode + 0x1000) | P | W | U)
        << "the next page was touched";
}

struct FaultCase {
    u32 entry;
    u8 cpl;
    bool write;
    bool wp;
    int error;
};

TEST(Paging, RightsAndErrorCodes)
{
    const FaultCase cases[] = {
        // not present: the protection bit is clear
        {0, 0, false, false, 0},
        {0, 0, true, false, kWrite},
        {0, 3, false, false, kUserAccess},
        {0, 3, true, false, kUserAccess | kWrite},
        {W | U, 3, true, false, kUserAccess | kWrite},
        // supervisor pages
        {P | W, 0, true, false, -1},
        {P | W, 3, false, false, kProtection | kUserAccess},
        {P | W, 3, true, false, kProtection | kUserAccess | kWrite},
        // read-only pages: for the supervisor only with CR0.WP
        {P | U, 3, false, false, -1},
        {P | U, 3, true, false, kProtection | kUserAccess | kWrite},
        {P | U, 0, true, false, -1},
        {P | U, 0, true, true, kProtection | kWrite},
        {P, 0, true, true, kProtection | kWrite},
        {P, 0, false, true, -1},
        {P | W | U, 3, true, true, -1},
    };
    for (const FaultCase& c : cases) {
        for (const bool in_directory : {false, true}) {
            if (in_directory && !(c.entry & P)) continue;
            SCOPED_TRACE(testing::Message()
                         << "entry " << c.entry << " cpl " << int{c.cpl} << " write " << c.write
                         << " wp " << c.wp << " pde " << in_directory);
            Paged p{c.write ? kStore : kLoad, c.cpl};
            // A linear address of its own directory entry, so that code and stack keep theirs.
            constexpr u32 kLinear = 0x800000 + kPage;
            p.set<u32>(0x102000 + (kPage >> 12) * 4, kPage | (in_directory ? P | W | U : c.entry));
            p.set<u32>(Program::kPageDirectory + 8,
                       0x102000 | (in_directory ? c.entry : P | W | U));
            p.reg(RBX) = kLinear;
            if (c.wp) p.cpu.state.cr0 |= kCr0Wp;
            p.cpu.state_loaded();
            EXPECT_EQ(p.page_fault(), c.error);
            if (c.error >= 0) {
                EXPECT_EQ(p.cpu.state.cr2, kLinear);
            }
        }
    }
}

TEST(Paging, TheSupervisorsWriteToAReadOnlyPageDoesNotLetTheUserWrite)
{
    // At level 0 without WP a write succeeds; at level 3 it must still fault.
    Paged p{kStore};
    p.map(kPage, kPage | P | U);
    EXPECT_EQ(p.page_fault(), -1);
    const CpuState kept = p.cpu.state;
    p.set_level(3);
    p.cpu.state.rip = Program::kCode;
    p.cpu.state.gpr = kept.gpr;
    EXPECT_EQ(p.page_fault(), static_cast<int>(kProtection | kUserAccess | kWrite));
}

TEST(Paging, SystemAccessesHaveSupervisorRightsAtLevel3)
{
    // mov ds, ax with the GDT in a supervisor page.
    Paged p{{0x8E, 0xD8}, 3};
    p.map(Program::kGdt, Program::kGdt | P | W);
    p.reg(RAX) = Program::kUserDs;
    EXPECT_EQ(p.page_fault(), -1);
    EXPECT_EQ(p.cpu.state.seg[DS].selector, Program::kUserDs);
}

TEST(Paging, SystemAccessesFaultAsSupervisorAccesses)
{
    Paged p{{0x8E, 0xD8}, 3};
    p.reg(RAX) = Program::kSpare | 3;
    // The descriptors up to kSpare lie in the page before.
    p.cpu.state.gdtr.base = kPage - Program::kSpare;
    std::memcpy(&p.bus.ram[kPage - Program::kSpare], &p.bus.ram[Program::kGdt], Program::kSpare);
    p.map(kPage, 0);
    EXPECT_EQ(p.page_fault(), 0);  // a read by the supervisor, not present
    EXPECT_EQ(p.cpu.state.cr2, kPage);
}

// ---- 4 MB pages
// ----------------------------------------------------------------------------------

TEST(Paging, LargePagesNeedPse)
{
    Paged p{kStore, 0, "pentium", 12 << 20};
    p.set<u32>(Program::kPageDirectory + 4, 0x800000 | P | W | Program::PS);
    p.cpu.state.cr4 = kCr4Pse;
    p.reg(RBX) = 0x400000 + 0x123456;
    EXPECT_EQ(p.page_fault(), -1);
    EXPECT_EQ(p.get<u32>(0x800000 + 0x123456), 0x11223344u);
    EXPECT_EQ(p.get<u32>(Program::kPageDirectory + 4), 0x800000 | P | W | A | D | Program::PS);

    // Without PSE the bit means nothing: the entry names a page table.
    Paged q{kStore, 0, "pentium", 12 << 20};
    q.set<u32>(Program::kPageDirectory + 4, 0x800000 | P | W | Program::PS);
    q.set<u32>(0x800000 + 0x123 * 4, kPage | P | W);
    q.reg(RBX) = 0x400000 + 0x123456;
    EXPECT_EQ(q.page_fault(), -1);
    EXPECT_EQ(q.get<u32>(kPage + 0x456), 0x11223344u);
    EXPECT_EQ(q.get<u32>(Program::kPageDirectory + 4), 0x800000 | P | W | A | Program::PS);
}

TEST(Paging, ReservedBitsOfALargePageFault)
{
    Paged p{kLoad};
    p.set<u32>(Program::kPageDirectory + 4, 0x00A00000 | P | W | Program::PS);
    p.cpu.state.cr4 = kCr4Pse;
    p.reg(RBX) = 0x400000;
    EXPECT_EQ(p.page_fault(), static_cast<int>(kProtection | kReserved));
}

TEST(Paging, ALargePageHasRights)
{
    Paged p{kLoad, 3};
    p.set<u32>(Program::kPageDirectory + 4, P | W | Program::PS);
    p.cpu.state.cr4 = kCr4Pse;
    p.reg(RBX) = 0x400000;
    EXPECT_EQ(p.page_fault(), static_cast<int>(kProtection | kUserAccess));
}

// ---- Accesses across pages
// -----------------------------------------------------------------------

TEST(Paging, AccessesAcrossPagesReachBoth)
{
    Paged p{{0x01, 0x03, 0x8B, 0x0B}};  // add [ebx], eax; mov ecx, [ebx]
    p.map(kPage, 0x60000 | P | W | U);
    p.map(kNext, 0x70000 | P | W | U);
    p.set<u16>(0x60FFE, 0x0001);
    p.set<u16>(0x70000, 0x0000);
    p.reg(RBX) = kPage + 0xFFE;
    p.step(2);
    EXPECT_EQ(p.get<u16>(0x60FFE), 0x3345);
    EXPECT_EQ(p.get<u16>(0x70000), 0x1122);
    EXPECT_EQ(p.reg(RCX), 0x11223345u);
    EXPECT_EQ(p.entry(kPage), 0x60000 | P | W | U | A | D);
    EXPECT_EQ(p.entry(kNext), 0x70000 | P | W | U | A | D);
}

TEST(Paging, AFaultInTheSecondPageChangesNothing)
{
    for (const auto& bytes : {kLoad, kStore, kAdd}) {
        Paged p{bytes, 3};
        p.map(kNext, kNext | P);
        p.reg(RBX) = kPage + 0xFFD;
        p.set<u32>(kPage + 0xFFC, 0xAABBCCDD);
        const u32 write = bytes == kLoad ? 0 : kWrite;
        EXPECT_EQ(p.page_fault(), static_cast<int>(kProtection | kUserAccess | write));
        EXPECT_EQ(p.cpu.state.cr2, kNext) << "the first byte that faults";
        EXPECT_EQ(p.get<u32>(kPage + 0xFFC), 0xAABBCCDDu);
        EXPECT_EQ(p.reg(RAX), 0x11223344u);
        EXPECT_EQ(p.error_flags() & kArithmeticFlags, 0u);
    }
}

TEST(Paging, AReadOnlySecondPageStopsAReadModifyWriteBeforeItsFlags)
{
    Paged p{{0xF7, 0x1B}, 3};  // neg dword [ebx]
    p.map(kNext, kNext | P | U);
    p.reg(RBX) = kPage + 0xFFE;
    p.set<u32>(kPage + 0xFFE, 1);
    EXPECT_EQ(p.page_fault(), static_cast<int>(kProtection | kUserAccess | kWrite));
    EXPECT_EQ(p.cpu.state.cr2, kNext) << "the first byte that faults (host processors)";
    EXPECT_EQ(p.get<u32>(kPage + 0xFFE), 1u);
    EXPECT_EQ(p.error_flags() & CF, 0u);
}

TEST(Paging, APushThatFaultsLeavesEsp)
{
    Paged p{{0x50}};  // push eax
    p.map(kPage, 0);
    p.set_level(3);  // the handler's stack is elsewhere
    p.reg(RSP) = kPage + 0x1000;
    EXPECT_EQ(p.page_fault(), static_cast<int>(kUserAccess | kWrite));
    EXPECT_EQ(p.stack(4), kPage + 0x1000);
}

TEST(Paging, APopToMemoryThatFaultsLeavesEsp)
{
    Paged p{{0x8F, 0x03}, 3};  // pop dword [ebx]
    p.map(kPage, kPage | P | U);
    EXPECT_EQ(p.page_fault(), static_cast<int>(kProtection | kUserAccess | kWrite));
    EXPECT_EQ(p.stack(4), Program::kUserStack);
}

TEST(Paging, ACallThatFaultsDoesNotJump)
{
    Paged p{{0xE8, 0, 1, 0, 0}, 3};  // call +100h
    p.reg(RSP) = kNext;
    p.map(kPage, 0);
    EXPECT_EQ(p.page_fault(), static_cast<int>(kUserAccess | kWrite));
    EXPECT_EQ(p.error_ip(), Program::kCode);
}

TEST(Paging, EnterFaultsWithoutAnEffect)
{
    Paged p{{0xC8, 0x00, 0x10, 0x00},
            3};  // enter 1000h, 0: the frame's end lies in a page of its own
    p.reg(RSP) = kNext + 0x800;
    p.reg(RBP) = 0x1234;
    p.map(kPage, kPage | P | U);
    EXPECT_EQ(p.page_fault(), static_cast<int>(kProtection | kUserAccess | kWrite));
    EXPECT_EQ(p.stack(4), kNext + 0x800);
    EXPECT_EQ(p.reg(RBP), 0x1234u);
}

// ---- Code
// ----------------------------------------------------------------------------------------

TEST(Paging, FetchFaultsNameThePageThatIsMissing)
{
    // nop at the end of a page, and nothing behind it
    Paged p{{0x90}};
    p.code(kPage + 0xFFF, {0x90});
    p.map(kNext, 0);
    p.cpu.state.rip = kPage + 0xFFF;
    p.step(2);
    EXPECT_EQ(p.ip(), Program::kHandlers + 16 * 14);
    EXPECT_EQ(p.error_ip(), kNext);
    EXPECT_EQ(p.cpu.state.cr2, kNext);
    EXPECT_EQ(p.error_code(), 0u);
}

TEST(Paging, AnInstructionAcrossPagesFaultsAtItsStart)
{
    Paged p{{0x90}, 3};
    p.code(kPage + 0xFFE, {0xB8, 0x01, 0x02, 0x03, 0x04});  // mov eax, 04030201h
    p.map(kNext, kNext | P | W);
    p.cpu.state.rip = kPage + 0xFFE;
    p.step();
    EXPECT_EQ(p.error_ip(), kPage + 0xFFE);
    EXPECT_EQ(p.cpu.state.cr2, kNext);
    EXPECT_EQ(p.error_code(), kProtection | kUserAccess);
    EXPECT_EQ(p.reg(RAX), 0x11223344u);
}

TEST(Paging, AnInstructionAtTheEndOfAPageDoesNotTouchTheNext)
{
    Paged p{{0x90}};
    p.code(kPage + 0xFFE, {0xEB, 0x00});  // jmp +0
    p.map(kNext, 0);
    p.cpu.state.cr2 = 0x1234;
    p.cpu.state.rip = kPage + 0xFFE;
    p.step();
    EXPECT_EQ(p.ip(), kNext);
    EXPECT_EQ(p.cpu.state.cr2, 0x1234u);

    // The same if it is undefined there: #UD, not #PF.
    Paged q{{0x90}};
    q.code(kPage + 0xFFE, {0x0F, 0x0B});  // ud2
    q.map(kNext, 0);
    q.cpu.state.cr2 = 0x1234;
    q.cpu.state.rip = kPage + 0xFFE;
    q.step();
    EXPECT_EQ(q.ip(), Program::kHandlers + 16 * 6);
    EXPECT_EQ(q.cpu.state.cr2, 0x1234u);
}

TEST(Paging, CodeAcrossPagesFollowsTheMappingOfTheSecond)
{
    // mov al, imm8 with the immediate in the next page, in a loop that maps another page there
    Paged p{{0x90}};
    constexpr u32 kLoop = kPage + 0xFFF;
    p.code(kLoop, {0xB0});
    p.code(0x60000, {0x01, 0xC3});
    p.code(0x70000, {0x02, 0xC3});
    p.code({0xE8, 0, 0, 0, 0, 0xE8, 0, 0, 0, 0});  // call kLoop, twice
    p.set<u32>(Program::kCode + 1, kLoop - (Program::kCode + 5));
    p.set<u32>(Program::kCode + 6, kLoop - (Program::kCode + 10));
    p.map(kNext, 0x60000 | P | W | U);
    p.step(3);
    EXPECT_EQ(p.reg(RAX) & 0xFF, 1u);
    p.map(kNext, 0x70000 | P | W | U);
    p.cpu.state_loaded();  // as MOV CR3 would
    p.step(3);
    EXPECT_EQ(p.reg(RAX) & 0xFF, 2u);
}

// ---- The TLB
// ---------------------------------------------------------------------------------------

TEST(Paging, InvlpgMakesAChangedEntryVisible)
{
    // mov eax, [ebx]; mov dword [edx], esi; invlpg [ebx]; mov ecx, [ebx]
    Paged p{{0x8B, 0x03, 0x89, 0x32, 0x0F, 0x01, 0x3B, 0x8B, 0x0B}};
    p.set<u32>(kPage, 1);
    p.set<u32>(0x60000, 2);
    p.reg(RDX) = Program::pte(kPage);
    p.reg(RSI) = 0x60000 | P | W | U;
    p.step(4);
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.reg(RCX), 2u);
}

TEST(Paging, InvlpgReachesCodeInALoop)
{
    // The body is called once through the old mapping and once through the new one.
    Paged p{{0xFF, 0xD3,                  // call ebx
             0x89, 0x32,                  // mov [edx], esi
             0x0F, 0x01, 0x3B,            // invlpg [ebx]
             0xFF, 0xD3}};                // call ebx
    p.code(kPage, {0xB1, 0x01, 0xC3});    // mov cl, 1; ret
    p.code(0x60000, {0xB5, 0x02, 0xC3});  // mov ch, 2; ret
    p.reg(RDX) = Program::pte(kPage);
    p.reg(RSI) = 0x60000 | P | W | U;
    p.step(9);
    EXPECT_EQ(p.reg(RCX), 0x0201u);
}

TEST(Paging, LoadingCr3FlushesEverything)
{
    // A second directory maps kPage elsewhere.
    Paged p{{0x8B, 0x03, 0x0F, 0x22, 0xDA, 0x8B,
             0x0B}};  // mov eax, [ebx]; mov cr3, edx; mov ecx, [ebx]
    constexpr u32 kOther = 0x110000;
    p.set<u32>(kOther, 0x111000 | P | W | U);
    for (u32 page = 0; page < 1024; ++page) p.set<u32>(0x111000 + page * 4, page << 12 | P | W | U);
    p.set<u32>(0x111000 + (kPage >> 12) * 4, 0x60000 | P);
    p.set<u32>(kPage, 1);
    p.set<u32>(0x60000, 2);
    p.reg(RDX) = kOther;
    p.step(3);
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.reg(RCX), 2u);
}

TEST(Paging, ANotPresentEntryIsNeverRemembered)
{
    // The handler maps the page and returns; no INVLPG is needed (SDM vol. 3A, 4.10.4.3).
    Paged p{kLoad};
    p.map(kPage, 0);
    p.set<u32>(kPage, 0x55AA);
    // mov dword [edx], esi; add esp, 4; iret
    p.code(Program::kHandlers + 16 * 14, {0x89, 0x32, 0x83, 0xC4, 0x04, 0xCF});
    p.reg(RDX) = Program::pte(kPage);
    p.reg(RSI) = kPage | P | W | U;
    p.step(5);
    EXPECT_EQ(p.reg(RAX), 0x55AAu);
    EXPECT_EQ(p.ip(), Program::kCode + 2);
}

TEST(Paging, MoreRightsNeedNoFlush)
{
    // A write fault's handler sets W in the entry that a read has cached.
    Paged p{{0x8B, 0x0B, 0x89, 0x03}, 3};  // mov ecx, [ebx]; mov [ebx], eax
    p.map(kPage, kPage | P | U);
    p.step(2);
    EXPECT_EQ(p.ip(), Program::kHandlers + 16 * 14);
    p.map(kPage, kPage | P | U | W);
    p.code(Program::kHandlers + 16 * 14, {0x83, 0xC4, 0x04, 0xCF});  // add esp, 4; iret
    p.step(3);
    EXPECT_EQ(p.get<u32>(kPage), 0x11223344u);
}

TEST(Paging, PageTablesMayMapThemselves)
{
    // The directory's last entry is the directory: tables appear at FFC00000.
    Paged p{{0x89, 0x33,        // mov [ebx], esi: the entry of kPage
             0x0F, 0x01, 0x3A,  // invlpg [edx]
             0x8B, 0x02}};      // mov eax, [edx]
    p.set<u32>(Program::kPageDirectory + 1023 * 4, Program::kPageDirectory | P | W);
    p.reg(RBX) = 0xFFC00000 + (kPage >> 12) * 4;
    p.reg(RSI) = 0x60000 | P | W;
    p.reg(RDX) = kPage;
    p.set<u32>(0x60000, 0x1234);
    p.step(3);
    EXPECT_EQ(p.reg(RAX), 0x1234u);
    EXPECT_EQ(p.entry(kPage), 0x60000 | P | W | A);
    EXPECT_TRUE(p.get<u32>(Program::pte(Program::kPageTable)) == (Program::kPageTable | P | W | U))
        << "the table's own page was not accessed by its linear address";
}

TEST(Paging, LinearAddressesWrapAroundAt4GB)
{
    Paged p{kStore};
    p.cpu.state.seg[DS].base = 0xFFFFFFF0;
    p.set<u32>(Program::kPageDirectory + 1023 * 4, 0x102000 | P | W | U);
    p.set<u32>(0x102000 + 1023 * 4, kPage | P | W | U);
    p.map(0, kNext | P | W | U);
    p.cpu.state_loaded();
    p.reg(RBX) = 0xE;
    EXPECT_EQ(p.page_fault(), -1);
    EXPECT_EQ(p.get<u16>(kPage + 0xFFE), 0x3344);
    EXPECT_EQ(p.get<u16>(kNext), 0x1122);
}

TEST(Paging, TurningPagingOffUsesPhysicalAddressesAtOnce)
{
    // mov eax, [ebx]; mov cr0, edx; mov ecx, [ebx]
    Paged p{{0x8B, 0x03, 0x0F, 0x22, 0xC2, 0x8B, 0x0B}};
    p.map(kPage, 0x60000 | P | W);
    p.set<u32>(0x60000, 1);
    p.set<u32>(kPage, 2);
    p.reg(RDX) = p.cpu.state.cr0 & ~u64{kCr0Pg};
    p.step(3);
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.reg(RCX), 2u);
}

TEST(Paging, A386IgnoresWp)
{
    Paged p{{0x0F, 0x22, 0xC2, 0x89, 0x03}, 0, "80386"};  // mov cr0, edx; mov [ebx], eax
    p.map(kPage, kPage | P);
    p.reg(RDX) = p.cpu.state.cr0 | kCr0Wp;
    p.step(2);
    EXPECT_EQ(p.get<u32>(kPage), 0x11223344u);
}

TEST(Paging, AFaultWhileDeliveringAPageFaultIsADoubleFault)
{
    // The stack of the level 0 handler is not mapped: #PF, then #DF on the same stack: shutdown.
    Paged p{kLoad, 3};
    p.map(kPage, 0);
    p.map(Program::kStack - 0x1000, 0);
    p.run(20);
    EXPECT_TRUE(p.bus.was_shut_down);
    EXPECT_TRUE(p.cpu.state.shutdown);
}

TEST(Paging, StringsFaultInTheMiddleWithTheirRegistersThere)
{
    Paged p{{0xF3, 0xA5}, 3};  // rep movsd
    p.reg(RSI) = 0x60000;
    p.reg(RDI) = kPage + 0xFF0;
    p.reg(RCX) = 16;
    p.map(kNext, 0);
    for (u32 i = 0; i < 16; ++i) p.set<u32>(0x60000 + 4 * i, i + 1);
    p.step(5);
    EXPECT_EQ(p.ip(), Program::kHandlers + 16 * 14);
    EXPECT_EQ(p.cpu.state.cr2, kNext);
    EXPECT_EQ(p.reg(RCX), 12u);
    EXPECT_EQ(p.reg(RSI), 0x60010u);
    EXPECT_EQ(p.reg(RDI), kNext);
    EXPECT_EQ(p.error_ip(), Program::kCode);
    EXPECT_EQ(p.get<u32>(kPage + 0xFFC), 4u);
}

}  // namespace
}  // namespace reprise
