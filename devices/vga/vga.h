/// IBM VGA with 16 MiB of video memory and the Bochs display interface: QEMU's "stdvga".
///
/// Datasheets: IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem" (S42G-2193-00);
/// for DISPI see dispi.h, for the colour table dac.h. Names below are the datasheet's.
///
/// Nothing here runs while the guest computes. The beam's position is computed from guest time
/// when a status register is read, and a picture is made when somebody wants to see one. The one
/// event is the next vertical retrace, and only while something waits for it.
///
/// Video memory is an array of words of four bytes. In VGA modes byte p of a word is plane p:
///
///     plane address a  ->  word (a & 3) << 14 | a >> 2      (memory.cpp says why)
///     chained by four  ->  byte = CPU address, so that mode 13h is linear
///     DISPI modes      ->  the linear frame buffer; planes of 4-bit modes: word = plane address
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "devices/vga/dac.h"
#include "devices/vga/dispi.h"
#include "devices/vga/frame.h"
#include "devices/vga/registers.h"
#include "devices/vga/timing.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class Vga {
public:
    static constexpr u32 kMemoryBytes = Dispi::kMemoryBytes;

    struct State {
        u8 misc_output = 0, feature_control = 0;
        u8 sequencer_index = 0;
        std::array<u8, vga::kSequencerRegisters> sequencer{};
        u8 crtc_index = 0;
        std::array<u8, vga::kCrtcRegisters> crtc{};
        u8 graphics_index = 0;
        std::array<u8, vga::kGraphicsRegisters> graphics{};
        u8 attribute_index = 0;            // bit 5: PAS, the palette address source
        bool attribute_data_next = false;  // the flip-flop
        std::array<u8, vga::kAttributeRegisters> attribute{};
        Dac dac;
        Dispi dispi;

        u32 latch = 0;          // the four planes' bytes that the CPU read last
        u16 start_address = 0;  // as the CRT controller took it at the last vertical retrace
        u64 frame_start = 0;    // the dot clock tick at which the counters were at 0, and how many
        u64 frames = 0;         // frames and
        u64 retraces = 0;       // vertical retraces had begun before
        u64 retraces_cleared = 0;  // the count when the interrupt was cleared
        bool irq = false;

        constexpr void visit(auto& v)
        {
            v("misc_output", misc_output);
            v("feature_control", feature_control);
            v("sequencer_index", sequencer_index);
            v("sequencer", sequencer);
            v("crtc_index", crtc_index);
            v("crtc", crtc);
            v("graphics_index", graphics_index);
            v("graphics", graphics);
            v("attribute_index", attribute_index);
            v("attribute_data_next", attribute_data_next);
            v("attribute", attribute);
            v("dac", dac);
            v("dispi", dispi);
            v("latch", latch);
            v("start_address", start_address);
            v("frame_start", frame_start);
            v("frames", frames);
            v("retraces", retraces);
            v("retraces_cleared", retraces_cleared);
            v("irq", irq);
        }
    };

    /// The part of the memory window that is plain memory: `size` bytes from `first` (an offset
    /// from A0000h) are vram() from `vram_offset`.
    struct LinearWindow {
        u32 first, size, vram_offset;
        bool operator==(const LinearWindow&) const = default;
    };

    explicit Vga(Scheduler& scheduler);
    Vga(const Vga&) = delete;
    Vga& operator=(const Vga&) = delete;

    /// The vertical retrace interrupt.
    std::function<void(bool level)> on_irq;
    /// The answer of direct() is another one now.
    std::function<void()> on_mapping_changed;
    std::function<void(std::string_view message)> on_log;

    /// Hardware reset. What is in the video memory stays.
    void reset();

    u8 read(u16 offset);  // of registers, offsets from 3B0h; FFh where nothing answers
    void write(u16 offset, u8 value);

    /// DISPI ports: 0 index, 1 data. Byte accesses take the high byte first, as the Bochs document
    /// has it.
    u16 dispi_read(u16 offset) const;
    void dispi_write(u16 offset, u16 value);
    u8 dispi_read_byte(u16 offset);
    void dispi_write_byte(u16 offset, u8 value);
    /// The same registers without the index port.
    u16 dispi_register(u16 number) const { return state.dispi.read(number); }
    void set_dispi_register(u16 number, u16 value);

    /// The memory window A0000h to BFFFFh; `offset` counts from A0000h.
    u8 memory_read(u32 offset)
    {
        const u32 address = offset - window_.first;
        if (address >= window_.size) return 0xFF;
        if (linear_) return vram_[window_.base + address];
        return planar_read(window_.base + address);
    }

    void memory_write(u32 offset, u8 value)
    {
        const u32 address = offset - window_.first;
        if (address >= window_.size) return;
        if (linear_) vram_[window_.base + address] = value;
        else planar_write(window_.base + address, value);
    }

    /// Whether the window is plain memory at present: chained by four, all planes, no operation of
    /// the graphics controller. Reads then leave the latches alone, whoever does them.
    std::optional<LinearWindow> direct() const;

    /// The linear frame buffer: 16 MiB, aligned to 4 KiB.
    std::span<u8> vram() { return {vram_, kMemoryBytes}; }

    bool irq() const { return state.irq; }
    u64 frame_count() const;    // frames begun since power-on, less one
    double refresh_hz() const;  // for people; nothing depends on it
    const CrtcTiming& timing() const { return timing_; }

    /// The picture in logical pixels. Scan lines that the mode shows more than once (double scan,
    /// and in graphics modes rows of more than one line) appear once, and a pixel is one pixel wide
    /// whatever its clock: text is 720x400, mode 12h 640x480, mode 13h 320x200. Black while the
    /// screen is off. Everything is seen as it is at this instant, except that the start address
    /// is the one that the CRT controller has taken.
    void render(Frame& frame) const;
    TextScreen text_screen() const;

    void visit(auto& v)
    {
        v("registers", state);
        v.bytes("vram", vram());
        refresh_after_load();
    }

    State state;

