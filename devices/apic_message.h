/// What APICs tell each other: an I/O APIC about an interrupt, a local APIC by its ICR.
///
/// Sources: Intel 290566, "82093AA I/O Advanced Programmable Interrupt Controller"; SDM vol. 3A,
/// 10.6 and 10.11.
#pragma once

#include "machine/base/types.h"

namespace reprise {

/// DELMOD, bits 10..8 of redirection entries, of ICR and of the local vector table.
enum class ApicDelivery : u8 { Fixed, LowestPriority, Smi, Reserved, Nmi, Init, StartUp, ExtInt };

struct ApicMessage {
    u8 vector = 0;
    ApicDelivery delivery = ApicDelivery::Fixed;
    bool level = false;    // level triggered: wants to hear of the end of interrupt
    bool logical = false;  // destination is a set in the sense of LDR, not an APIC ID
    u8 destination = 0;
};

}  // namespace reprise
