/// Files that are not what they should be. Every one of them is refused with a sentence.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>

#include "machine/disk_image.h"
#include "machine/savestate.h"
#include "machine/savestate_file.h"
#include "tests/machine/host_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

std::string image_refusal(const std::string& path, std::optional<ImageKind> kind = {})
{
    const std::string inspected = error_of([&] { inspect_image(path, kind); });
    EXPECT_EQ(error_of([&] { DiskImage image(path, {.kind = kind, .read_only = true}); }),
              inspected);
    return inspected;
}

std::string savestate_refusal(const std::string& path)
{
    return error_of([&] { SavestateFile::read(path); });
}

SavestateFile example_file()
{
    SavestateFile file;
    file.identity = {1, 2, 0};
    std::vector<u8> ram(64 * 4096);
    std::mt19937 random(7);
    for (std::size_t i = 5 * 4096; i < 6 * 4096; ++i) ram[i] = static_cast<u8>(random());
    std::fill_n(ram.begin() + 8 * 4096, 4096 * 20, u8{0x90});
    file.add_chunk("config", {'a', '=', '1'});
    file.add_chunk("ram", pack_pages(ram));
    file.add_chunk("note", std::vector<u8>(500, 'x'), SavestateFile::Need::Optional);
    return file;
}

const std::vector<std::string_view> kChunks = {"config", "ram", "note"};

/// zstd has bits that mean nothing, so damage there may go unnoticed if it changes nothing.
bool refused_or_unchanged(const std::string& path, const SavestateFile& original,
                          const std::vector<std::string_view>& chunks)
{
    try {
        const SavestateFile file = SavestateFile::read(path);
        return file.identity == original.identity &&
               std::ranges::all_of(chunks, [&](std::string_view name) {
                   return file.chunk(name) == original.chunk(name);
               });
    } catch (const HostError&) {
        return true;
    }
}

void store(std::vector<u8>& bytes, std::size_t at, u64 value, std::size_t size)
{
    for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<u8>(value >> 8 * i);
}

constexpr std::size_t kFirstChunk = 64, kHeader = 48;

/// The file with its first chunk's header changed, and the header's checksum made right again.
std::vector<u8> forged(std::vector<u8> bytes, std::size_t field, u64 value)
{
    store(bytes, kFirstChunk + field, value, 8);
    const std::size_t size = kHeader + std::string_view("config").size();
    const u64 hash = hash_bytes(std::span(bytes).subspan(kFirstChunk, size));
    store(bytes, kFirstChunk + size, hash, 8);
    return bytes;
}

}  // namespace

TEST(BadImage, MissingDirectoryAndEmptyAreNamed)
{
    TemporaryFolder folder;
    EXPECT_EQ(
        image_refusal(folder / "none.img"),
        "cannot open '" + (folder / "none.img") + "': No such file or directory; check the path");
    EXPECT_EQ(image_refusal(folder.path()),
              "'" + folder.path() + "' is a directory; name an image file in it");
    EXPECT_EQ(image_refusal(folder.zeros("empty.img", 0)),
              "'" + (folder / "empty.img") +
                  "' is empty; make an image with, for example, "
                  "'truncate -s 100M' first");
    EXPECT_EQ(image_refusal("/dev/full"),
              "'/dev/full' is neither a file nor a disk; name an image file");
    EXPECT_EQ(image_refusal(""), "cannot open '': No such file or directory; check the path");
    folder.text("file", "x");
    EXPECT_EQ(image_refusal(folder / "file/in"),
              "cannot open '" + (folder / "file/in") + "': Not a directory; check the path");
}

TEST(BadImage, AFifoDoesNotBlock)
{
    TemporaryFolder folder;
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    EXPECT_NE(image_refusal(folder / "fifo"), "");
}

TEST(BadImage, UnreadableIsNamed)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("disk.img", 4 << 20);
    std::filesystem::permissions(path, std::filesystem::perms::none);
    const AsNobody nobody;
    EXPECT_EQ(image_refusal(path),
              "cannot open '" + path + "': Permission denied; check its permissions");
    EXPECT_EQ(error_of([&] { DiskImage image(path, {.kind = ImageKind::HardDisk}); }),
              "cannot open '" + path + "': Permission denied; check its permissions");
}

TEST(BadImage, AHardDiskThatWasCutOffIsRefused)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("disk.img", 16'515'072 - 100);
    EXPECT_EQ(image_refusal(path),
              "'" + path +
                  "' has 16514972 bytes, which is not a whole number of 512-byte sectors; "
                  "it may have been cut off");
}

