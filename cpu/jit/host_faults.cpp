#include "cpu/jit/host_faults.h"

#include <signal.h>
#include <ucontext.h>

#include <utility>

namespace reprise::jit {

namespace {

// A signal's handler has no argument of ours: this is all it can know.
thread_local FaultHandler* current = nullptr;
struct sigaction previous{};

constexpr greg_t kWriteBit = 2;  // of a page fault's error code (SDM vol. 3A, 4.7)

void pass_on(int signal, siginfo_t* info, void* context)
{
    if (previous.sa_flags & SA_SIGINFO) return previous.sa_sigaction(signal, info, context);
    const bool was_sent = info->si_code <= 0;  // by kill() or its like
    if (previous.sa_handler == SIG_IGN && was_sent) return;
    if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
        return previous.sa_handler(signal);
    // The instruction faults again, and this time the host does what it always does.
    sigaction(SIGSEGV, &previous, nullptr);
    if (was_sent) raise(signal);
}

void on_fault(int signal, siginfo_t* info, void* context)
{
    greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    if (current && info->si_code > 0) {
        const u8* out =
            current->way_out(reinterpret_cast<const u8*>(registers[REG_RIP]),
                             static_cast<const u8*>(info->si_addr), registers[REG_ERR] & kWriteBit);
        if (out) {
            registers[REG_RIP] = reinterpret_cast<greg_t>(out);
            return;
        }
    }
    pass_on(signal, info, context);
}

bool install()
{
    struct sigaction action{};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGSEGV, nullptr, &previous) == 0 && sigaction(SIGSEGV, &action, nullptr) == 0;
}

}  // namespace

FaultScope::FaultScope(FaultHandler& handler) : outer_(std::exchange(current, &handler)) {}
FaultScope::~FaultScope() { current = outer_; }

bool handle_faults()
{
    static const bool installed = install();
    return installed;
}

}  // namespace reprise::jit
