/// The registers of the IBM VGA by the names of the IBM PS/2 Hardware Interface Technical
/// Reference, "Video Subsystem" (S42G-2193-00), and the bits that more than one file looks at.
#pragma once

#include "machine/base/types.h"

namespace reprise::vga {

/// Offsets from 3B0h. The CRT controller and input status 1 answer 20h lower in monochrome mode.
enum Port : u16 {
    kMonoCrtcIndex = 0x04,
    kMonoCrtcData = 0x05,
    kMonoInputStatus1 = 0x0A,
    kAttributeWrite = 0x10,  // index and data in turn; reads give the index
    kAttributeRead = 0x11,
    kInputStatus0 = 0x12,
    kMiscOutputWrite = 0x12,
    kSequencerIndex = 0x14,
    kSequencerData = 0x15,
    kPelMask = 0x16,
    kDacReadAddress = 0x17,
    kDacState = 0x17,
    kDacWriteAddress = 0x18,
    kDacData = 0x19,
    kFeatureControlRead = 0x1A,
    kMiscOutputRead = 0x1C,
    kGraphicsIndex = 0x1E,
    kGraphicsData = 0x1F,
    kCrtcIndex = 0x24,
    kCrtcData = 0x25,
    kInputStatus1 = 0x2A,
    kFeatureControlWrite = 0x2A,
};

enum SequencerRegister : u8 {
    kReset,
    kClockingMode,
    kMapMask,
    kCharacterMapSelect,
    kMemoryMode,
    kSequencerRegisters
};

enum CrtcRegister : u8 {
    kHorizontalTotal,
    kHorizontalDisplayEnd,
    kStartHorizontalBlanking,
    kEndHorizontalBlanking,
    kStartHorizontalRetrace,
    kEndHorizontalRetrace,
    kVerticalTotal,
    kOverflow,
    kPresetRowScan,
    kMaximumScanLine,
    kCursorStart,
    kCursorEnd,
    kStartAddressHigh,
    kStartAddressLow,
    kCursorLocationHigh,
    kCursorLocationLow,
    kVerticalRetraceStart,
    kVerticalRetraceEnd,
    kVerticalDisplayEnd,
    kOffset,
    kUnderlineLocation,
    kStartVerticalBlanking,
    kEndVerticalBlanking,
    kCrtModeControl,
    kLineCompare,
    kCrtcRegisters,

    // Undocumented, read-only.
    kCpuLatch = 0x22,
    kAttributeFlipFlop = 0x24,
    kAttributeIndex = 0x26,
};

enum GraphicsRegister : u8 {
    kSetReset,
    kEnableSetReset,
    kColorCompare,
    kDataRotate,
    kReadMapSelect,
    kGraphicsMode,
    kMiscellaneous,
    kColorDontCare,
    kBitMask,
    kGraphicsRegisters
};

enum AttributeRegister : u8 {
    kPalette = 0,
    kModeControl = 0x10,
    kOverscanColor,
    kColorPlaneEnable,
    kHorizontalPelPanning,
    kColorSelect,
    kAttributeRegisters
};

// Miscellaneous Output.
inline constexpr u8 kIoAddressSelect = 0x01, kEnableRam = 0x02, kPageBit = 0x20;
// Clocking Mode.
inline constexpr u8 kEightDots = 0x01, kDotClockHalved = 0x08, kScreenOff = 0x20;
// Memory Mode.
inline constexpr u8 kExtendedMemory = 0x02, kOddEvenOff = 0x04, kChain4 = 0x08;
// Maximum Scan Line.
inline constexpr u8 kDoubleScan = 0x80;
// Vertical Retrace End.
inline constexpr u8 kClearInterruptOff = 0x10, kInterruptOff = 0x20, kProtect = 0x80;
// Underline Location.
inline constexpr u8 kCountByFour = 0x20, kDoublewordMode = 0x40;
// CRT Mode Control.
inline constexpr u8 kRowScanBit0Off = 0x01, kRowScanBit1Off = 0x02, kHalfLineRate = 0x04;
inline constexpr u8 kCountByTwo = 0x08, kAddressWrap = 0x20, kByteMode = 0x40, kSyncEnable = 0x80;
// Graphics Mode.
inline constexpr u8 kReadMode1 = 0x08, kHostOddEven = 0x10, kShiftInterleave = 0x20,
                    kShift256 = 0x40;
// Miscellaneous (graphics).
inline constexpr u8 kGraphicsModeBit = 0x01, kChainOddEven = 0x02;
// Attribute Address.
inline constexpr u8 kPaletteAddressSource = 0x20;
// Attribute Mode Control.
inline constexpr u8 kLineGraphics = 0x04, kBlink = 0x08, kPanningCompatibility = 0x20;
inline constexpr u8 kPalette54Select = 0x80;
// Input Status 0 and 1.
inline constexpr u8 kSwitchSense = 0x10, kInterruptPending = 0x80;
inline constexpr u8 kDisplayDisabled = 0x01, kVerticalRetrace = 0x08, kDiagnostics = 0x30;

}  // namespace reprise::vga