TEST(BadImage, TooLargeForAFloppyIsRefused)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("disk.img", 16'515'072);
    EXPECT_EQ(image_refusal(path, ImageKind::Floppy),
              "'" + path +
                  "' has 16515072 bytes, too many for a floppy; it may be a hard disk or "
                  "CD image");
}

TEST(BadImage, ContainersAndArchivesGetAdvice)
{
    TemporaryFolder folder;
    std::string qcow = std::string("QFI\xFB\0\0\0\3", 8) + std::string(100'000, 'x');
    EXPECT_EQ(image_refusal(folder.text("a.img", qcow)),
              "'" + (folder / "a.img") +
                  "' is a QCOW image; only raw images can be used: convert "
                  "it with 'qemu-img convert -O raw'");
    const std::string gzip = "\x1F\x8B\x08" + std::string(1000, 'x');
    EXPECT_EQ(image_refusal(folder.text("a.img.gz", gzip)),
              "'" + (folder / "a.img.gz") +
                  "' is compressed by gzip; only raw images can be used: "
                  "unpack it first");
}

TEST(BadImage, OfRandomBytesNeverCrashes)
{
    TemporaryFolder folder;
    std::mt19937 random(99);
    for (int i = 0; i < 2000; ++i) {
        const std::size_t size = i % 2 ? 1 + random() % 2000 : 512 * (1 + random() % 200);
        std::vector<u8> bytes(size);
        for (u8& byte : bytes) byte = static_cast<u8>(random() % 4 ? random() : 0);
        if (size >= 512 && i % 3) {  // as plausible as possible
            bytes[510] = 0x55;
            bytes[511] = 0xAA;
            bytes[446] = bytes[462] = bytes[478] = bytes[494] = 0;
            if (i % 5 == 0) bytes[0] = 0xE9, bytes[0x0B] = 0, bytes[0x0C] = 2;
        }
        const std::string path = folder.file("x.img", bytes);
        for (const auto kind : {ImageKind::Floppy, ImageKind::HardDisk, ImageKind::Cdrom}) {
            try {
                const ImageInfo info = inspect_image(path, kind);
                EXPECT_GE(info.size_bytes, size);
                EXPECT_LE(info.geometry.total() * 512, info.size_bytes);
            } catch (const HostError&) {
            }
        }
    }
}

TEST(BadSavestate, ForeignFilesAreRefused)
{
    TemporaryFolder folder;
    const std::string foreign = folder.text("a.state", "this is a text, and not a savestate");
    EXPECT_EQ(savestate_refusal(foreign),
              "cannot load '" + foreign + "': it is not a savestate of Reprise");
    EXPECT_EQ(savestate_refusal(folder.zeros("empty", 0)),
              "cannot load '" + (folder / "empty") + "': it is not a savestate of Reprise");
    EXPECT_EQ(savestate_refusal(folder / "none"),
              "cannot read savestate '" + (folder / "none") + "': No such file or directory");
    EXPECT_EQ(savestate_refusal(folder.path()),
              "cannot read savestate '" + folder.path() + "': it is not a regular file");
    EXPECT_FALSE(is_savestate(foreign));
    EXPECT_FALSE(is_savestate(folder / "none"));
    EXPECT_FALSE(is_savestate(folder.path()));
    EXPECT_FALSE(is_savestate(folder / "empty"));
}

TEST(BadSavestate, AnotherVersionIsNamed)
{
    TemporaryFolder folder;
    const std::string path = folder / "a.state";
    example_file().write(path);
    std::vector<u8> bytes = contents(path);
    bytes[8] = 9;
    EXPECT_EQ(savestate_refusal(folder.file("a.state", bytes)),
              "cannot load '" + path + "': its format version is 9; this program reads version 2");
}

TEST(BadSavestate, CutOffAnywhereIsRefused)
{
    TemporaryFolder folder;
    example_file().write(folder / "a.state");
    const std::vector<u8> bytes = contents(folder / "a.state");
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const std::string path = folder.file("cut.state", std::span(bytes).first(size));
        EXPECT_NE(savestate_refusal(path), "") << size;
    }
    std::vector<u8> longer = bytes;
    longer.push_back(0);
    EXPECT_NE(savestate_refusal(folder.file("long.state", longer)).find("something follows"),
              std::string::npos);
}

TEST(BadSavestate, NoFlippedBitChangesWhatIsLoaded)
{
    TemporaryFolder folder;
    const SavestateFile original = example_file();
    example_file().write(folder / "a.state");
    const std::vector<u8> bytes = contents(folder / "a.state");
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::vector<u8> damaged = bytes;
        damaged[i] = static_cast<u8>(damaged[i] ^ 1 << i % 8);
        EXPECT_TRUE(refused_or_unchanged(folder.file("bad.state", damaged), original, kChunks))
            << i;
    }
}

