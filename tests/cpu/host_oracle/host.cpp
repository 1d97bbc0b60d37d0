#include "tests/cpu/host_oracle/host.h"

#if defined(__x86_64__) && defined(__linux__)

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

#include "tests/cpu/host_oracle/host_entry.h"

namespace reprise::oracle {

namespace {

constexpr std::size_t kStackBytes = 1 << 16;
alignas(64) std::array<u8, kStackBytes> g_signal_stack;

/// What rt_sigreturn takes: arch/x86/include/asm/sigframe.h, struct rt_sigframe, from `uc` on.
struct Frame {
    ucontext_t uc;
    alignas(64) FxImage fx;
};
alignas(64) Frame g_frame;

// arch/x86/include/uapi/asm/ucontext.h: SS is taken from the frame, whatever it is.
constexpr unsigned long kUcSigcontextSs = 2, kUcStrictRestoreSs = 4;

// The watchdog's, of processor time: a test that executes longer is one that should not have been
// made.
constexpr int kWatchdogSeconds = 10;
volatile u64 g_running_seed, g_watched_seed;

/// May run with any FS: no thread-local variables, no library.
__attribute__((no_stack_protector)) void watchdog(int)
{
    if (g_running_seed != 0 && g_running_seed == g_watched_seed) {
        char text[] =
            "host_oracle: a test does not end on the host: seed + number = 0x0000000000000000\n";
        char* digit = text + sizeof text - 3;
        for (u64 seed = g_running_seed; seed != 0; seed >>= 4)
            *digit-- = "0123456789abcdef"[seed & 15];
        long result = SYS_write;
        asm volatile("syscall"
                     : "+a"(result)
                     : "D"(2), "S"(text), "d"(sizeof text - 1)
                     : "rcx", "r11", "memory");
        asm volatile("syscall" : : "a"(SYS_exit_group), "D"(3));
    }
    g_watched_seed = g_running_seed;
}

/// REG_ names in the order of Gpr and R8..R15.
constexpr std::array<int, 16> kGregs = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                        REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                        REG_R12, REG_R13, REG_R14, REG_R15};

void make_frame(const TestCase& test)
{
    const Registers& r = test.start;
    ucontext_t& uc = g_frame.uc;
    uc.uc_flags = kUcSigcontextSs | kUcStrictRestoreSs;
    uc.uc_stack = {g_signal_stack.data(), 0, kStackBytes};
    greg_t* gregs = uc.uc_mcontext.gregs;
    for (std::size_t i = 0; i < 16; ++i) gregs[kGregs[i]] = static_cast<greg_t>(r.gpr[i]);
    gregs[REG_RIP] = static_cast<greg_t>(r.rip);
    gregs[REG_EFL] = r.eflags;
    gregs[REG_CSGSFS] = static_cast<greg_t>(u64{r.selector[CS]} | u64{r.selector[SS]} << 48);
    g_frame.fx = r.fx;
    // Without the magic number in the reserved bytes this is FXSAVE's image and nothing else.
    uc.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(&g_frame.fx);
}

Outcome read_exit()
{
    const Exit& exit = reprise_oracle_exit;
    const greg_t* gregs = exit.context->uc_mcontext.gregs;
    Outcome result;
    Registers& r = result.end;
    for (std::size_t i = 0; i < 16; ++i) r.gpr[i] = static_cast<u64>(gregs[kGregs[i]]);
    r.rip = static_cast<u64>(gregs[REG_RIP]);
    r.eflags = static_cast<u32>(gregs[REG_EFL]);
    const u64 selectors = static_cast<u64>(gregs[REG_CSGSFS]);
    r.selector = {
        exit.es, static_cast<u16>(selectors), static_cast<u16>(selectors >> 48), exit.ds, exit.fs,
        exit.gs};
    std::memcpy(static_cast<void*>(&r.fx), exit.context->uc_mcontext.fpregs, sizeof r.fx);
    result.vector = static_cast<int>(gregs[REG_TRAPNO]);
    result.error_code = static_cast<u32>(gregs[REG_ERR]);
    result.cr2 = static_cast<u64>(gregs[REG_CR2]);
    return result;
}

}  // namespace

Host::Host()
{
    area_error_ = map_area();
    if (!area_error_.empty()) return;
    ldt_error_ = install_ldt();
    install_handlers();
}

Host::~Host()
{
    if (alias_) munmap(alias_, kAreaBytes);
}

