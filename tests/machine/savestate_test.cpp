#include "machine/savestate.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <random>

#include "machine/savestate_file.h"
#include "tests/machine/host_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

enum class Mode : u8 { Idle, Busy };

struct Channel {
    u16 count = 0;
    i32 offset = 0;
    Mode mode = Mode::Idle;

    constexpr void visit(auto& v)
    {
        v("count", count);
        v("offset", offset);
        v("mode", mode);
    }
};
static_assert(visits_every_member<Channel>);

struct Chip {
    std::array<Channel, 2> channel{};
    bool enabled = false;
    u64 since = 0;
    std::array<u8, 16> buffer{};
    std::vector<u8> queue;

    constexpr void visit(auto& v)
    {
        v("channel", channel);
        v("enabled", enabled);
        v("since", since);
        v.bytes("buffer", buffer);
        v.resizable("queue", queue);
    }
};
static_assert(visits_every_member<Chip>);

/// What cannot be checked at compile time works as well.
struct Containers {
    std::deque<Channel> channels;
    std::map<u32, u16> numbers;
    std::optional<Channel> pending;
    std::string name;

    void visit(auto& v)
    {
        v.resizable("channels", channels);
        v.resizable("numbers", numbers);
        v("pending", pending);
        v.resizable("name", name);
    }
};

Chip example()
{
    Chip chip;
    chip.channel[1] = {0x1234, -5, Mode::Busy};
    chip.enabled = true;
    chip.since = 0x123456789ABCDEF0;
    chip.buffer[3] = 0x7F;
    chip.queue = {1, 2, 3};
    return chip;
}

template <class T>
std::vector<u8> saved(T state)
{
    StateWriter writer;
    writer.save("chip", state);
    return writer.saved;
}

template <class T>
T loaded(std::span<const u8> bytes)
{
    T state;
    StateReader reader(bytes);
    reader.load("chip", state);
    reader.finish();
    return state;
}

SavestateFile example_file()
{
    SavestateFile file;
    file.identity = {0x1111, 0x2222, 0};
    file.add_chunk("state", saved(example()));
    std::vector<u8> ram(64 * 4096);
    std::mt19937 random(7);
    for (std::size_t i = 5 * 4096; i < 9 * 4096; ++i) ram[i] = static_cast<u8>(random());
    file.add_chunk("ram", pack_pages(ram));
    file.add_chunk("note", std::vector<u8>(5000, 'x'), SavestateFile::Need::Optional);
    return file;
}

}  // namespace

TEST(Savestate, KeepsEveryField)
{
    Chip restored = loaded<Chip>(saved(example()));
    EXPECT_EQ(restored.channel[1].offset, -5);
    EXPECT_EQ(restored.channel[1].mode, Mode::Busy);
    EXPECT_EQ(restored.since, 0x123456789ABCDEF0u);
    EXPECT_EQ(restored.queue, (std::vector<u8>{1, 2, 3}));
    EXPECT_EQ(saved(restored), saved(example()));
}

TEST(Savestate, KeepsContainersOfEveryKind)
{
    Containers original;
    original.channels.resize(3);
    original.channels[2].count = 9;
    original.numbers = {{7, 70}, {0xFFFFFFFF, 1}};
    original.pending = Channel{1, 2, Mode::Busy};
    original.name = "example";
    Containers restored = loaded<Containers>(saved(original));
    EXPECT_EQ(saved(restored), saved(original));
    EXPECT_EQ(restored.numbers, original.numbers);
    EXPECT_EQ(restored.name, "example");

    restored.pending.reset();
    EXPECT_FALSE(loaded<Containers>(saved(restored)).pending);
}

TEST(Savestate, IsWrittenInLittleEndianRecords)
{
    u16 value = 0x1234;
    StateWriter writer;
    writer.save("abc", value);
    EXPECT_EQ(writer.saved,
              (std::vector<u8>{3, 0, 'a', 'b', 'c', 2, 0, 0, 0, 0, 0, 0, 0, 0x34, 0x12}));
}

TEST(Savestate, NamesTheFieldThatDoesNotFit)
{
    const std::vector<u8> bytes = saved(example());
    Chip chip;
    EXPECT_EQ(error_of([&] { StateReader(bytes).load("other", chip); }),
              "savestate: expected other.channel[0].count, found chip.channel[0].count");
    EXPECT_EQ(error_of([&] { StateReader(std::span(bytes).first(40)).load("chip", chip); }),
              "savestate: ends too early");
    std::vector<u8> longer = bytes;
    const std::vector<u8> more{1, 0, 'z', 1, 0, 0, 0, 0, 0, 0, 0, 5};
    longer.insert(longer.end(), more.begin(), more.end());
    EXPECT_EQ(error_of([&] { loaded<Chip>(longer); }), "savestate: z is not known here");
}

