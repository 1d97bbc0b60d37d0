#include "machine/machine.h"

#include <type_traits>

#include "machine/base/error.h"
#include "machine/board.h"
#include "machine/debug_registers.h"
#include "machine/debugger.h"
#include "machine/host_channel.h"
#include "machine/savestate.h"
#include "machine/savestate_file.h"

namespace reprise {

namespace {

constexpr const char* kConfigChunk = "config";
constexpr const char* kMediaChunk = "media";
constexpr const char* kStateChunk = "state";
constexpr const char* kRamChunk = "ram";

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::string hex_text(u64 value)
{
    constexpr const char* kDigits = "0123456789abcdef";
    std::string text;
    do text.insert(text.begin(), kDigits[value & 15]);
    while (value >>= 4);
    return "0x" + text;
}

/// The media of a machine, its kernel among them: what they were, or the changes that only memory
/// holds.
struct MediaState {
    Board& board;

    void visit(auto& v)
    {
        for (int i = 0; i < 2; ++i) visit_drive(v, "floppy", board.floppy_medium(i));
        for (int i = 0; i < 4; ++i) visit_drive(v, "ata", board.ata_medium(i));
        if (!board.kernel()) return;
        const KernelFiles& files = board.kernel()->files();
        visit_identity(v, "kernel", identify_file(files.config.path, files.image));
        for (std::size_t i = 0; i < files.modules.size(); ++i)
            visit_identity(v, "initrd",
                           identify_file(files.config.initrd[i].path, files.modules[i]));
    }

private:
    static void visit_drive(auto& v, const char* name, Board::DriveMedium& drive)
    {
        if (!drive.medium.device) return;
        if (drive.medium.overlay) return v(name, *drive.medium.overlay);
        visit_identity(v, name, identify_medium(drive.config.path, *drive.medium.device));
    }

