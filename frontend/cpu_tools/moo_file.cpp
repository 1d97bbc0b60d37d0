#include "frontend/cpu_tools/moo_file.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr std::size_t kMostMegabytes = 256;  // unpacked; the largest file known has 60
constexpr std::size_t kMostBytes = kMostMegabytes << 20;
constexpr std::size_t kMostTests = 100'000;  // the largest file known has 10,000

struct Damaged {
    std::string what;
};

bool begins_as_moo(std::span<const u8> data)
{
    static constexpr std::string_view kMagic = "MOO ";
    return data.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), data.begin());
}

std::vector<u8> read_all(const std::string& path)
{
    gzFile file = gzopen(path.c_str(), "rb");
    if (!file) throw HostError(fmt::format("cannot open '{}'", path));
    std::vector<u8> all(std::size_t{1} << 16);
    std::size_t used = 0;
    int n = 0;
    while ((n = gzread(file, all.data() + used, static_cast<unsigned>(all.size() - used))) > 0) {
        used += static_cast<std::size_t>(n);
        if (used >= 4 && !begins_as_moo(all)) break;  // parse_moo will say so
        if (used == all.size() && all.size() < kMostBytes) all.resize(2 * all.size());
        if (used == all.size()) break;
    }
    int code = Z_OK;
    static_cast<void>(gzerror(file, &code));
    gzclose(file);
    if (used == kMostBytes)
        throw HostError(fmt::format("'{}' is larger than {} MB", path, kMostMegabytes));
    if (n < 0 || code == Z_BUF_ERROR)
        throw HostError(fmt::format("'{}' cannot be unpacked: it is damaged or incomplete", path));
    all.resize(used);
    return all;
}

/// A position in chunks; everything is little-endian.
struct Reader {
    std::span<const u8> data;

    u32 get(std::size_t size)
    {
        if (size > data.size()) throw Damaged{"a chunk is shorter than what it holds"};
        u32 value = 0;
        for (std::size_t i = 0; i < size; ++i) value |= u32{data[i]} << 8 * i;
        data = data.subspan(size);
        return value;
    }

    Reader take(std::size_t size)
    {
        if (size > data.size()) throw Damaged{"a chunk is longer than what is around it"};
        const Reader part{data.first(size)};
        data = data.subspan(size);
        return part;
    }

    /// For terminals too: whatever is not printable becomes a question mark.
    std::string text(std::size_t size)
    {
        const Reader part = take(size);
        std::string text(part.data.begin(), part.data.end());
        for (char& c : text)
            if (c < ' ' || c > '~') c = '?';
        return text;
    }
};

/// Where each bit of a REGS bitmap is in MooTest::Registers.
constexpr std::array<u8, 14> kNarrowOrder = {kMooEax, kMooEbx, kMooEcx, kMooEdx,   kMooCs,
                                             kMooSs,  kMooDs,  kMooEs,  kMooEsp,   kMooEbp,
                                             kMooEsi, kMooEdi, kMooEip, kMooEflags};

void read_narrow(Reader in, MooTest::Registers& registers, bool mask)
{
    const u32 bitmap = in.get(2);
    for (std::size_t i = 0; i < kNarrowOrder.size(); ++i) {
        if (!(bitmap >> i & 1)) continue;
        u32& value = registers[kNarrowOrder[i]];
        value = mask ? value & in.get(2) : in.get(2);
    }
}

void read_wide(Reader in, MooTest::Registers& registers, bool mask)
{
    const u32 bitmap = in.get(4);
    for (std::size_t i = 0; i < kMooRegisters; ++i) {
        if (!(bitmap >> i & 1)) continue;
        const bool selector = i >= kMooCs && i <= kMooSs;
        const u32 value = in.get(4) & (selector ? 0xFFFF : 0xFFFFFFFF);
        registers[i] = mask ? registers[i] & value : value;
    }
}

void read_ram(Reader in, std::vector<MooTest::Byte>& ram)
{
    for (u32 n = in.get(4); n > 0; --n) {
        const u32 address = in.get(4);
        ram.push_back({address, static_cast<u8>(in.get(1))});
    }
}

void read_state(Reader in, MooTest& test, MooTest::Registers& registers,
                std::vector<MooTest::Byte>& ram, bool& wide)
{
    while (!in.data.empty()) {
        const std::string id = in.text(4);
        const Reader chunk = in.take(in.get(4));
        if (id == "REGS") read_narrow(chunk, registers, false);
        if (id == "RG32") read_wide(chunk, registers, false), wide = true;
        if (id == "RMSK") read_narrow(chunk, test.defined, true);
        if (id == "RM32") read_wide(chunk, test.defined, true);
        if (id == "RAM ") read_ram(chunk, ram);
    }
}

std::string hexadecimal(std::span<const u8> bytes)
{
    std::string text;
    for (const u8 byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

MooTest read_test(Reader in, const MooTest::Registers& defined, bool& wide)
{
    MooTest test;
    test.defined = defined;
    test.index = in.get(4);
    std::optional<Reader> final;  // laid over INIT, whichever comes first
    while (!in.data.empty()) {
        const std::string id = in.text(4);
        Reader chunk = in.take(in.get(4));
        if (id == "NAME") test.name = chunk.text(chunk.get(4));
        if (id == "HASH") test.hash = hexadecimal(chunk.data);
        if (id == "EXCP") test.exception = static_cast<u8>(chunk.get(1));
        if (id == "INIT") read_state(chunk, test, test.initial, test.initial_ram, wide);
        if (id == "FINA") final = chunk;
        if (id == "BYTS") {
            const Reader bytes = chunk.take(chunk.get(4));
            test.bytes.assign(bytes.data.begin(), bytes.data.end());
        }
    }
    if (!final) throw Damaged{fmt::format("test {} has no final state", test.index)};
    test.final = test.initial;
    read_state(*final, test, test.final, test.final_ram, wide);
    return test;
}

MooFile parse(Reader in)
{
    MooFile file;
    Reader header = in.take(in.get(4));
    header.take(8);
    file.cpu = header.text(4);
    file.cpu.erase(file.cpu.find_last_not_of(' ') + 1);
    MooTest::Registers defined;
    defined.fill(~u32{0});
    while (!in.data.empty()) {
        const std::string id = in.text(4);
        const Reader chunk = in.take(in.get(4));
        if (id == "RMSK") read_narrow(chunk, defined, true);
        if (id == "RM32") read_wide(chunk, defined, true);
        if (id != "TEST") continue;
        if (file.tests.size() == kMostTests)
            throw Damaged{fmt::format("it has more than {} tests", kMostTests)};
        file.tests.push_back(read_test(chunk, defined, file.wide));
        file.tests.back().number = static_cast<u32>(file.tests.size() - 1);
    }
    return file;
}

}  // namespace

MooFile parse_moo(std::span<const u8> data, const std::string& path)
{
    if (!begins_as_moo(data))
        throw HostError(fmt::format("'{}' is not a MOO file: it does not begin with 'MOO '", path));
    try {
        return parse({data.subspan(4)});
    } catch (const Damaged& damaged) {
        throw HostError(fmt::format("'{}' is damaged: {}", path, damaged.what));
    }
}

MooFile read_moo_file(const std::string& path) { return parse_moo(read_all(path), path); }

}  // namespace reprise