TEST(BadSavestate, SaysWhatIsDamagedAndWhere)
{
    TemporaryFolder folder;
    example_file().write(folder / "a.state");
    std::vector<u8> bytes = contents(folder / "a.state");
    const std::size_t content = kFirstChunk + kHeader + 6 + 8;
    bytes[content] ^= 0xFF;
    const std::string path = folder.file("bad.state", bytes);
    EXPECT_EQ(savestate_refusal(path),
              "cannot load '" + path + "': the savestate is damaged at byte " +
                  std::to_string(content + 3) + ": the checksum of chunk 'config' is wrong");
}

TEST(BadSavestate, LengthsThatLieAreRefusedWithoutAllocating)
{
    TemporaryFolder folder;
    example_file().write(folder / "a.state");
    const std::vector<u8> bytes = contents(folder / "a.state");
    for (const u64 value : {u64{0}, u64{4}, u64{1} << 20, u64{1} << 32, u64{1} << 62, ~u64{0}})
        for (const std::size_t field : {8, 16}) {
            const std::string path = folder.file("bad.state", forged(bytes, field, value));
            EXPECT_NE(savestate_refusal(path), "") << field << ' ' << value;
        }
    // Says that it is compressed, and is not.
    std::vector<u8> flags = forged(bytes, 0, u64{3} << 32 | 0x4B4E4843);
    EXPECT_NE(savestate_refusal(folder.file("bad.state", flags)), "");
}

TEST(BadSavestate, ForgedContentsNeverCrashTheReaders)
{
    struct Never {
        static void load(std::span<const u8> bytes)
        {
            std::vector<u8> ram(64 * 4096), queue;
            try {
                unpack_pages(bytes, ram);
            } catch (const HostError&) {
            }
            try {
                StateReader reader(bytes);
                walk_resizable(Path{"a"}, queue, reader);
                reader.finish();
            } catch (const HostError&) {
            }
            try {
                diff_states(bytes, bytes);
            } catch (const HostError&) {
            }
        }
    };
    std::vector<u8> queue{1, 2, 3};
    StateWriter writer;
    walk_resizable(Path{"a"}, queue, writer);
    const std::vector<std::vector<u8>> seeds{writer.saved, example_file().chunk("ram")};
    std::mt19937 random(5);
    for (int i = 0; i < 20'000; ++i) {
        std::vector<u8> bytes = seeds[i % 50 == 0 ? 1 : 0];
        for (u32 n = 1 + random() % 4; n > 0; --n) {
            const std::size_t at = random() % std::min<std::size_t>(bytes.size(), 64);
            bytes[at] = static_cast<u8>(random() % 2 ? random() : random() % 2 * 255);
        }
        if (i % 3 == 0) bytes.resize(random() % (bytes.size() + 1));
        Never::load(bytes);
    }
}

TEST(BadSavestate, RandomDamageNeverCrashesAndNeverLoads)
{
    TemporaryFolder folder;
    const SavestateFile original = example_file();
    example_file().write(folder / "a.state");
    const std::vector<u8> bytes = contents(folder / "a.state");
    std::mt19937 random(42);
    for (int i = 0; i < 5000; ++i) {
        std::vector<u8> damaged = bytes;
        for (u32 n = 1 + random() % 8; n > 0; --n)
            damaged[random() % damaged.size()] = static_cast<u8>(random());
        if (i % 4 == 0) damaged.resize(random() % damaged.size());
        if (damaged == bytes) continue;
        EXPECT_TRUE(refused_or_unchanged(folder.file("bad.state", damaged), original, kChunks))
            << i;
    }
}

TEST(BadSavestate, DamagedCompressionBehindRightChecksumsIsRefused)
{
    TemporaryFolder folder;
    SavestateFile original;
    std::vector<u8> text;
    for (int i = 0; i < 3000; ++i) text.push_back(static_cast<u8>(i * i >> 6));
    original.add_chunk("config", text);
    original.write(folder / "a.state");
    const std::vector<u8> bytes = contents(folder / "a.state");
    const std::size_t content = kFirstChunk + kHeader + 6 + 8, end = bytes.size() - kHeader - 8;
    std::mt19937 random(3);
    for (int i = 0; i < 5000; ++i) {
        std::vector<u8> damaged = bytes;
        for (u32 n = 1 + random() % 3; n > 0; --n)
            damaged[content + random() % (end - content)] = static_cast<u8>(random());
        if (damaged == bytes) continue;
        EXPECT_TRUE(refused_or_unchanged(folder.file("bad.state", damaged), original, {"config"}))
            << i;
    }
}