/// The code page is written through the alias: at its own address it may only be executed.
std::string Host::map_area()
{
    const int file = memfd_create("host_oracle", 0);
    if (file < 0 || ftruncate(file, kAreaBytes) != 0)
        return fmt::format("there is no memory for the tests ({})", std::strerror(errno));
    void* alias = mmap(nullptr, kAreaBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (alias == MAP_FAILED)
        return fmt::format("cannot map the test's memory ({})", std::strerror(errno));
    alias_ = static_cast<u8*>(alias);
    for (u32 i = 0; i < kPages.size(); ++i) {
        if (kPages[i] == PageKind::Hole) continue;
        const int protection = kPages[i] == PageKind::Data   ? PROT_READ | PROT_WRITE
                               : kPages[i] == PageKind::Code ? PROT_READ | PROT_EXEC
                                                             : PROT_READ;
        void* at = reinterpret_cast<void*>(u64{kArea} + i * kPageBytes);
        const void* page = mmap(at, kPageBytes, protection, MAP_SHARED | MAP_FIXED_NOREPLACE, file,
                                static_cast<off_t>(i) * kPageBytes);
        if (page != at)
            return fmt::format("the addresses {:X} to {:X} are not free ({})", kArea,
                               kArea + kAreaBytes - 1, std::strerror(errno));
    }
    close(file);
    return {};
}

std::string Host::install_ldt()
{
    for (unsigned i = 0; i < kLdtEntries; ++i) {
        const LdtEntry& e = kLdt[i];
        user_desc d{};
        d.entry_number = i;
        d.base_addr = e.base;
        d.limit = e.limit;
        d.seg_32bit = e.big;
        d.contents = e.contents & 3;
        d.read_exec_only = e.read_exec_only;
        d.limit_in_pages = e.pages;
        d.seg_not_present = !e.present;
        constexpr int kWriteNew = 0x11;
        if (syscall(SYS_modify_ldt, kWriteNew, &d, sizeof d) != 0)
            return fmt::format("modify_ldt(2) is not permitted here ({})", std::strerror(errno));
    }
    return {};
}

void Host::install_handlers()
{
    syscall(SYS_arch_prctl, ARCH_GET_FS, &reprise_oracle_fs_base);
    const stack_t stack = {g_signal_stack.data(), 0, kStackBytes};
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_sigaction = reprise_oracle_handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    // The handler leaves its frame on the signal stack to read_exit. The next test's rt_sigreturn
    // lets the watchdog in again.
    sigaddset(&action.sa_mask, SIGPROF);
    for (const int signal : {SIGTRAP, SIGSEGV, SIGFPE, SIGILL, SIGBUS})
        sigaction(signal, &action, nullptr);
    struct sigaction alarm {};
    alarm.sa_handler = watchdog;
    alarm.sa_flags = SA_ONSTACK | SA_RESTART;
    sigaction(SIGPROF, &alarm, nullptr);
    const itimerval interval = {{kWatchdogSeconds, 0}, {kWatchdogSeconds, 0}};
    setitimer(ITIMER_PROF, &interval, nullptr);
}

std::string Host::refusal(Mode mode) const
{
    if (!area_error_.empty()) return area_error_;
    return mode == Mode::Bits64 ? "" : ldt_error_;
}

std::string Host::vendor()
{
    unsigned highest = 0;
    std::array<unsigned, 3> name{};
    __get_cpuid(0, &highest, &name[0], &name[2], &name[1]);
    return {reinterpret_cast<const char*>(name.data()), sizeof name};
}

Outcome Host::run(const TestCase& test)
{
    make_frame(test);
    const Registers& r = test.start;
    const EntryRegisters entry = {reinterpret_cast<u64>(&g_frame),
                                  test.mode == Mode::Bits64,
                                  test.fs_base,
                                  test.gs_base,
                                  r.selector[DS],
                                  r.selector[ES],
                                  r.selector[FS],
                                  r.selector[GS]};
    g_running_seed = test.seed;
    reprise_oracle_enter(&entry);
    g_running_seed = 0;
    return read_exit();
}

}  // namespace reprise::oracle

#else

namespace reprise::oracle {

Host::Host() : area_error_("this host is no x86-64 with Linux") {}
Host::~Host() = default;
std::string Host::refusal(Mode) const { return area_error_; }
std::string Host::vendor() { return {}; }
Outcome Host::run(const TestCase&) { return {}; }

}  // namespace reprise::oracle

#endif
