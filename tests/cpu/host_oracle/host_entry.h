/// The way into a test and out of it again, in assembly language: between the two nothing of this
/// program's registers is left, not even FS, which its thread-local variables are found through.
#pragma once

#if defined(__x86_64__) && defined(__linux__)

#include <signal.h>
#include <ucontext.h>

#include "machine/base/types.h"

namespace reprise::oracle {

/// What sigreturn does not load.
struct EntryRegisters {
    u64 frame;  // of the signal: rt_sigreturn's RSP
    u64 set_bases;
    u64 fs_base, gs_base;
    u16 ds, es, fs, gs;
};

/// What the handler saw, and the data segment registers then.
struct Exit {
    u16 ds, es, fs, gs;
    int signal;
    ucontext_t* context;
};

}  // namespace reprise::oracle

extern "C" {
/// Starts the test; comes back when the test has ended in a signal.
void reprise_oracle_enter(const reprise::oracle::EntryRegisters* entry);
/// The handler of every signal that ends a test. Never called.
void reprise_oracle_handler(int, siginfo_t*, void*);
/// Fills in `reprise_oracle_exit`; on the alternate stack.
extern reprise::oracle::Exit reprise_oracle_exit;
extern reprise::u64 reprise_oracle_fs_base;  // of this program
}

#endif
