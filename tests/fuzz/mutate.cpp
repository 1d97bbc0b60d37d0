#include "tests/fuzz/mutate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "tests/frontend/moo_builder.h"

namespace reprise::fuzz {

namespace {

using namespace test;  // the builder's words

const std::vector<Bytes> kInstructions = {
    {0x90},                    // nop
    {0x01, 0xD8},              // add ax, bx
    {0xF7, 0xF1},              // div cx
    {0xF3, 0xA4},              // rep movsb
    {0x50},                    // push ax
    {0xCD, 0x21},              // int 21h
    {0xE2, 0xFE},              // loop $
    {0x8E, 0xD8},              // mov ds, ax
    {0xC4, 0x07},              // les ax, [bx]
    {0x0F, 0x01, 0x06, 0, 1},  // sgdt [100h]
};

/// The chunk of a 386's registers.
Bytes wide_regs(Random& random)
{
    const u32 bitmap = static_cast<u32>(random()) & 0xFFFFF;
    Bytes payload;
    append(payload, bitmap, 4);
    for (int i = 0; i < 20; ++i)
        if (bitmap >> i & 1) append(payload, random() & (one_in(random, 2) ? 0xFFFF : ~u64{0}), 4);
    return chunk("RG32", payload);
}

Bytes random_registers(Random& random, bool wide)
{
    if (wide) return wide_regs(random);
    std::map<int, u16> values;
    for (int i = 0; i < 14; ++i)
        if (!one_in(random, 4)) values[i] = static_cast<u16>(random());
    return regs(values);
}

Bytes random_state(Random& random, bool wide, const Bytes& code)
{
    std::map<u32, u8> memory;
    for (std::size_t i = 0; i < code.size(); ++i) memory[static_cast<u32>(0x100 + i)] = code[i];
    memory[static_cast<u32>(0x100 + code.size())] = 0xF4;
    for (u64 n = random() % 4; n > 0; --n)
        memory[static_cast<u32>(random())] = static_cast<u8>(random());
    Bytes state = random_registers(random, wide) + ram(memory);
    if (one_in(random, 4)) state = state + chunk("RMSK", {0x01, 0x20, 0xFF, 0xFF, 0xEF, 0x0F});
    if (one_in(random, 8)) state = state + chunk("QUEU", {1, 2});
    return state;
}

Bytes random_test(Random& random, bool wide)
{
    const Bytes& code = any_of(kInstructions, random);
    return moo_test("add ax, bx", code, random_state(random, wide, code),
                    random_state(random, wide, code));
}

void overwrite(Bytes& bytes, std::size_t at, u64 value, std::size_t size)
{
    for (std::size_t i = 0; i < size && at + i < bytes.size(); ++i)
        bytes[at + i] = static_cast<u8>(value >> 8 * i);
}

/// Where a chunk's name ends, and its length begins; anywhere if there is none.
std::size_t place_of_length(const Bytes& bytes, Random& random)
{
    static constexpr std::array<std::string_view, 12> kNames = {"MOO ", "TEST", "NAME", "BYTS",
                                                                "INIT", "FINA", "REGS", "RG32",
                                                                "RAM ", "RMSK", "HASH", "EXCP"};
    const std::string_view name = any_of(kNames, random);
    const auto found = std::search(bytes.begin(), bytes.end(), name.begin(), name.end());
    if (found == bytes.end()) return random() % bytes.size();
    return static_cast<std::size_t>(found - bytes.begin()) + (one_in(random, 4) ? 8 : 4);
}

void lie(Bytes& bytes, Random& random)
{
    const u64 lies[] = {0,          1,          0x7FFFFFFF,   0x80000000,       0xFFFFFFFF,
                        0xFFFFFFF8, 0x01000000, bytes.size(), bytes.size() + 1, random()};
    overwrite(bytes, place_of_length(bytes, random), any_of(lies, random), 4);
}

void damage(Bytes& bytes, Random& random)
{
    if (bytes.empty()) return bytes.push_back(static_cast<u8>(random()));
    const std::size_t at = random() % bytes.size();
    const std::size_t length = std::min<std::size_t>(1 + random() % 32, bytes.size() - at);
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto to = from + static_cast<std::ptrdiff_t>(length);
    switch (random() % 9) {
    case 0: bytes.resize(at); break;
    case 1: bytes[at] ^= static_cast<u8>(1u << random() % 8); break;
    case 2: bytes[at] = static_cast<u8>(random()); break;
    case 3: bytes.insert(from, static_cast<u8>(random())); break;
    case 4: bytes.erase(from, to); break;
    case 5: {
        const Bytes again(from, to);
        bytes.insert(from, again.begin(), again.end());
        break;
    }
    case 6: std::generate(from, to, [&] { return static_cast<u8>(random()); }); break;
    default: lie(bytes, random);
    }
}

}  // namespace

Bytes random_moo(Random& random)
{
    static constexpr std::array<const char*, 7> kCpus = {"8086", "8088", "V20 ", "186 ",
                                                         "286 ", "C286", "386E"};
    const std::string cpu = any_of(kCpus, random);
    Bytes tests;
    if (one_in(random, 4)) tests = chunk("RMSK", {0, 0x20, 0xFF, 0x0F});
    if (one_in(random, 8)) tests = tests + chunk("META", {1, 2, 3});
    for (u64 n = random() % 5; n > 0; --n) tests = tests + random_test(random, cpu == "386E");
    return moo_file(cpu, tests);
}

Bytes gzip(const Bytes& bytes)
{
    z_stream stream{};
    constexpr int kGzip = 16;  // added to the size of the window: zlib.h, deflateInit2
    if (deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error("deflateInit2");
    Bytes packed(deflateBound(&stream, bytes.size()));
    stream.next_in = const_cast<u8*>(bytes.data());
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = packed.data();
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

Bytes mutate(Bytes bytes, Random& random)
{
    for (u64 n = 1 + random() % 4; n > 0; --n) damage(bytes, random);
    return bytes;
}

std::string mutate(const std::string& text, Random& random)
{
    static constexpr std::string_view kLikely = "0123456789abcdefxXKMGT=,-+ ./:e";
    Bytes bytes = mutate(Bytes(text.begin(), text.end()), random);
    if (one_in(random, 2) && !bytes.empty())
        bytes[random() % bytes.size()] = static_cast<u8>(any_of(kLikely, random));
    std::erase(bytes, u8{0});
    return {bytes.begin(), bytes.end()};
}

}  // namespace reprise::fuzz