TEST(Savestate, AContainersSizeThatLiesDoesNotAllocate)
{
    std::vector<u8> bytes = saved(example());
    // The record of the size is "chip.queue.size", 8 bytes, then the number.
    const std::string_view name = "chip.queue.size";
    const auto at = std::search(bytes.begin(), bytes.end(), name.begin(), name.end());
    ASSERT_NE(at, bytes.end());
    for (int i = 2; i < 7; ++i) at[static_cast<std::ptrdiff_t>(name.size()) + 8 + i] = 0xFF;
    EXPECT_EQ(error_of([&] { loaded<Chip>(bytes); }),
              "savestate: chip.queue.size is larger than the file");
}

TEST(StateHash, IsXxh3OfTheLittleEndianValues)
{
    Channel channel{0x1234, -1, Mode::Busy};
    const std::vector<u8> bytes{0x34, 0x12, 0xFF, 0xFF, 0xFF, 0xFF, 1};
    EXPECT_EQ(state_hash(channel), hash_bytes(bytes));
    // From the reference implementation's own test of an empty input with seed 0.
    EXPECT_EQ(hash_bytes({}), 0x2D06800538D394C2u);
}

TEST(StateHash, SeesEveryField)
{
    const Chip before = example();
    const auto differs = [&](auto change) {
        Chip a = before, b = before;
        change(b);
        return state_hash(a) != state_hash(b);
    };
    EXPECT_FALSE(differs([](Chip&) {}));
    EXPECT_TRUE(differs([](Chip& c) { c.channel[0].mode = Mode::Busy; }));
    EXPECT_TRUE(differs([](Chip& c) { c.enabled = false; }));
    EXPECT_TRUE(differs([](Chip& c) { c.buffer[15] = 1; }));
    EXPECT_TRUE(differs([](Chip& c) { c.queue.push_back(0); }));
    Containers named, unnamed;
    named.name = "a";
    EXPECT_NE(state_hash(named), state_hash(unnamed));
}

TEST(StateHash, DoesNotDependOnHowValuesMeetItsBuffer)
{
    std::vector<u32> values(5000);
    std::vector<u8> bytes(8 + 4 * values.size());
    bytes[0] = 5000 & 0xFF;
    bytes[1] = 5000 >> 8;
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<u32>(i * 2654435761u);
        for (std::size_t b = 0; b < 4; ++b)
            bytes[8 + 4 * i + b] = static_cast<u8>(values[i] >> 8 * b);
    }
    StateHasher hasher;
    walk_resizable(Path{"values"}, values, hasher);
    EXPECT_EQ(hasher.hash(), hash_bytes(bytes));
}

TEST(StateDiff, ListsWhatDiffers)
{
    Chip changed = example();
    changed.channel[1].count = 0xABCD;
    changed.buffer[9] = 0x42;
    const auto found = diff_states(saved(example()), saved(changed));
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].path, "chip.channel[1].count");
    EXPECT_EQ(found[0].before, "1234");
    EXPECT_EQ(found[0].after, "abcd");
    EXPECT_EQ(found[1].path, "chip.buffer+0x9");
    EXPECT_EQ(found[1].before, "00");
    EXPECT_EQ(found[1].after, "42");
    EXPECT_TRUE(diff_states(saved(example()), saved(example())).empty());
}

TEST(StateDiff, ListsFieldsThatOnlyOneHas)
{
    Containers a, b;
    b.numbers[3] = 4;
    const auto found = diff_states(saved(a), saved(b));
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].path, "chip.numbers.size");
    EXPECT_EQ(found[1].path, "chip.numbers[0].key");
    EXPECT_EQ(found[1].before, "");
    EXPECT_EQ(found[1].after, "00000003");
    EXPECT_EQ(diff_states(saved(a), saved(b), 2).size(), 2u);
}

TEST(SavestateFile, KeepsItsChunks)
{
    TemporaryFolder folder;
    const std::string path = folder / "a.state";
    example_file().write(path);
    EXPECT_EQ(folder.entries(), 1u);
    EXPECT_TRUE(is_savestate(path));
    const SavestateFile file = SavestateFile::read(path);
    EXPECT_EQ(file.identity, (SavestateFile::Identity{0x1111, 0x2222, 0}));
    EXPECT_EQ(file.chunk("state"), example_file().chunk("state"));
    EXPECT_EQ(file.chunk("ram"), example_file().chunk("ram"));
    EXPECT_EQ(file.chunk("note").size(), 5000u);
    EXPECT_FALSE(file.has_chunk("sound"));
    EXPECT_EQ(error_of([&] { file.chunk("sound"); }),
              "cannot load '" + path + "': it has no chunk 'sound'");
}

