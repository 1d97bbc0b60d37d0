#include "frontend/stop_signal.h"

#include <csignal>
#include <initializer_list>

namespace reprise {

namespace {

volatile std::sig_atomic_t g_stop_requested = 0;  // a signal handler can reach nothing else

void request_stop(int signal)
{
    g_stop_requested = 1;
    std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_stop_signals()
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, request_stop);
    std::signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() { return g_stop_requested != 0; }

}  // namespace reprise
