#include "tests/cpu/moo_file.h"

#include <zlib.h>

#include <span>
#include <stdexcept>

namespace reprise {

namespace {

std::vector<u8> read_all(const std::string& path)
{
    gzFile file = gzopen(path.c_str(), "rb");
    if (!file) throw std::runtime_error("cannot open " + path);
    std::vector<u8> all(1 << 16);
    std::size_t used = 0;
    for (;;) {
        const int n = gzread(file, all.data() + used, static_cast<unsigned>(all.size() - used));
        if (n <= 0) break;
        used += static_cast<std::size_t>(n);
        if (used == all.size()) all.resize(2 * all.size());
    }
    gzclose(file);
    all.resize(used);
    return all;
}

/// A position in chunks; everything is little-endian.
struct Reader {
    std::span<const u8> data;

    u32 get(std::size_t size)
    {
        if (size > data.size()) throw std::runtime_error("MOO file ends too early");
        u32 value = 0;
        for (std::size_t i = 0; i < size; ++i) value |= u32{data[i]} << 8 * i;
        data = data.subspan(size);
        return value;
    }

    Reader take(std::size_t size)
    {
        if (size > data.size()) throw std::runtime_error("MOO chunk is longer than its file");
        const Reader part{data.first(size)};
        data = data.subspan(size);
        return part;
    }

    std::string text(std::size_t size)
    {
        const Reader part = take(size);
        return {part.data.begin(), part.data.end()};
    }
};

void read_state(Reader in, MooTest::Registers& registers, std::vector<MooTest::Byte>& ram)
{
    while (!in.data.empty()) {
        const std::string id = in.text(4);
        Reader chunk = in.take(in.get(4));
        if (id == "REGS") {
            const u32 bitmap = chunk.get(2);
            for (std::size_t i = 0; i < registers.size(); ++i)
                if (bitmap >> i & 1) registers[i] = static_cast<u16>(chunk.get(2));
        } else if (id == "RAM ") {
            for (u32 n = chunk.get(4); n > 0; --n) {
                const u32 address = chunk.get(4);
                ram.push_back({address, static_cast<u8>(chunk.get(1))});
            }
        }
    }
}

MooTest read_test(Reader in)
{
    MooTest test;
    test.index = in.get(4);
    while (!in.data.empty()) {
        const std::string id = in.text(4);
        Reader chunk = in.take(in.get(4));
        if (id == "NAME") test.name = chunk.text(chunk.get(4));
        if (id == "BYTS")
            for (u32 n = chunk.get(4); n > 0; --n) test.bytes.push_back(static_cast<u8>(chunk.get(1)));
        if (id == "EXCP") test.exception = static_cast<u8>(chunk.get(1));
        if (id == "INIT") {
            read_state(chunk, test.initial, test.initial_ram);
            test.final_ = test.initial;
        }
        if (id == "FINA") read_state(chunk, test.final_, test.final_ram);
    }
    return test;
}

}  // namespace

std::vector<MooTest> read_moo_file(const std::string& path)
{
    const std::vector<u8> all = read_all(path);
    Reader in{all};
    if (all.size() < 8 || in.text(4) != "MOO ") throw std::runtime_error(path + " is not a MOO file");
    in.take(in.get(4));
    std::vector<MooTest> tests;
    while (!in.data.empty()) {
        const std::string id = in.text(4);
        Reader chunk = in.take(in.get(4));
        if (id == "TEST") tests.push_back(read_test(chunk));
    }
    return tests;
}

}  // namespace reprise
