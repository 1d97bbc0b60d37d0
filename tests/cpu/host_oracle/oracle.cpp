#include "tests/cpu/host_oracle/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace reprise::oracle {

namespace {

constexpr u8 kInt3 = 0xCC;

bool holds_data(PageKind kind) { return kind == PageKind::Data || kind == PageKind::ReadOnly; }

std::array<u8, kAreaBytes> make_initial_memory()
{
    std::array<u8, kAreaBytes> bytes{};
    Random random(1);
    for (u32 page = 0; page < kPages.size(); ++page) {
        u8* at = bytes.data() + page * kPageBytes;
        if (kPages[page] == PageKind::Code) std::fill_n(at, kPageBytes, kInt3);
        if (!holds_data(kPages[page])) continue;
        for (u32 i = 0; i < kPageBytes; i += 8) {
            const u64 value = random.one_in(2) ? random.integer() : random.bits();
            std::memcpy(at + i, &value, 8);
        }
    }
    return bytes;
}

const std::array<u8, kAreaBytes>& initial_memory()
{
    static const std::array<u8, kAreaBytes> memory = make_initial_memory();
    return memory;
}

std::array<bool, kClassNames.size()> chosen(const std::vector<std::string>& names)
{
    std::array<bool, kClassNames.size()> all{};
    for (std::size_t c = 0; c < all.size(); ++c)
        all[c] = names.empty() || std::ranges::find(names, kClassNames[c]) != names.end();
    return all;
}

/// What jumps into itself could execute anything, and what is the kernel's is not the processor's.
bool is_unfit(const TestCase& test, const Outcome& ours)
{
    if (ours.endless) return true;
    // Linux answers at the addresses of old system calls (vsyscall).
    if (ours.end.rip >> 12 == 0xFFFFFFFFFF600) return true;
    if (ours.vector != kNoVector) return false;
    // With a 16-bit stack Linux leaves 16 bits of RSP (espfix).
    const bool to_64_bit = test.mode != Mode::Bits64 && (ours.end.selector[CS] | 3) == kUserCs64;
    if (to_64_bit && !is_big(test.start.selector[SS])) return true;
    const u64 linear = ours.end.rip + segment_base(ours.end.selector[CS]);
    return linear >= test.linear && linear < test.linear + test.length;
}

/// Of two runs of ours; empty: nothing.
std::string differing(const Outcome& a, const Outcome& b)
{
    std::string text;
    const auto check = [&](std::string_view name, u64 x, u64 y) {
        if (x != y) text += fmt::format(" {} {:X} or {:X}", name, x, y);
    };
    for (std::size_t i = 0; i < 16; ++i)
        check(fmt::format("register {}", i), a.end.gpr[i], b.end.gpr[i]);
    for (std::size_t i = 0; i < 6; ++i)
        check(fmt::format("selector {}", i), a.end.selector[i], b.end.selector[i]);
    check("RIP", a.end.rip, b.end.rip);
    // The INT3 that the translator's run went on into has cleared RF.
    const u32 flags = a.vector == kNoVector ? ~u32{RF} : ~u32{0};
    check("EFLAGS", a.end.eflags & flags, b.end.eflags & flags);
    check("vector", static_cast<u64>(a.vector), static_cast<u64>(b.vector));
    check("error code", a.error_code, b.error_code);
    check("CR2", a.cr2, b.cr2);
    if (std::memcmp(&a.end.fx, &b.end.fx, sizeof a.end.fx) != 0) text += " x87 or SSE";
    return text;
}

}  // namespace

Oracle::Oracle(const Options& options, Mode mode, Host& host)
    : options_(options),
      mode_(mode),
      host_(host),
      generator_(mode, chosen(options.classes), options.row)
{
    if (options_.translator) translated_ = std::make_unique<Guest>(Engine::Translator);
    for (u8* memory : memories()) std::ranges::copy(initial_memory(), memory);
}

std::vector<u8*> Oracle::memories()
{
    std::vector<u8*> all = {host_.memory(), guest_.memory()};
    if (translated_) all.push_back(translated_->memory());
    return all;
}

void Oracle::run()
{
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const auto elapsed = [&] {
        return std::chrono::duration<double>(Clock::now() - begin).count();
    };
    for (u64 i = 0; options_.count == 0 || i < options_.count; ++i) {
        if (options_.seconds > 0 && i % 256 == 0 && elapsed() >= options_.seconds) break;
        one(options_.first + i);
    }
    report(elapsed());
}

u64 Oracle::tests() const
{
    u64 sum = 0;
    for (const Tally& t : tallies_) sum += t.tests;
    return sum;
}

void Oracle::one(u64 number)
{
    const std::optional<TestCase> test = generator_.make(options_.seed + number);
    if (!test) {
        ++rejected_;
        return;
    }
    prepare(*test);
    const Outcome ours = guest_.run(*test);
    if (is_unfit(*test, ours)) {
        ++rejected_;
    } else {
        if (translated_ && !is_translated_alike(*test, ours, number))
            ++unexplained_["translator: " + std::string(name_of(*test))];
        const Outcome host = host_.run(*test);
        judge({*test, host, ours}, number);
    }
    restore(*test);
}

