/// Which codes the keys of a 101/102-key keyboard send.
///
/// IBM PS/2 Hardware Interface Technical Reference (S68X-2330), "Keyboards (101- and 102-Key)",
/// scan code sets 1, 2 and 3; Microsoft, "Keyboard Scan Code Specification", for the Windows,
/// Application and international keys.
#pragma once

#include "machine/base/types.h"

namespace reprise {

/// What a key in scan code set 3 does while it is held and when it is released.
enum class KeyType : u8 { Default, Typematic, MakeBreak, MakeOnly, TypematicMakeBreak };

/// Keys whose sequence in sets 1 and 2 depends on other keys.
enum class KeyGroup : u8 {
    Plain,
    Navigation,  // between the typewriter keys and the keypad: pretend Shift as Num Lock demands
    Divide,      // of the keypad: pretends that Shift is up
    PrintScreen,
    Pause,
};

struct ScanCode {
    u8 set1 = 0;  // make code; 0: no such key
    u8 set2 = 0;
    u8 set3 = 0;      // 0: the key has none
    bool e0 = false;  // sets 1 and 2: prefix E0h
    KeyGroup group = KeyGroup::Plain;
    KeyType type = KeyType::MakeBreak;  // set 3: its default
};

/// Of the key with this usage on USB HID page 7 (HID Usage Tables, section 10).
const ScanCode& scan_code(u8 usage);

}  // namespace reprise
