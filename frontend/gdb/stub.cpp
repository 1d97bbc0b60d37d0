#include "frontend/gdb/stub.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "frontend/gdb/packets.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr const char* kOk = "OK";
constexpr const char* kUnknown = "";  // what a stub says to what it does not know
constexpr const char* kBadRequest = "E01";
constexpr const char* kNoMemory = "E14";  // EFAULT
constexpr const char* kRefused = "E22";   // EINVAL
constexpr const char* kTooMany = "E28";   // ENOSPC

/// Signals by gdb's numbers.
enum Signal : u8 { kSignalInt = 2, kSignalTrap = 5, kSignalSegv = 11 };

constexpr std::size_t kMaxPoints = 4096;

bool take(std::string_view& text, std::string_view prefix)
{
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

/// A number in hex at the beginning of `text`, which it is taken from.
std::optional<u64> take_number(std::string_view& text)
{
    u64 number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

/// Two numbers with `divider` between them.
std::optional<std::pair<u64, u64>> take_pair(std::string_view& text, char divider)
{
    const auto first = take_number(text);
    if (!first || !take(text, {&divider, 1})) return std::nullopt;
    const auto second = take_number(text);
    if (!second) return std::nullopt;
    return std::pair{*first, *second};
}

std::string_view text_of(std::span<const u8> bytes)
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

GdbStub::GdbStub(Machine& machine, Debugger& debugger)
    : machine_(machine), debugger_(debugger), registers_(debugger), monitor_(machine, debugger)
{
}

std::optional<std::string> GdbStub::handle(const std::string& packet)
{
    if (packet.empty()) return kUnknown;
    const std::string_view arguments = std::string_view(packet).substr(1);
    // While the guest runs, gdb waits.
    if (owes_stop_ && packet[0] != 'k' && packet[0] != 'D') return kBadRequest;
    switch (packet[0]) {
    case '?': return stop_packet();
    case 'g': return read_registers();
    case 'G': return write_registers(arguments);
    case 'p': return read_register(arguments);
    case 'P': return write_register(arguments);
    case 'm': return read_memory(arguments, false);
    case 'x': return read_memory(arguments, true);
    case 'M': return write_memory(arguments, false);
    case 'X': return write_memory(arguments, true);
    case 'Z': return change_point(arguments, true);
    case 'z': return change_point(arguments, false);
    case 'c':
    case 'C':
    case 's':
    case 'S': return handle_resume(packet);
    case 'v': return handle_v(packet);
    case 'q': return handle_query(packet);
    case 'Q': return handle_set(packet);
    case 'H':
    case 'T': return kOk;
    case 'D': return detach_ = true, kOk;
    case 'k': return kill_ = true, std::nullopt;
    default: return kUnknown;
    }
}

// ---- Queries -----------------------------------------------------------------------------------

std::string GdbStub::supported(std::string_view features)
{
    knows_swbreak_ = features.find("swbreak+") != features.npos;
    return fmt::format(
        "PacketSize={:x};QStartNoAckMode+;qXfer:features:read+;vContSupported+;swbreak+;hwbreak+;"
        "binary-upload+",
        kPacketSize);
}

/// offset,length of target.xml.
std::string GdbStub::transfer_features(std::string_view arguments)
{
    if (!take(arguments, "target.xml:")) return "E00";
    const auto range = take_pair(arguments, ',');
    if (!range) return "E00";
    if (range->first == 0) registers_.describe(monitor_.described_as_64_bit);
    const std::string xml = registers_.target_xml();
    const auto [offset, length] = *range;
    if (offset >= xml.size()) return "l";
    const std::size_t size = std::min<u64>({length, xml.size() - offset, kPacketSize / 2});
    return (offset + size == xml.size() ? 'l' : 'm') + xml.substr(offset, size);
}

std::string GdbStub::thread_info() const
{
    const u64 bits = debugger_.number("code_size");
    const bool is_protected = (debugger_.number("cr0") & 1) != 0;
    return to_hex(fmt::format("{}, {} bit {} mode, CPL {}",
                              debugger_.halted() ? "halted" : "executing", bits,
                              is_protected ? "protected" : "real", debugger_.number("cpl")));
}

std::string GdbStub::handle_query(const std::string& packet)
{
    std::string_view text = packet;
    if (take(text, "qSupported")) return supported(text);
    if (take(text, "qXfer:features:read:")) return transfer_features(text);
    if (take(text, "qRcmd,")) {
        const auto line = from_hex(text);
        return line ? to_hex(monitor_.execute(*line)) : kBadRequest;
    }
    if (take(text, "qThreadExtraInfo,")) return thread_info();
    if (text == "qfThreadInfo") return "m1";
    if (text == "qsThreadInfo") return "l";
    if (text == "qC") return "QC1";
    if (text.starts_with("qAttached")) return "1";  // so gdb detaches when it ends
    if (text.starts_with("qSymbol")) return kOk;
    if (text == "qqemu.PhyMemMode") return monitor_.physical ? "1" : "0";
    return kUnknown;
}

std::string GdbStub::handle_set(const std::string& packet)
{
    if (packet == "QStartNoAckMode") return acknowledges_ = false, kOk;
    if (packet == "Qqemu.PhyMemMode:1" || packet == "Qqemu.PhyMemMode:0") {
        monitor_.physical = packet.back() == '1';
        return kOk;
    }
    return kUnknown;
}

// ---- Registers ---------------------------------------------------------------------------------

std::string GdbStub::inject(const Input& input)
{
    try {
        machine_.inject(input);
    } catch (const HostError&) {
        return std::holds_alternative<DebugMemoryInput>(input) ? kNoMemory : kRefused;
    }
    return kOk;
}

std::string GdbStub::read_registers() const
{
    std::string all;
    for (std::size_t i = 0; i < registers_.count(); ++i) all += registers_.read(debugger_, i);
    return all;
}

/// Only those that are changed are written: some cannot be.
std::string GdbStub::write_registers(std::string_view hex)
{
    std::string result = kOk;
    for (std::size_t i = 0; i < registers_.count() && !hex.empty(); ++i) {
        const std::string_view part = hex.substr(0, 2 * registers_.bytes(i));
        hex.remove_prefix(part.size());
        if (part == registers_.read(debugger_, i)) continue;
        const auto bytes = from_hex(part);
        if (!bytes) continue;  // x: not known
        const auto input = registers_.write(i, *bytes);
        if (!input || inject(*input) != kOk) result = kRefused;
    }
    return result;
}

std::string GdbStub::read_register(std::string_view number) const
{
    const auto n = take_number(number);
    if (!n || *n >= registers_.count()) return kBadRequest;
    return registers_.read(debugger_, static_cast<std::size_t>(*n));
}

std::string GdbStub::write_register(std::string_view arguments)
{
    const auto n = take_number(arguments);
    if (!n || *n >= registers_.count() || !take(arguments, "=")) return kBadRequest;
    const auto bytes = from_hex(arguments);
    if (!bytes) return kBadRequest;
    const auto input = registers_.write(static_cast<std::size_t>(*n), *bytes);
    return input ? inject(*input) : kRefused;
}

// ---- Memory ------------------------------------------------------------------------------------

std::string GdbStub::read_memory(std::string_view arguments, bool binary) const
{
    const auto range = take_pair(arguments, ',');
    if (!range || !arguments.empty()) return kBadRequest;
    std::vector<u8> bytes(std::min<u64>(range->second, kPacketSize / 2 - 8));
    bytes.resize(debugger_.read_memory(range->first, monitor_.physical, bytes));
    if (bytes.empty() && range->second != 0) return kNoMemory;
    return binary ? 'b' + std::string(text_of(bytes)) : to_hex(text_of(bytes));
}

std::string GdbStub::write_memory(std::string_view arguments, bool binary)
{
    const auto range = take_pair(arguments, ',');
    if (!range || !take(arguments, ":")) return kBadRequest;
    const auto bytes = binary ? std::optional(std::string(arguments)) : from_hex(arguments);
    if (!bytes || bytes->size() != range->second) return kBadRequest;
    if (bytes->empty()) return kOk;
    return inject(
        DebugMemoryInput{range->first, monitor_.physical, {bytes->begin(), bytes->end()}});
}

// ---- Breakpoints and watchpoints ---------------------------------------------------------------

/// type,address,kind; the kind of a watchpoint is its length.
std::string GdbStub::change_point(std::string_view arguments, bool insert)
{
    const auto type = take_number(arguments);
    if (!type || !take(arguments, ",")) return kBadRequest;
    const auto place = take_pair(arguments, ',');
    if (!place) return kBadRequest;
    if (*type > 4) return kUnknown;
    const auto [address, size] = *place;
    if (insert && debugger_.points() >= kMaxPoints) return kTooMany;
    if (*type < 2) {
        if (insert) debugger_.add_breakpoint(address);
        else debugger_.remove_breakpoint(address);
        return kOk;
    }
    const Debugger::Watchpoint watchpoint{address, size, *type != 2, *type != 3};
    if (insert) debugger_.add_watchpoint(watchpoint);
    else debugger_.remove_watchpoint(watchpoint);
    return kOk;
}

// ---- Running -----------------------------------------------------------------------------------

void GdbStub::go_on()
{
    owes_stop_ = true;
    interrupted_ = false;
}

/// c [address], s [address]; C and S have a signal before, which a PC does not know.
std::optional<std::string> GdbStub::handle_resume(const std::string& packet)
{
    std::string_view text = std::string_view(packet).substr(1);
    const char kind = packet[0];
    if (kind == 'C' || kind == 'S') {
        if (!take_number(text)) return kBadRequest;
        take(text, ";");
    }
    if (!text.empty()) {
        const auto address = take_number(text);
        if (!address) return kBadRequest;
        if (inject(DebugRegisterInput{"pc", debug_value(*address)}) != kOk) return kRefused;
    }
    if (kind == 'c' || kind == 'C') debugger_.resume();
    else debugger_.step();
    go_on();
    return std::nullopt;
}

std::optional<std::string> GdbStub::handle_v(const std::string& packet)
{
    std::string_view text = packet;
    if (text == "vCont?") return "vCont;c;C;s;S;t;r";
    if (text.starts_with("vKill")) return kill_ = true, kOk;
    if (text == "vCtrlC") return interrupt(), kOk;
    if (!take(text, "vCont;")) return kUnknown;
    // There is one thread, so the first action is its action.
    const std::string_view action = text.substr(0, text.find_first_of(":;"));
    if (action.starts_with('r')) {
        std::string_view range = action.substr(1);
        const auto bounds = take_pair(range, ',');
        if (!bounds) return kBadRequest;
        // Up to, but not including, the second one; of an empty range, a single step.
        if (bounds->first < bounds->second) debugger_.step_range(bounds->first, bounds->second - 1);
        else debugger_.step();
    } else if (action.starts_with('s') || action.starts_with('S')) {
        debugger_.step();
    } else if (action.starts_with('c') || action.starts_with('C')) {
        debugger_.resume();
    } else if (action != "t") {
        return kBadRequest;
    }
    go_on();
    return std::nullopt;
}

void GdbStub::interrupt()
{
    if (!owes_stop_) return;
    interrupted_ = !debugger_.is_stopped();
    debugger_.stop();
}

std::optional<GdbStub::StopReply> GdbStub::stop_reply()
{
    if (!owes_stop_ || !debugger_.is_stopped()) return std::nullopt;
    owes_stop_ = false;
    StopReply reply{"", stop_packet()};
    const Debugger::Why why = debugger_.stopped()->why;
    if (why == Debugger::Why::Shutdown)
        reply.message = "Triple fault. If the guest goes on, it is reset.\n";
    if (why == Debugger::Why::Halted)
        reply.message = "The CPU waits for an interrupt that can never come.\n";
    return reply;
}

std::string GdbStub::stop_packet() const
{
    const Debugger::Stopped stopped = debugger_.stopped().value_or(Debugger::Stopped{});
    const auto packet = [](Signal signal, const std::string& reason = "") {
        return fmt::format("T{:02x}thread:1;{}", static_cast<int>(signal), reason);
    };
    switch (stopped.why) {
    case Debugger::Why::Request: return packet(interrupted_ ? kSignalInt : kSignalTrap);
    case Debugger::Why::Breakpoint: return packet(kSignalTrap, knows_swbreak_ ? "swbreak:;" : "");
    case Debugger::Why::Read:
        return packet(kSignalTrap, fmt::format("rwatch:{:x};", stopped.address));
    case Debugger::Why::Write:
        return packet(kSignalTrap, fmt::format("watch:{:x};", stopped.address));
    case Debugger::Why::Shutdown: return packet(kSignalSegv);
    case Debugger::Why::Step:
    case Debugger::Why::Halted: break;
    }
    return packet(kSignalTrap);
}

}  // namespace reprise