void Oracle::prepare(const TestCase& test)
{
    for (u8* memory : memories()) {
        for (const Patch& p : test.patches) {
            for (u32 i = 0; i < p.size; ++i) {
                const u32 offset = p.address + i - kArea;
                if (offset < kAreaBytes && holds_data(kPages[offset / kPageBytes]))
                    memory[offset] = p.bytes[i];
            }
        }
        std::copy_n(test.code.begin(), test.length, memory + (test.linear - kArea));
    }
}

void Oracle::restore(const TestCase& test)
{
    for (u8* memory : memories()) {
        std::fill_n(memory + (test.linear - kArea), test.length, kInt3);
        for (u32 i = 0; i < kPages.size(); ++i)
            if (holds_data(kPages[i]))
                std::copy_n(initial_memory().begin() + i * kPageBytes, kPageBytes,
                            memory + i * kPageBytes);
    }
}

/// Both engines do the same, undefined flags included: so what the host says of one is said of
/// both.
bool Oracle::is_translated_alike(const TestCase& test, const Outcome& ours, u64 number)
{
    const Outcome other = translated_->run(test);
    ++compared_;
    std::string text = differing(ours, other);
    if (std::memcmp(guest_.memory(), translated_->memory(), kAreaBytes) != 0) text += " memory";
    if (text.empty()) return true;
    if (unexplained_["translator: " + std::string(name_of(test))] < options_.show)
        fmt::print("{}  interpreter or translator:{}\n  again: {}\n",
                   describe({test, other, ours}, {}), text, command(number));
    return false;
}

void Oracle::compare_memory(std::vector<Difference>& differences)
{
    for (u32 page = 0; page < kPages.size(); ++page) {
        if (kPages[page] != PageKind::Data) continue;
        const u8* host = host_.memory() + page * kPageBytes;
        const u8* ours = guest_.memory() + page * kPageBytes;
        if (std::memcmp(host, ours, kPageBytes) == 0) continue;
        for (u32 i = 0; i < kPageBytes; ++i) {
            if (host[i] == ours[i]) continue;
            const u32 address = kArea + page * kPageBytes + i;
            differences.push_back(
                {What::Memory,
                 fmt::format("memory {:X}: host {:02X}, we {:02X}", address, host[i], ours[i]),
                 host[i], ours[i]});
        }
    }
}

void Oracle::judge(const Results& results, u64 number)
{
    constexpr std::size_t kMaxShown = 20;
    const Opcode* row = results.row();
    Tally& tally = tallies_[static_cast<std::size_t>(row ? class_of(*row) : Class::Integer)];
    ++tally.tests;
    tally.faults += results.ours.vector != kNoVector;
    std::vector<Difference> differences = compare(results);
    compare_memory(differences);
    std::erase_if(differences, [&](const Difference& d) {
        if (options_.undefined_flags && d.what == What::UndefinedFlags) return false;
        const int rule = explanation(results, d);
        if (rule >= 0) ++uses_[static_cast<std::size_t>(rule)];
        return rule >= 0;
    });
    if (differences.empty()) return;
    ++tally.differences;
    if (++unexplained_[std::string(name_of(results.test))] > options_.show) return;
    if (differences.size() > kMaxShown) differences.resize(kMaxShown);
    fmt::print("{}  again: {}\n", describe(results, differences), command(number));
}

std::string Oracle::command(u64 number) const
{
    std::string text = fmt::format("host_oracle --mode {} --seed {:#x} --first {} --count 1",
                                   bits_of(mode_), options_.seed, number);
    if (options_.translator) text += " --engine translator";
    for (const std::string& c : options_.classes) text += " --class " + c;
    return options_.row.empty() ? text : text + " --row " + options_.row;
}

void Oracle::report(double seconds) const
{
    for (std::size_t c = 0; c < tallies_.size(); ++c) {
        const Tally& t = tallies_[c];
        if (t.tests != 0)
            fmt::print("{} bit, {:8} {:8} tests, {} of them faulted, {} differ\n", bits_of(mode_),
                       fmt::format("{}:", kClassNames[c]), t.tests, t.faults, t.differences);
    }
    if (translated_) {
        const TranslatorStatistics& s = *translated_->cpu().translator_statistics();
        fmt::print(
            "{} bit: {} tests with both engines; {} blocks translated, entered {} times; handlers called "
            "{} times, for slow memory {}, to end a block {}\n",
            bits_of(mode_), compared_, s.blocks, s.entries, s.calls, s.accesses, s.finishes);
    }
    for (const auto& [name, count] : unexplained_) fmt::print("{:8} x {}\n", count, name);
    fmt::print("{} bit, all:     {:8} tests, {:.0f} per second; {} were unfit\n", bits_of(mode_),
               tests(), static_cast<double>(tests()) / seconds, rejected_);
}

}  // namespace reprise::oracle
