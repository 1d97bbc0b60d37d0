#include "machine/overlay.h"

#include <gtest/gtest.h>

#include <random>

#include "machine/savestate.h"
#include "tests/machine/host_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

/// A base in memory that can fail.
class MemoryDevice : public BlockDevice {
public:
    explicit MemoryDevice(std::size_t size) : bytes(size)
    {
        for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<u8>(i * 7 + i / 512);
    }
    u64 size_bytes() const override { return bytes.size(); }
    bool read_only() const override { return true; }
    bool read(u64 offset, std::span<u8> out) override
    {
        std::ranges::fill(out, u8{0});
        if (broken || offset > bytes.size() || out.size() > bytes.size() - offset) return false;
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return true;
    }
    bool write(u64, std::span<const u8>) override
    {
        ADD_FAILURE() << "an overlay never writes to its base";
        return false;
    }
    bool flush() override { return true; }

    std::vector<u8> bytes;
    bool broken = false;
};

/// What an overlay saves, with any contents.
struct Forged {
    std::map<u64, OverlayImage::Block> blocks;
    void visit(auto& v) { v.resizable("blocks", blocks); }
};

std::unique_ptr<OverlayImage> overlay_of(std::size_t size)
{
    return std::make_unique<OverlayImage>(std::make_unique<MemoryDevice>(size));
}

}  // namespace

TEST(Overlay, BehavesLikeADiskAndLeavesTheBaseAlone)
{
    constexpr std::size_t kSize = 10 * 4096 + 1536;  // the last block is not complete
    const auto overlay = overlay_of(kSize);
    std::vector<u8> expected = MemoryDevice(kSize).bytes;
    std::mt19937 random(1);
    for (int i = 0; i < 2000; ++i) {
        const std::size_t offset = random() % kSize;
        const std::size_t size = random() % std::min<std::size_t>(kSize - offset + 1, 10'000);
        std::vector<u8> data(size);
        if (random() % 2) {
            for (u8& byte : data) byte = static_cast<u8>(random());
            ASSERT_TRUE(overlay->write(offset, data));
            std::ranges::copy(data, expected.begin() + static_cast<std::ptrdiff_t>(offset));
        } else {
            ASSERT_TRUE(overlay->read(offset, data));
            ASSERT_TRUE(std::equal(data.begin(), data.end(),
                                   expected.begin() + static_cast<std::ptrdiff_t>(offset)));
        }
    }
    EXPECT_EQ(dynamic_cast<MemoryDevice&>(overlay->base()).bytes, MemoryDevice(kSize).bytes);
}

TEST(Overlay, RefusesWhatLiesBeyondTheEnd)
{
    const auto overlay = overlay_of(8192);
    std::array<u8, 512> sector{};
    EXPECT_FALSE(overlay->write(8192, sector));
    EXPECT_FALSE(overlay->write(~u64{0} - 511, sector));
    EXPECT_FALSE(overlay->read(8192 - 511, sector));
    EXPECT_TRUE(overlay->blocks().empty());
}

TEST(Overlay, FailsWhenTheBaseCannotBeRead)
{
    const auto overlay = overlay_of(8192);
    dynamic_cast<MemoryDevice&>(overlay->base()).broken = true;
    std::array<u8, 512> sector{};
    EXPECT_FALSE(overlay->write(0, sector));
    EXPECT_FALSE(overlay->read(0, sector));
    const OverlayImage::Block block{};
    EXPECT_TRUE(overlay->write(4096, block));  // a whole block needs nothing from the base
}

TEST(Overlay, IsPartOfASavestate)
{
    const auto original = overlay_of(64 << 10);
    const std::array<u8, 4> data{1, 2, 3, 4};
    ASSERT_TRUE(original->write(4094, data));
    ASSERT_TRUE(original->write(50'000, data));

    StateWriter writer;
    writer.save("hda", *original);
    const auto resumed = overlay_of(64 << 10);
    ASSERT_TRUE(resumed->write(20'000, data));  // loading replaces everything
    StateReader reader(writer.saved);
    reader.load("hda", *resumed);
    reader.finish();
    EXPECT_EQ(resumed->blocks(), original->blocks());
    EXPECT_EQ(state_hash(*resumed), state_hash(*original));
    ASSERT_TRUE(resumed->write(50'000, std::array<u8, 1>{9}));
    EXPECT_NE(state_hash(*resumed), state_hash(*original));
}

TEST(Overlay, IgnoresBlocksBeyondTheEndThatAForgedSavestateBrings)
{
    Forged forged;
    forged.blocks[~u64{0}].fill(1);
    forged.blocks[u64{1} << 52].fill(1);
    StateWriter writer;
    writer.save("hda", forged);
    const auto overlay = overlay_of(8192);
    StateReader(writer.saved).load("hda", *overlay);
    std::vector<u8> all(8192);
    EXPECT_TRUE(overlay->read(0, all));
    EXPECT_EQ(all, MemoryDevice(8192).bytes);
}

TEST(OpenMedium, SnapshotWritesNeverReachTheFile)
{
    TemporaryFolder folder;
    DriveConfig drive;
    drive.path = folder.zeros("disk.img", 4 << 20);
    drive.snapshot = true;
    Medium medium = open_medium(drive, ImageKind::HardDisk);
    Medium other = open_medium(drive, ImageKind::HardDisk);  // snapshots share the file
    ASSERT_NE(medium.overlay, nullptr);
    EXPECT_FALSE(medium.device->read_only());
    EXPECT_TRUE(medium.device->write(0, std::array<u8, 1>{1}));
    EXPECT_EQ(contents(drive.path), std::vector<u8>(4 << 20));
}

TEST(OpenMedium, TakesTheGeometryAskedForIfItFits)
{
    TemporaryFolder folder;
    DriveConfig drive;
    drive.path = folder.zeros("disk.img", 306 * 4 * 17 * 512);
    drive.geometry = Geometry{306, 4, 17};
    EXPECT_EQ(open_medium(drive, ImageKind::HardDisk).info.geometry, (Geometry{306, 4, 17}));
    drive.geometry = Geometry{307, 4, 17};
    EXPECT_EQ(error_of([&] { open_medium(drive, ImageKind::HardDisk); }),
              "'" + drive.path +
                  "' has 20808 sectors; the geometry that was asked for, 307 x 4 x "
                  "17, does not fit in");
    drive.geometry = Geometry{0, 4, 17};
    EXPECT_NE(error_of([&] { open_medium(drive, ImageKind::HardDisk); }), "");
}
