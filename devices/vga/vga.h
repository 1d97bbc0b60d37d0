/// IBM VGA with the Bochs display interface (DISPI) and 16 MiB of memory.
///
/// References: IBM, "Personal System/2 Hardware Interface Technical Reference" (S68X-2330), chapter
/// "Video Subsystem", for every register, bit and write mode; Inmos IMS G171 data sheet for the
/// DAC; the Bochs project's "VBE display API" for DISPI. Registers are named by group and index as
/// there: sequencer, CRTC, graphics controller, attribute controller.
///
///     CPU --> graphics controller --> memory (4 planes) --> sequencer --> attribute --> DAC -->
///     RGB
///             window at A0000h        CRTC counts addresses               controller
///
/// Nothing runs per character clock: the beam's position is a function of guest time, and the
/// picture is made when somebody wants to see it. One event marks the next vertical retrace, and is
/// armed only while something happens there: a start address to take over or an interrupt to
/// request.
///
/// Memory: plane p of address a is vram[4 * a + p]. The IBM chip stores byte A of the 256-colour
/// chain-4 layout at plane address A & ~3 and lets the CRTC multiply its counter by four
/// (doubleword mode). Here it is stored at A >> 2 and doubleword mode counts by one: the picture is
/// the same, chain-4 memory is linear, as super VGAs have it, and all 256 KiB are within the
/// counter's reach. The difference shows only to a program that writes in one layout and reads in
/// the other.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "devices/vga/frame.h"
#include "machine/base/bits.h"
#include "machine/base/device_memory.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

/// A part of the window at A0000h that is plain memory at present.
struct DirectWindow {
    u32 window_offset = 0;  // from A0000h
    u32 size = 0;
    u8* host = nullptr;
    u64 vram_offset = 0;  // host == vram().data() + vram_offset
    bool operator==(const DirectWindow&) const = default;
};

class Vga final : public DeviceMemory {
public:
    static constexpr u32 kVramSize = 16 << 20;

    struct State {
        // General registers.
        u8 miscellaneous_output = 0;
        u8 feature_control = 0;
        u8 video_subsystem_enable = 1;

        u8 sequencer_index = 0;
        std::array<u8, 5> sequencer{};
        u8 crtc_index = 0;
        std::array<u8, 0x19> crtc{};
        u8 graphics_index = 0;
        std::array<u8, 9> graphics{};
        u8 attribute_index = 0;       // bit 5: internal palette address source
        bool attribute_data = false;  // the flip-flop: the next write is data
        std::array<u8, 0x15> attribute{};

        // DAC. One address register; a colour passes through the buffer as a whole.
        u8 pel_mask = 0xFF;
        u8 dac_address = 0;
        u8 dac_component = 0;  // 0..2: red, green, blue
        bool dac_reading = false;
        std::array<u8, 3> dac_buffer{};
        std::array<u8, 768> dac{};  // 6 bits each, or 8 (DISPI)

        u32 latch = 0;  // plane p in bits 8p+7..8p

        // The beam was at `epoch_position` (character clocks into the frame) at time `epoch`.
        Time epoch = 0;
        u64 epoch_position = 0;
        u64 epoch_frames = 0;
        u16 start_address = 0;  // what the picture uses; 0Ch/0Dh take effect at vertical retrace
        bool retrace_interrupt = false;  // the latch behind on_irq

        u16 dispi_index = 0;
        std::array<u16, 10> dispi{0xB0C5};

        constexpr void visit(auto& v)
        {
            v("miscellaneous_output", miscellaneous_output);
            v("feature_control", feature_control);
            v("video_subsystem_enable", video_subsystem_enable);
            v("sequencer_index", sequencer_index);
            v("sequencer", sequencer);
            v("crtc_index", crtc_index);
            v("crtc", crtc);
            v("graphics_index", graphics_index);
            v("graphics", graphics);
            v("attribute_index", attribute_index);
            v("attribute_data", attribute_data);
            v("attribute", attribute);
            v("pel_mask", pel_mask);
            v("dac_address", dac_address);
            v("dac_component", dac_component);
            v("dac_reading", dac_reading);
            v("dac_buffer", dac_buffer);
            v.bytes("dac", dac);
            v("latch", latch);
            v("epoch", epoch);
            v("epoch_position", epoch_position);
            v("epoch_frames", epoch_frames);
            v("start_address", start_address);
            v("retrace_interrupt", retrace_interrupt);
            v("dispi_index", dispi_index);
            v("dispi", dispi);
        }
    };