private:
    /// Where in the stream of frames the beam is: frames since State::frame_start, ticks since
    /// the frame's begin.
    struct Beam {
        u64 frame, tick;
    };
    /// The decoded part of the memory window. `base` is the bank.
    struct Window {
        u32 first = 0, size = 0, base = 0;
    };
    /// The graphics controller's registers as words: one byte per plane.
    struct Operation {
        u32 map_mask = 0, set_reset = 0, enable_set_reset = 0, bit_mask = 0;
        u32 color_compare = 0, color_dont_care = 0;
    };
    struct Free {
        void operator()(u8* memory) const;
    };

    // vga.cpp
    void refresh_after_load();
    void set_up_dispi_mode();
    u32 output_color(u8 pixel) const;

    // registers.cpp
    void write_misc_output(u8 value);
    void write_sequencer(u8 value);
    u8 read_crtc() const;
    void write_crtc(u8 value);
    void write_graphics(u8 value);
    void write_attribute(u8 value);
    u8 read_input_status_0() const;
    u8 read_input_status_1();

    // memory.cpp
    void refresh_memory();
    Window decode_window() const;
    bool is_linear() const;
    u32 plane_address(u32 address) const;
    u32 word_at(u32 address) const;
    u8 planar_read(u32 address);
    void planar_write(u32 address, u8 value);

    // timing.cpp
    Beam beam() const;
    u64 retrace_count() const;
    CrtcTiming programmed_timing() const;
    void refresh_timing();
    Time next_retrace() const;
    u16 programmed_start_address() const;
    bool interrupt_pending() const;
    void arm_retrace();
    void retrace();
    void refresh_interrupt();

    Scheduler& scheduler_;
    Event retrace_;
    std::unique_ptr<u8, Free> memory_;
    u8* vram_;  // in memory_, aligned

    // Derived from State.
    CrtcTiming timing_;
    Window window_;
    Operation operation_;
    bool linear_ = false;
};

static_assert(visits_every_member<Vga::State>);

}  // namespace reprise
