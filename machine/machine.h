/// A PC: the board, its clock, and the run loop. Several can live in one process.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "devices/vga/frame.h"
#include "machine/base/engine.h"
#include "machine/base/scheduler.h"
#include "machine/config.h"
#include "machine/input.h"

namespace reprise {

class Board;
class Debugger;
class HostChannel;

/// Why `run_until` came back.
enum class Stop : u8 {
    Reached,     // the requested time or instruction count
    Exit,        // the guest wrote to an isa-debug-exit port: see exit_code()
    PoweredOff,  // by the guest (ACPI "soft off"); a reset turns it on again
    Halted,      // the CPU waits for an interrupt that can never come (HLT with IF=0, no NMI source)
    Debugger,    // one that is attached wants it to stay where it is: see debugger.h
};

class Machine {
public:
    /// Builds the machine and resets it. Throws HostError (missing firmware, bad image, ...).
    explicit Machine(const MachineConfig& config);
    ~Machine();

    const MachineConfig& config() const;

    /// Runs to the first instruction boundary at or after guest time `time`. What has arrived at
    /// the serial ports' host side until now becomes input first.
    Stop run_until(Time time);
    /// Runs until exactly `count` instructions have retired since power-on, at most until guest
    /// time `until`: a guest that sleeps with all its interrupts masked retires nothing more.
    Stop run_to_instruction(u64 count, Time until = kNever);

    Time now() const;
    u64 instructions() const;  // retired since power-on
    int exit_code() const;     // after Stop::Exit: (value << 1) | 1, as QEMU's isa-debug-exit

    /// Who executes guest code from now on: the interpreter, until it is told otherwise. Not an input, as
    /// nothing in the guest depends on it. False: there is no translator; see why_no_translator.
    bool set_engine(Engine engine);
    Engine engine() const;
    /// The end of a sentence, or empty if there is one.
    std::string_view why_no_translator() const;
    /// Null while the interpreter does everything.
    const TranslatorStatistics* translator_statistics() const;
    /// For its translation_ns; nothing in the guest depends on it.
    void measure_translation(std::function<u64()> host_clock_ns);

    /// The only way in for the host. Takes effect now. Throws HostError if a medium cannot be
    /// opened; the drive then keeps the old one.
    void inject(const Input& input);

    /// How many bytes serial port 0 or 1 takes before it loses some.
    std::size_t serial_space(int port) const;

    void render(Frame& frame) const;  // what the monitor shows now; changes nothing
    TextScreen text_screen() const;

    /// XXH3 of the whole state: registers, RAM, chips, time.
    u64 state_hash();
    /// Writes everything to a file that `load` accepts: temporary file, fsync, rename.
    void save(const std::string& path);
    /// A machine that goes on exactly where the saved one stopped. Throws HostError if the file is
    /// damaged, or if an image is not what it was when the machine was saved.
    static std::unique_ptr<Machine> load(const std::string& path);

    /// Makes every medium durable. Throws HostError.
    void flush_media();

    // Outputs. Consumers only: they never steer the guest. All may be left empty.
    std::function<void(Time when, bool level)> on_speaker;           // OUT2 and port 61h bit 1
    std::function<void(u8 byte)> on_debug_output;                    // ports 402h and E9h
    std::function<void(int port, u8 byte)> on_serial_output;         // whatever the backend is
    std::function<void(u8 code)> on_post_code;                       // config.post_port
    std::function<void(u8 byte)> on_parallel_output;                 // LPT1
    std::function<void(std::string_view message)> on_message;        // host trouble, for the person
    std::function<void(std::string_view message)> on_guest_message;  // guest nonsense, logged once
    bool keyboard_led(int index) const;                              // 0 scroll, 1 num, 2 caps
    bool mouse_enabled() const;  // the guest asked for mouse packets

    Board& board() { return *board_; }

private:
    friend class Debugger;

    void connect_outputs();
    void open_host_ports();
    void poll_host_ports();
    Stop run_to(u64 clock, u64 count);
    Stop run_debugged(u64 clock, u64 count);
    void write_memory(const DebugMemoryInput& input);
    void write_register(const DebugRegisterInput& input);

    std::array<std::unique_ptr<HostChannel>, 2> serial_;
    std::unique_ptr<HostChannel> printer_;
    std::unique_ptr<Board> board_;
    Debugger* debugger_ = nullptr;  // who is attached
};

}  // namespace reprise