    explicit Vga(Scheduler& scheduler);
    Vga(const Vga&) = delete;
    Vga& operator=(const Vga&) = delete;

    std::function<void(bool level)> on_irq;    // vertical retrace interrupt
    std::function<void()> on_mapping_changed;  // direct_window() answers differently than before

    u8 read(u16 offset);  // offsets from port 3B0h, up to 2Fh
    void write(u16 offset, u8 value);

    u16 dispi_read(u16 offset) const;  // 0: index, 1: data
    void dispi_write(u16 offset, u16 value);
    u16 dispi_register(u16 index) const;
    void set_dispi_register(u16 index, u16 value);

    // Offsets from A0000h, up to 1FFFFh.
    using DeviceMemory::memory_read, DeviceMemory::memory_write;
    u8 memory_read(u32 offset) override;
    void memory_write(u32 offset, u8 value) override;
    u8 memory_peek(u32 offset);  // what a read would give; the latches stay
    /// What the host may map into the window instead of calling the two above.
    std::optional<DirectWindow> direct_window() const;
    /// All memory: the linear frame buffer, aligned to 4 KiB.
    std::span<u8> vram() { return {vram_, kVramSize}; }

    /// The picture. VGA modes come in logical pixels: 720x400 or 640x400 text, 320x200 for mode 13h
    /// although the monitor gets every line and pixel twice. Repeated lines are left out, so a
    /// split or a row scan offset in the middle of a repeated line moves to the next one.
    void render(Frame& frame) const;
    TextScreen text_screen() const;

    void reset();         // a hardware reset; memory keeps its contents
    void state_loaded();  // the state was replaced from outside

    void visit(auto& v)
    {
        v("state", state);
        v.bytes("vram", vram());
    }

    State state;

private:
    /// CRTC timing in character clocks and scan lines, never zero.
    struct Timing {
        Clock character_clock{25'175'000, 9};
        u32 h_total = 5, h_displayed = 1;
        u32 v_total = 2, v_displayed = 1;
        u32 retrace_start = 0, retrace_lines = 1;
        bool operator==(const Timing& other) const;
        u64 frame_length() const { return u64{h_total} * v_total; }
    };
    /// How the CPU sees memory: everything that follows from registers, worked out once.
    struct Window {
        u32 first = 0, size = 0;  // from A0000h; size 0: closed
        u32 base = 0;             // bytes of vram (linear), or plane addresses
        bool direct = false;      // plain memory from vram[base]
        bool chain4 = false;
        bool chain_odd_even = false;  // A0 does not reach memory
        bool a16_to_a0 = false;
        bool odd_even_write = false, odd_even_read = false;
        u32 planes = 0;  // enabled for writing, FFh each
        u32 set_reset = 0, enable_set_reset = 0;
        u32 colour_compare = 0, colour_care = 0;
        u32 bit_mask = 0;
        u8 rotate = 0, function = 0, write_mode = 0, read_plane = 0;
        bool compare = false;  // read mode 1
    };
    /// What the CRTC, sequencer and attribute controller make of memory: one picture.
    struct Display {
        bool graphics = false;
        bool eight_bit = false;     // two nibbles make a pixel
        u32 columns = 0, dots = 8;  // characters per line, dots per character
        u32 lines = 0;              // scan lines
        u32 line_repeat = 1;        // scan lines per line of the picture
        u32 width = 0, height = 0;  // of the picture
        u8 max_scan = 0;            // last row scan of a character
        bool double_scan = false;
        u32 pitch = 0;  // from row to row, in counts
        u32 split = 0;  // the scan line at which the counter starts over at zero
        u32 byte_pan = 0, pixel_pan = 0;
        bool pan_compatible = false;  // below the split nothing is panned
    };
    struct ScanLine {
        u32 row;      // of the picture
        u32 counter;  // memory address counter at the left edge
        u8 row_scan;
        bool below_split;
    };
    struct DispiMode {
        u32 width, height, virtual_width, bits_per_pixel, pitch;
    };
    struct Free {
        void operator()(u8* memory) const;
    };
    using DotLine =
        std::array<u8, 2400>;  // attribute nibbles, 256 characters of 9 dots and one more