    static void visit_identity(auto& v, const char* name, const MediaIdentity& present)
    {
        MediaIdentity saved = present;
        v(name, saved);
        if (saved.size != present.size || saved.hash != present.hash)
            throw HostError(
                "'" + present.path +
                "' has changed since the machine was saved, and the guest would find another "
                "than it left; put it back as it was");
    }
};

}  // namespace

Machine::Machine(const MachineConfig& config)
    : board_(std::make_unique<Board>(config, [this](std::string_view m) {
          if (on_message) on_message(m);
      }))
{
    open_host_ports();
    connect_outputs();
}

Machine::~Machine() = default;

void Machine::open_host_ports()
{
    const auto tell = [this](std::string_view m) {
        if (on_message) on_message(m);
    };
    for (std::size_t i = 0; i < 2; ++i)
        serial_[i] = open_host_channel(config().serial[i].backend, tell);
    if (!config().parallel_path.empty())
        printer_ = open_host_channel("file:" + config().parallel_path, tell);
}

/// Moves what waits in both directions.
void Machine::poll_host_ports()
{
    for (int i = 0; i < 2; ++i) {
        std::vector<u8> bytes = serial_[static_cast<std::size_t>(i)]->poll(serial_space(i));
        if (!bytes.empty()) inject(SerialInput{i, std::move(bytes)});
    }
    if (printer_) static_cast<void>(printer_->poll(0));
}

void Machine::connect_outputs()
{
    board_->on_guest_message = [this](std::string_view m) {
        if (on_guest_message) on_guest_message(m);
    };
    board_->speaker.on_level = [this](Time when, bool level) {
        if (on_speaker) on_speaker(when, level);
    };
    board_->debug_console.on_byte = [this](u8 byte) {
        if (on_debug_output) on_debug_output(byte);
    };
    board_->post.on_code = [this](u8 code) {
        if (on_post_code) on_post_code(code);
    };
    for (int i = 0; i < 2; ++i)
        board_->uart[static_cast<std::size_t>(i)].on_transmit = [this, i](u8 byte) {
            serial_[static_cast<std::size_t>(i)]->send(byte);
            if (on_serial_output) on_serial_output(i, byte);
        };
    board_->parallel.on_byte = [this](u8 byte) {
        if (printer_) printer_->send(byte);
        if (on_parallel_output) on_parallel_output(byte);
    };
}

const MachineConfig& Machine::config() const { return board_->config; }
Time Machine::now() const { return board_->time_of(board_->cpu.state.clock); }
bool Machine::set_engine(Engine engine)
{
    board_->cpu.set_engine(engine);
    return board_->cpu.engine() == engine;
}

Engine Machine::engine() const { return board_->cpu.engine(); }

std::string_view Machine::why_no_translator() const { return reprise::why_no_translator(board_->cpu); }

const TranslatorStatistics* Machine::translator_statistics() const
{
    return board_->cpu.translator_statistics();
}

void Machine::measure_translation(std::function<u64()> host_clock_ns)
{
    board_->cpu.host_clock_ns = std::move(host_clock_ns);
}

u64 Machine::instructions() const { return board_->cpu.state.clock - board_->cpu.state.idle; }
int Machine::exit_code() const
{
    return static_cast<int>((board_->exit_value.value_or(0) << 1 | 1) & 0xFF);
}

Stop Machine::run_until(Time time)
{
    if (debugger_ && debugger_->is_stopped()) return Stop::Debugger;
    poll_host_ports();
    const Stop stop = run_debugged(board_->clock_at(time), ~u64{0});
    poll_host_ports();
    return stop;
}

Stop Machine::run_to_instruction(u64 count, Time until)
{
    return run_debugged(until == kNever ? ~u64{0} : board_->clock_at(until), count);
}

Stop Machine::run_debugged(u64 clock, u64 count)
{
    return debugger_ ? debugger_->run(clock, count) : run_to(clock, count);
}

/// Runs to clock tick `clock`, or until `count` instructions have retired, whichever is first. The
/// CPU runs from event to event; while it is halted, time jumps. What comes next is asked anew in
/// every round: the guest's accesses to chips move events.
Stop Machine::run_to(u64 clock, u64 count)
{
    Board& b = *board_;
    CpuState& cpu = b.cpu.state;
    for (;;) {
        if (b.exit_value) return Stop::Exit;
        if (b.reset_requested()) {
            if (debugger_ && cpu.shutdown && debugger_->holds_reset()) return Stop::Debugger;
            b.reset();
        }
        if (b.powered_off()) return Stop::PoweredOff;
        const u64 retired = cpu.clock - cpu.idle;
        if (cpu.clock >= clock || retired >= count) return Stop::Reached;

        const Time deadline = b.scheduler.next_deadline();
        const u64 due = deadline == kNever ? ~u64{0} : b.clock_at(deadline);
        if (due > cpu.clock) {
            if (b.cpu.waiting()) {
                const bool wakes = (cpu.rflags & IF) || b.may_raise_nmi();
                if (!wakes || due == ~u64{0}) return Stop::Halted;
                b.cpu.idle(std::min(clock, due) - cpu.clock);
            } else {
                const u64 left = count - retired;
                const u64 last_tick = left > ~u64{0} - cpu.clock ? ~u64{0} : cpu.clock + left;
                b.cpu.run(std::min({clock, due, last_tick}));
            }
        }
        b.scheduler.advance_to(b.time_of(cpu.clock));
        if (const DebugWatch* watch = b.cpu.debug_watch(); watch && watch->hit)
            return Stop::Debugger;
    }
}

void Machine::inject(const Input& input)
{
    Board& b = *board_;
    b.scheduler.set_now(now());
    std::visit(Overloaded{
                   [&](const KeyInput& key) { b.keyboard.set_key(key.usage, key.pressed); },
                   [&](const MouseInput& mouse) {
                       if (mouse.dx || mouse.dy || mouse.dz)
                           b.mouse.move(mouse.dx, mouse.dy, mouse.dz);
                       b.mouse.set_buttons(mouse.buttons);
                   },
                   [&](const MediaInput& media) { b.change_medium(media); },
                   [&](const SerialInput& serial) {
                       for (const u8 byte : serial.bytes)
                           b.uart[static_cast<std::size_t>(serial.port & 1)].receive(byte);
                   },
                   [&](const ResetInput&) { b.request_reset(); },
                   [&](const PowerButtonInput&) {
                       if (b.has_apic()) b.pm.press_power_button();
                   },
                   [&](const DebugMemoryInput& memory) { write_memory(memory); },
                   [&](const DebugRegisterInput& reg) { write_register(reg); },
               },
               input);
}

void Machine::write_memory(const DebugMemoryInput& input)
{
    constexpr u64 kPage = 4096;
    for (std::size_t done = 0; done < input.bytes.size();) {
        const u64 address = input.address + done;
        const std::size_t size =
            std::min<std::size_t>(input.bytes.size() - done, kPage - address % kPage);
        const std::optional<u64> physical =
            input.physical ? std::optional(address) : board_->cpu.probe(address);
        if (!physical)
            throw HostError("the guest has no memory at linear address " + hex_text(address));
        if (!board_->poke(*physical, std::span(input.bytes).subspan(done, size)))
            throw HostError("there is read-only memory at address " + hex_text(address));
        done += size;
    }
}

void Machine::write_register(const DebugRegisterInput& input)
{
    const DebugRegisters registers = debug_registers(board_->cpu);
    const DebugRegister* reg = find_register(registers, input.name);
    if (!reg) throw HostError("this CPU has no register '" + input.name + "'");
    if (!reg->write || !reg->write(board_->cpu, input.value))
        throw HostError("register " + input.name + " cannot be set to that");
}

std::size_t Machine::serial_space(int port) const
{
    return board_->uart[static_cast<std::size_t>(port & 1)].receive_space();
}

void Machine::render(Frame& frame) const { board_->vga.render(frame); }
TextScreen Machine::text_screen() const { return board_->vga.text_screen(); }

bool Machine::keyboard_led(int index) const
{
    return board_->keyboard.led(static_cast<u8>(1 << (index & 3)));
}
bool Machine::mouse_enabled() const { return board_->mouse.enabled(); }

void Machine::flush_media() { board_->flush_media(); }

// ---- State -------------------------------------------------------------------------------------

u64 Machine::state_hash()
{
    StateHasher hasher;
    walk(Path{"machine"}, *board_, hasher);
    hasher.bytes(Path{"ram"}, board_->memory.ram.bytes());
    return hasher.hash();
}

void Machine::save(const std::string& path)
{
    board_->flush_media();
    SavestateFile file;
    const std::string toml = save_machine_toml(board_->config);
    file.add_chunk(kConfigChunk, {toml.begin(), toml.end()});
    StateWriter media_writer;
    MediaState media{*board_};
    media_writer.save("media", media);
    file.add_chunk(kMediaChunk, std::move(media_writer.saved));
    StateWriter writer;
    writer.save("machine", *board_);
    file.add_chunk(kStateChunk, std::move(writer.saved));
    file.add_chunk(kRamChunk, pack_pages(board_->memory.ram.bytes()));
    file.identity.state = state_hash();
    file.write(path);
}

std::unique_ptr<Machine> Machine::load(const std::string& path)
{
    const SavestateFile file = SavestateFile::read(path);
    file.require_known({kConfigChunk, kMediaChunk, kStateChunk, kRamChunk});
    const std::vector<u8>& toml = file.chunk(kConfigChunk);
    auto machine = std::make_unique<Machine>(
        parse_machine_toml({reinterpret_cast<const char*>(toml.data()), toml.size()}, path));
    Board& b = *machine->board_;

    StateReader media_reader(file.chunk(kMediaChunk));
    MediaState media{b};
    media_reader.load("media", media);
    media_reader.finish();
    StateReader reader(file.chunk(kStateChunk));
    reader.load("machine", b);
    reader.finish();
    unpack_pages(file.chunk(kRamChunk), b.memory.ram.bytes());
    b.state_loaded();
    return machine;
}

}  // namespace reprise
