/// Ends a fuzzer whose present case hangs, and says which.
#pragma once

#include <fmt/format.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string_view>

#include "machine/base/types.h"

namespace reprise::fuzz {

class Watchdog {
public:
    /// `what`: a case's name, before its number. The limit is the processor's time, which other
    /// programs do not take away; everybody's time only ends what sleeps.
    Watchdog(std::string_view what, unsigned cpu_seconds) : cpu_seconds_(cpu_seconds)
    {
        what_ = what;
        std::signal(SIGALRM, on_alarm);
        std::signal(SIGPROF, on_alarm);
    }
    ~Watchdog() { set(0); }
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    void watch(u64 number)
    {
        number_ = number;
        set(cpu_seconds_);
    }

private:
    static constexpr unsigned kPatience = 20;  // everybody's seconds for one of the processor's

    static void on_alarm(int)
    {
        const std::string text = fmt::format("{} {} hangs\n", what_, number_);
        static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
        std::abort();
    }

    static void set(unsigned cpu_seconds)
    {
        itimerval timer{};
        timer.it_value.tv_sec = cpu_seconds;
        ::setitimer(ITIMER_PROF, &timer, nullptr);
        ::alarm(cpu_seconds * kPatience);
    }

    const unsigned cpu_seconds_;
    static inline std::string_view what_;
    static inline u64 number_ = 0;
};

}  // namespace reprise::fuzz