    bool decodes(u16 offset) const;
    u8 read_crtc() const;
    u8 input_status_0() const;
    u8 input_status_1();
    void write_attribute(u8 value);
    void write_sequencer(u8 value);
    void write_crtc(u8 value);
    void write_graphics(u8 value);
    u8 read_dac();
    void write_dac(u8 value);
    void load_dac_buffer();
    void set_dac_width(bool eight_bit);

    void update_window();
    u32 plane_address(u32 address) const;
    u32 load_planes(u32 plane_address) const;
    void store_planes(u32 plane_address, u32 value, u32 planes);
    u32 write_data(u8 value) const;

    void update_timing();
    Timing decode_timing() const;
    u64 beam_clocks() const;  // character clocks since the beginning of frame `epoch_frames`
    u64 frames() const;
    Timing dispi_timing() const;
    void arm_retrace();
    void retrace();
    bool interrupt_pin() const;
    void drive_interrupt(bool before);

    bool dispi_enabled() const { return bit(state.dispi[4], 0); }
    bool dispi_linear() const { return dispi_enabled() && state.dispi[3] != 4; }
    DispiMode dispi_mode() const;
    void set_dispi_enable(u16 value);
    void render_dispi(Frame& frame) const;

    Display display() const;
    void decode_vertical(Display& d) const;
    void decode_panning(Display& d) const;
    template <class Function>
    void for_each_line(const Display& d, Function function) const;
    u32 display_address(u32 counter, u8 row_scan) const;
    u32 display_planes(u32 counter, u8 row_scan) const;
    u32 cursor_counter() const;
    bool cursor_enabled() const;
    bool blanked() const;
    u32 dac_colour(u8 index) const;
    std::array<u32, 16> attribute_colours() const;
    std::array<u32, 256> eight_bit_colours() const;
    void render_vga(Frame& frame) const;
    void text_line(const Display& d, const ScanLine& line, DotLine& dots) const;
    void graphics_line(const Display& d, const ScanLine& line, DotLine& dots) const;

    Scheduler& scheduler_;
    Event retrace_event_;
    std::unique_ptr<u8, Free> memory_;
    u8* vram_;  // in memory_, aligned
    Window window_;
    Timing timing_;
    std::optional<DirectWindow> announced_;
};

static_assert(visits_every_member<Vga::State>);

/// Scan lines from the top of the screen, those that the picture has.
template <class Function>
void Vga::for_each_line(const Display& d, Function function) const
{
    u32 counter = state.start_address + d.byte_pan;
    u8 row_scan = bits(state.crtc[0x08], 4, 0);
    bool second_scan = false, below_split = false;
    for (u32 line = 0; line < d.height * d.line_repeat; ++line) {
        if (line == d.split) {
            counter = d.pan_compatible ? 0 : d.byte_pan;
            row_scan = 0;
            second_scan = false;
            below_split = true;
        }
        if (line % d.line_repeat == 0)
            function(ScanLine{line / d.line_repeat, counter, row_scan, below_split});
        second_scan = d.double_scan && !second_scan;
        if (second_scan) continue;
        if (row_scan == d.max_scan) counter += d.pitch;
        row_scan = row_scan == d.max_scan ? 0 : (row_scan + 1) & 31;
    }
}

}  // namespace reprise
