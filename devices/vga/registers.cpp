#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "devices/vga/vga.h"

namespace reprise {

namespace {

// Ports as offsets from 3B0h. CRTC, input status 1 and feature control answer at 3Bxh or 3Dxh.
constexpr u16 kAttributeIndex = 0x10, kAttributeData = 0x11;
constexpr u16 kMiscellaneousOutput = 0x12;  // write; reads give input status 0
constexpr u16 kVideoSubsystemEnable = 0x13;
constexpr u16 kSequencerIndex = 0x14, kSequencerData = 0x15;
constexpr u16 kPelMask = 0x16, kDacReadAddress = 0x17, kDacWriteAddress = 0x18, kDacData = 0x19;
constexpr u16 kFeatureControlRead = 0x1A, kMiscellaneousRead = 0x1C;
constexpr u16 kGraphicsIndex = 0x1E, kGraphicsData = 0x1F;
constexpr u16 kCrtcIndex = 0x24, kCrtcData = 0x25, kInputStatus1 = 0x2A;

// Bits that exist; the others read as zero.
constexpr std::array<u8, 5> kSequencerBits{0x03, 0x3D, 0x0F, 0x3F, 0x0E};
constexpr std::array<u8, 0x19> kCrtcBits{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F,
                                         0xFF, 0x3F, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                         0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xEF, 0xFF};
constexpr std::array<u8, 9> kGraphicsBits{0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};
constexpr std::array<u8, 0x15> kAttributeBits{0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F,
                                              0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F,
                                              0x3F, 0x3F, 0xEF, 0xFF, 0x3F, 0x0F, 0x0F};

constexpr std::size_t kPageSize = 4096;

/// calloc: the host gives pages as they are used, and most guests use one of the sixteen megabytes.
u8* allocate_memory()
{
    void* memory = std::calloc(Vga::kVramSize + kPageSize, 1);
    if (!memory) throw std::bad_alloc();
    return static_cast<u8*>(memory);
}

u8* next_page(u8* memory)
{
    return memory + (kPageSize - reinterpret_cast<std::uintptr_t>(memory) % kPageSize) % kPageSize;
}

template <std::size_t N>
void keep_existing_bits(std::array<u8, N>& registers, const std::array<u8, N>& existing)
{
    for (std::size_t i = 0; i < N; ++i) registers[i] &= existing[i];
}

}  // namespace

Vga::Vga(Scheduler& scheduler)
    : scheduler_(scheduler),
      retrace_event_(scheduler, "vga.retrace", [this] { retrace(); }),
      memory_(allocate_memory()),
      vram_(next_page(memory_.get()))
{
    reset();
}

void Vga::Free::operator()(u8* memory) const { std::free(memory); }

void Vga::reset()
{
    const bool pin = interrupt_pin();
    state = State{};
    state.epoch = scheduler_.now();
    timing_ = decode_timing();
    arm_retrace();
    update_window();
    drive_interrupt(pin);
}

/// Indices and counters from a damaged file must not reach beyond their tables.
void Vga::state_loaded()
{
    keep_existing_bits(state.sequencer, kSequencerBits);
    keep_existing_bits(state.crtc, kCrtcBits);
    keep_existing_bits(state.graphics, kGraphicsBits);
    keep_existing_bits(state.attribute, kAttributeBits);
    state.sequencer_index &= 0x07;
    state.crtc_index &= 0x3F;
    state.graphics_index &= 0x0F;
    state.attribute_index &= 0x3F;
    state.dac_component %= 3;
    state.dispi[5] &= 0xFF;
    state.epoch = std::min(state.epoch, scheduler_.now());
    timing_ = decode_timing();
    state.epoch_position %= timing_.frame_length();
    update_window();
    if (on_mapping_changed) on_mapping_changed();
}

/// Miscellaneous output bit 0: colour (3Dxh) or monochrome (3Bxh) addresses.
bool Vga::decodes(u16 offset) const
{
    if (offset == kVideoSubsystemEnable) return true;
    if (!bit(state.video_subsystem_enable, 0)) return false;
    if (offset >= 0x20) return bit(state.miscellaneous_output, 0);
    if (offset < 0x10) return !bit(state.miscellaneous_output, 0);
    return true;
}

u8 Vga::read(u16 offset)
{
    if (!decodes(offset)) return 0xFF;
    if (offset < 0x10) offset += 0x20;
    switch (offset) {
    case kAttributeIndex: return state.attribute_index;
    case kAttributeData: {
        const u8 index = bits(state.attribute_index, 4, 0);
        return index < state.attribute.size() ? state.attribute[index] : 0;
    }
    case kMiscellaneousOutput: return input_status_0();
    case kVideoSubsystemEnable: return state.video_subsystem_enable;
    case kSequencerIndex: return state.sequencer_index;
    case kSequencerData:
        return state.sequencer_index < state.sequencer.size()
                   ? state.sequencer[state.sequencer_index]
                   : 0;
    case kPelMask: return state.pel_mask;
    case kDacReadAddress: return state.dac_reading ? 3 : 0;
    case kDacWriteAddress: return state.dac_address;
    case kDacData: return read_dac();
    case kFeatureControlRead: return state.feature_control;
    case kMiscellaneousRead: return state.miscellaneous_output;
    case kGraphicsIndex: return state.graphics_index;
    case kGraphicsData:
        return state.graphics_index < state.graphics.size() ? state.graphics[state.graphics_index]
                                                            : 0;
    case kCrtcIndex: return state.crtc_index;
    case kCrtcData: return read_crtc();
    case kInputStatus1: return input_status_1();
    default: return 0xFF;
    }
}

void Vga::write(u16 offset, u8 value)
{
    if (!decodes(offset)) return;
    if (offset < 0x10) offset += 0x20;
    switch (offset) {
    case kAttributeIndex: write_attribute(value); break;
    case kMiscellaneousOutput:
        state.miscellaneous_output = value & 0xEF;
        update_timing();
        update_window();
        break;
    case kVideoSubsystemEnable:
        state.video_subsystem_enable = value & 1;
        update_window();
        break;
    case kSequencerIndex: state.sequencer_index = value & 0x07; break;
    case kSequencerData: write_sequencer(value); break;
    case kPelMask: state.pel_mask = value; break;
    case kDacReadAddress:
        state.dac_address = value;
        state.dac_component = 0;
        state.dac_reading = true;
        load_dac_buffer();
        break;
    case kDacWriteAddress:
        state.dac_address = value;
        state.dac_component = 0;
        state.dac_reading = false;
        break;
    case kDacData: write_dac(value); break;
    case kGraphicsIndex: state.graphics_index = value & 0x0F; break;
    case kGraphicsData: write_graphics(value); break;
    case kCrtcIndex: state.crtc_index = value & 0x3F; break;
    case kCrtcData: write_crtc(value); break;
    case kInputStatus1: state.feature_control = value & 0x08; break;
    default: break;
    }
}

/// 22h, 24h and 26h are test registers: the latch of the map that is read, the attribute
/// controller's flip-flop and its index.
u8 Vga::read_crtc() const
{
    if (state.crtc_index < state.crtc.size()) return state.crtc[state.crtc_index];
    switch (state.crtc_index) {
    case 0x22: return static_cast<u8>(state.latch >> 8 * bits(state.graphics[4], 1, 0));
    case 0x24: return state.attribute_data ? 0x80 : 0;
    case 0x26: return state.attribute_index;
    default: return 0;
    }
}

/// Bit 7: vertical retrace interrupt. Bit 4: the DAC's SENSE output, by which a BIOS finds a colour
/// monitor: low while a colour is above half of full scale (335 of 700 mV).
u8 Vga::input_status_0() const
{
    const u32 colour = dac_colour(0);
    bool sense = true;
    for (int shift : {0, 8, 16}) sense = sense && (colour >> shift & 0xFF) <= 255 * 335 / 700;
    return static_cast<u8>(state.retrace_interrupt << 7 | sense << 4);
}

/// The address selects index or data by a flip-flop that reading input status 1 resets.
void Vga::write_attribute(u8 value)
{
    state.attribute_data = !state.attribute_data;
    if (state.attribute_data) {
        state.attribute_index = value & 0x3F;
        return;
    }
    const u8 index = bits(state.attribute_index, 4, 0);
    if (index >= state.attribute.size()) return;
    // While the internal palette drives the picture the CPU cannot change it.
    if (index < 16 && bit(state.attribute_index, 5)) return;
    state.attribute[index] = value & kAttributeBits[index];
}

void Vga::write_sequencer(u8 value)
{
    const u8 index = state.sequencer_index;
    if (index >= state.sequencer.size()) return;
    state.sequencer[index] = value & kSequencerBits[index];
    if (index == 1) update_timing();
    if (index == 2 || index == 4) update_window();
}

/// 11h bit 7 protects 00h to 07h, except the line compare bit in 07h.
/// Bit 4: 0 clears the vertical retrace interrupt and holds it; bit 5: 0 lets it out.
void Vga::write_crtc(u8 value)
{
    const u8 index = state.crtc_index;
    if (index >= state.crtc.size()) return;
    u8& target = state.crtc[index];
    const u8 before = target;
    const bool protect = bit(state.crtc[0x11], 7), pin = interrupt_pin();
    if (index == 7 && protect) target = with_bit(target, 4, bit(value, 4));
    else if (index > 7 || !protect) target = value & kCrtcBits[index];
    if (target == before) return;
    if (index == 0x11 && !bit(value, 4)) state.retrace_interrupt = false;
    update_timing();
    arm_retrace();
    drive_interrupt(pin);
}

void Vga::write_graphics(u8 value)
{
    const u8 index = state.graphics_index;
    if (index >= state.graphics.size()) return;
    const u8 before = std::exchange(state.graphics[index], value & kGraphicsBits[index]);
    if (state.graphics[index] != before) update_window();
}

// ---- DAC
// -------------------------------------------------------------------------------------------

void Vga::load_dac_buffer()
{
    const u32 first = u32{state.dac_address} * 3;
    for (u32 i = 0; i < 3; ++i) state.dac_buffer[i] = state.dac[first + i];
    ++state.dac_address;
}

u8 Vga::read_dac()
{
    const u8 value = state.dac_buffer[state.dac_component];
    state.dac_component = (state.dac_component + 1) % 3;
    if (state.dac_component == 0) load_dac_buffer();
    return value;
}

/// A colour changes when its third component is written.
void Vga::write_dac(u8 value)
{
    const bool eight_bit = bit(state.dispi[4], 5);
    state.dac_buffer[state.dac_component] = eight_bit ? value : value & 0x3F;
    state.dac_component = (state.dac_component + 1) % 3;
    if (state.dac_component != 0) return;
    const u32 first = u32{state.dac_address} * 3;
    for (u32 i = 0; i < 3; ++i) state.dac[first + i] = state.dac_buffer[i];
    ++state.dac_address;
}

/// Colours keep their brightness when the width changes.
void Vga::set_dac_width(bool eight_bit)
{
    const auto convert = [&](u8& value) {
        value = static_cast<u8>(eight_bit ? value << 2 | value >> 4 : value >> 2);
    };
    for (u8& value : state.dac) convert(value);
    for (u8& value : state.dac_buffer) convert(value);
}

u32 Vga::dac_colour(u8 index) const
{
    const bool eight_bit = bit(state.dispi[4], 5);
    const u32 first = u32{static_cast<u8>(index & state.pel_mask)} * 3;
    u32 colour = 0;
    for (u32 i = 0; i < 3; ++i) {
        const u8 value = state.dac[first + i];
        const u32 six = bits(value, 5, 0);
        colour = colour << 8 | (eight_bit ? u32{value} : six << 2 | six >> 4);
    }
    return colour;
}

}  // namespace reprise
