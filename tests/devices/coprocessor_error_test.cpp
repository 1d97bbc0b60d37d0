/// The PIIX3's coprocessor error logic: Intel 290550, "Coprocessor Error Register", and IGNNE#.
#include <gtest/gtest.h>

#include "devices/pci/piix3.h"

namespace reprise {
namespace {

struct Board {
    CoprocessorError chip;
    bool irq13 = false, ignne = false;

    Board()
    {
        chip.on_irq = [this](bool level) { irq13 = level; };
        chip.on_ignne = [this](bool level) { ignne = level; };
    }
};

TEST(CoprocessorError, FerrRequestsTheInterruptUntilTheRegisterIsWritten)
{
    Board b;
    b.chip.set_ferr(true);
    EXPECT_TRUE(b.irq13);
    EXPECT_FALSE(b.ignne);
    b.chip.write(0, 0);
    EXPECT_FALSE(b.irq13);
    EXPECT_TRUE(b.ignne);
}

TEST(CoprocessorError, IgnneEndsWithFerr)
{
    Board b;
    b.chip.set_ferr(true);
    b.chip.write(0, 0);
    b.chip.set_ferr(false);
    EXPECT_FALSE(b.ignne);
}

TEST(CoprocessorError, WithoutFerrTheRegisterDoesNotAssertIgnne)
{
    Board b;
    b.chip.write(0, 0);
    EXPECT_FALSE(b.ignne);
}

TEST(CoprocessorError, ResetReleasesBoth)
{
    Board b;
    b.chip.set_ferr(true);
    b.chip.reset();
    EXPECT_FALSE(b.irq13);
    EXPECT_FALSE(b.ignne);
}

}  // namespace
}  // namespace reprise
