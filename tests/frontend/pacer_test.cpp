#include "frontend/pacer.h"

#include <gtest/gtest.h>

namespace reprise {
namespace {

/// A host whose clock stands still unless told, and a guest that is as fast as asked.
struct Host {
    Pacer pacer;
    HostTime now = 5 * kSecond;
    Time guest = 0;

    /// Lets a host second pass in steps of a millisecond. `cost` is host time per guest time.
    void run_second(double cost)
    {
        const HostTime end = now + kSecond;
        while (now < end) {
            const Time goal = pacer.goal(now, guest);
            if (goal <= guest) {
                now += kMillisecond;
                continue;
            }
            const auto busy = static_cast<HostTime>(static_cast<double>(goal - guest) * cost);
            pacer.ran(now, now + busy, goal - guest);
            now += busy;
            guest = goal;
        }
    }
};

TEST(Pacer, RealTimeIsKept)
{
    Host host;
    host.run_second(0.1);
    EXPECT_NEAR(static_cast<double>(host.guest), 1e9, 5e6);
    EXPECT_NEAR(host.pacer.measured_percent(), 100, 2);
}

TEST(Pacer, ASpeedScalesGuestTime)
{
    Host host;
    host.pacer.set_speed(250);
    host.run_second(0.1);
    EXPECT_NEAR(static_cast<double>(host.guest), 2.5e9, 1e7);
}

TEST(Pacer, AGuestThatIsTooSlowIsNotHurriedAfterwards)
{
    Host host;
    host.run_second(2.0);  // the host manages half the speed
    const Time slow = host.guest;
    EXPECT_NEAR(static_cast<double>(slow), 0.5e9, 5e7);
    host.run_second(0.1);
    EXPECT_LT(host.guest - slow, kSecond + 120 * kMillisecond);
}

TEST(Pacer, WithoutALimitTheGuestTakesAllThereIs)
{
    Host host;
    host.pacer.set_speed(std::nullopt);
    host.run_second(0.01);
    EXPECT_GT(host.guest, 90 * kSecond);
}

TEST(Pacer, OneCallNeverTakesLong)
{
    Host host;
    host.pacer.set_speed(std::nullopt);
    host.run_second(5.0);
    EXPECT_LE(host.pacer.goal(host.now, host.guest) - host.guest, 4 * kMillisecond);
}

TEST(Pacer, APauseIsNotMadeUpFor)
{
    Host host;
    host.run_second(0.1);
    const Time before = host.guest;
    host.now += 60 * kSecond;
    host.pacer.restart();
    host.run_second(0.1);
    EXPECT_NEAR(static_cast<double>(host.guest - before), 1e9, 5e6);
}

}  // namespace
}  // namespace reprise