TEST(SavestateFile, UnknownChunksMatterOnlyWhenRequired)
{
    TemporaryFolder folder;
    const std::string path = folder / "a.state";
    example_file().write(path);
    const SavestateFile file = SavestateFile::read(path);
    file.require_known({"state", "ram"});  // "note" is optional
    EXPECT_EQ(error_of([&] { file.require_known({"state"}); }),
              "cannot load '" + path +
                  "': it needs 'ram', which this version does not know; a "
                  "newer version wrote it");
}

TEST(SavestateFile, CompressesAndLeavesOutZeroPages)
{
    TemporaryFolder folder;
    SavestateFile file;
    file.add_chunk("ram", pack_pages(std::vector<u8>(32 << 20)));
    file.add_chunk("text", std::vector<u8>(1 << 20, 'a'));
    EXPECT_EQ(file.chunk("ram").size(), 8u);
    file.write(folder / "a.state");
    EXPECT_LT(std::filesystem::file_size(folder / "a.state"), 2000u);
    EXPECT_EQ(SavestateFile::read(folder / "a.state").chunk("text"), file.chunk("text"));
}

TEST(SavestateFile, ReplacesAnOldFileAndKeepsItWhenTheDiskIsFull)
{
    TemporaryFolder folder;
    const std::string path = folder.text("a.state", "the old one");
    {
        const FileSizeLimit full(1000);
        EXPECT_EQ(error_of([&] { example_file().write(path); }),
                  "cannot save '" + path + "': File too large");
    }
    EXPECT_EQ(contents(path).size(), 11u);
    EXPECT_EQ(folder.entries(), 1u);
    example_file().write(path);
    EXPECT_TRUE(is_savestate(path));
    EXPECT_EQ(folder.entries(), 1u);
}

TEST(SavestateFile, GoesWhereALinkPoints)
{
    TemporaryFolder folder;
    folder.text("real.state", "old");
    std::filesystem::create_symlink("real.state", folder / "link.state");
    example_file().write(folder / "link.state");
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.state"));
    EXPECT_TRUE(is_savestate(folder / "real.state"));
}

TEST(SavestateFile, SaysWhyItCannotBeWritten)
{
    TemporaryFolder folder;
    EXPECT_EQ(error_of([&] { example_file().write(folder / "no/where.state"); }),
              "cannot save '" + (folder / "no/where.state") + "': No such file or directory");
    EXPECT_EQ(error_of([&] { example_file().write(folder.path()); }),
              "cannot save '" + folder.path() + "': Is a directory");
    EXPECT_NE(error_of([&] { example_file().write("/dev/full"); }), "");
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
    EXPECT_EQ(folder.entries(), 0u);
}

TEST(RamPages, RoundTrip)
{
    std::vector<u8> ram(10 * 4096 + 100);
    ram[0] = 1;
    ram[3 * 4096 + 5] = 2;
    ram[4 * 4096] = 3;
    ram.back() = 4;
    std::vector<u8> restored(ram.size());
    unpack_pages(pack_pages(ram), restored);
    EXPECT_EQ(restored, ram);
    EXPECT_EQ(pack_pages(ram).size(), 8 + 3 * 16 + 4 * 4096u);
}

TEST(RamPages, ADeltaContainsOnlyWhatChanged)
{
    std::vector<u8> parent(8 * 4096, 1), child = parent;
    std::fill_n(child.begin() + 2 * 4096, 4096, u8{0});
    child[5 * 4096] = 9;
    std::vector<bool> changed(8);
    changed[2] = changed[5] = true;
    const std::vector<u8> delta = pack_changed_pages(child, changed);
    EXPECT_EQ(delta.size(), 8 + 2 * 16 + 4096u);
    unpack_pages(delta, parent);
    EXPECT_EQ(parent, child);
}

TEST(RamPages, RefuseAnotherSizeOfMemory)
{
    std::vector<u8> ram(4096);
    EXPECT_EQ(error_of([&] { unpack_pages(pack_pages(std::vector<u8>(8192)), ram); }),
              "savestate: its memory has 8192 bytes, this machine's has 4096");
}
