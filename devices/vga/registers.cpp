/// The VGA as the I/O ports show it.
#include "devices/vga/vga.h"
#include "machine/base/bits.h"

namespace reprise {

using namespace vga;

namespace {

// Bits that exist. Others read as 0 and ignore writes ("reserved").
constexpr std::array<u8, kSequencerRegisters> kSequencerBits{0x03, 0x3D, 0x0F, 0x3F, 0x0E};
constexpr std::array<u8, kCrtcRegisters> kCrtcBits{
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0x3F, 0x7F, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xEF, 0xFF};
constexpr std::array<u8, kGraphicsRegisters> kGraphicsBits{0x0F, 0x0F, 0x0F, 0x1F, 0x03,
                                                           0x7B, 0x0F, 0x0F, 0xFF};
constexpr u8 kAttributeModeBits = 0xEF;
constexpr u8 kMiscOutputBits = 0xEF, kFeatureControlBits = 0x0B;

/// The level of a 6-bit DAC output above which the sense comparators trip with a 75 ohm monitor.
constexpr u8 kSenseLevel = 0x1F;

constexpr u8 attribute_bits(u8 index)
{
    if (index < kModeControl) return 0x3F;
    switch (index) {
    case kModeControl: return kAttributeModeBits;
    case kOverscanColor: return 0xFF;
    case kColorPlaneEnable: return 0x3F;
    default: return 0x0F;
    }
}

/// The CRT controller and input status 1 are at 3Bxh or 3Dxh; the other place is empty.
constexpr u16 kNowhere = 0xFFFF;

constexpr u16 decode(u16 offset, bool color)
{
    switch (offset) {
    case kMonoCrtcIndex:
    case kMonoCrtcData:
    case kMonoInputStatus1:
        return color ? kNowhere : static_cast<u16>(offset + (kCrtcIndex - kMonoCrtcIndex));
    case kCrtcIndex:
    case kCrtcData:
    case kInputStatus1: return color ? offset : kNowhere;
    default: return offset;
    }
}

template <std::size_t N>
u8 indexed(const std::array<u8, N>& registers, u8 index)
{
    return index < N ? registers[index] : 0;
}

}  // namespace

u8 Vga::read(u16 offset)
{
    switch (decode(offset, (state.misc_output & kIoAddressSelect) != 0)) {
    case kAttributeWrite: return state.attribute_index;
    case kAttributeRead: return indexed(state.attribute, state.attribute_index & 0x1F);
    case kInputStatus0: return read_input_status_0();
    case kSequencerIndex: return state.sequencer_index;
    case kSequencerData: return indexed(state.sequencer, state.sequencer_index);
    case kPelMask: return state.dac.pel_mask;
    case kDacState: return state.dac.access_state();
    case kDacWriteAddress: return state.dac.address;
    case kDacData: return state.dac.read_data();
    case kFeatureControlRead: return state.feature_control;
    case kMiscOutputRead: return state.misc_output;
    case kGraphicsIndex: return state.graphics_index;
    case kGraphicsData: return indexed(state.graphics, state.graphics_index);
    case kCrtcIndex: return state.crtc_index;
    case kCrtcData: return read_crtc();
    case kInputStatus1: return read_input_status_1();
    default: return 0xFF;
    }
}

void Vga::write(u16 offset, u8 value)
{
    switch (decode(offset, (state.misc_output & kIoAddressSelect) != 0)) {
    case kAttributeWrite: return write_attribute(value);
    case kMiscOutputWrite: return write_misc_output(value);
    case kSequencerIndex: state.sequencer_index = value & 0x07; break;
    case kSequencerData: return write_sequencer(value);
    case kPelMask: state.dac.pel_mask = value; break;
    case kDacReadAddress: return state.dac.set_read_address(value);
    case kDacWriteAddress: return state.dac.set_write_address(value);
    case kDacData: return state.dac.write_data(value, state.dispi.eight_bit_dac());
    case kGraphicsIndex: state.graphics_index = value & 0x0F; break;
    case kGraphicsData: return write_graphics(value);
    case kCrtcIndex: state.crtc_index = value & 0x3F; break;
    case kCrtcData: return write_crtc(value);
    case kFeatureControlWrite: state.feature_control = value & kFeatureControlBits; break;
    default: break;
    }
}

void Vga::write_misc_output(u8 value)
{
    state.misc_output = value & kMiscOutputBits;
    refresh_timing();
    refresh_memory();
}

void Vga::write_sequencer(u8 value)
{
    const u8 index = state.sequencer_index;
    if (index >= kSequencerRegisters) return;
    state.sequencer[index] = value & kSequencerBits[index];
    if (index == kClockingMode) refresh_timing();
    if (index == kMapMask || index == kMemoryMode) refresh_memory();
}

void Vga::write_graphics(u8 value)
{
    const u8 index = state.graphics_index;
    if (index >= kGraphicsRegisters) return;
    state.graphics[index] = value & kGraphicsBits[index];
    refresh_memory();
}

/// "The internal palette registers can be loaded only when [the palette address source] bit is 0."
/// (Attribute Address Register)
void Vga::write_attribute(u8 value)
{
    state.attribute_data_next = !state.attribute_data_next;
    if (state.attribute_data_next) {
        state.attribute_index = value & 0x3F;
        return;
    }
    const u8 index = state.attribute_index & 0x1F;
    if (index >= kAttributeRegisters) return;
    if (index < kModeControl && (state.attribute_index & kPaletteAddressSource)) return;
    state.attribute[index] = value & attribute_bits(index);
}

u8 Vga::read_crtc() const
{
    switch (state.crtc_index) {
    case kCpuLatch:
        return static_cast<u8>(state.latch >> 8 * state.graphics[kReadMapSelect]);
    case kAttributeFlipFlop: return state.attribute_data_next ? 0x80 : 0x00;
    case kAttributeIndex: return state.attribute_index;
    default: return indexed(state.crtc, state.crtc_index);
    }
}

/// Protect locks registers 0 to 7, but not bit 8 of line compare (Vertical Retrace End).
void Vga::write_crtc(u8 value)
{
    const u8 index = state.crtc_index;
    if (index >= kCrtcRegisters) return;
    const u8 old = state.crtc[index];
    u8 writable = kCrtcBits[index];
    if (index <= kOverflow && (state.crtc[kVerticalRetraceEnd] & kProtect))
        writable = index == kOverflow ? 0x10 : 0x00;
    state.crtc[index] = static_cast<u8>((old & ~writable) | (value & writable));
    if (state.crtc[index] == old) return;

    switch (index) {
    case kStartAddressHigh:
    case kStartAddressLow: return arm_retrace();
    case kVerticalRetraceEnd:
        // Interrupts count from when the clear bit is set again.
        if (!(old & kClearInterruptOff)) state.retraces_cleared = retrace_count();
        refresh_timing();
        return refresh_interrupt();
    default: return refresh_timing();
    }
}

/// Switch sense: the comparators on the DAC's outputs, which a BIOS uses to tell monitors apart.
/// Ours is a colour monitor, so all three lines are terminated.
u8 Vga::read_input_status_0() const
{
    const auto& table = state.dac.table;
    const bool tripped = table[0] > kSenseLevel || table[1] > kSenseLevel || table[2] > kSenseLevel;
    return static_cast<u8>((tripped ? 0 : kSwitchSense) |
                           (interrupt_pending() ? kInterruptPending : 0));
}

/// Reading it makes the attribute controller expect an index. The diagnostic bits, two of the
/// pixel's colour bits, are not looked up: they are ones where there is a picture.
u8 Vga::read_input_status_1()
{
    state.attribute_data_next = false;
    const u64 tick = beam().tick;
    return static_cast<u8>((timing_.displays(tick) ? kDiagnostics : kDisplayDisabled) |
                           (timing_.in_vertical_retrace(tick) ? kVerticalRetrace : 0));
}

}  // namespace reprise
