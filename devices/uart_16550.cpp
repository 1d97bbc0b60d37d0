#include "devices/uart_16550.h"

#include <algorithm>

#include "machine/base/bits.h"

namespace reprise {

namespace {

enum Ier : u8 { kErbfi = 0x01, kEtbei = 0x02, kElsi = 0x04, kEdssi = 0x08 };

enum Iir : u8 {
    kModemStatus = 0x00,
    kNonePending = 0x01,
    kThrEmpty = 0x02,
    kDataAvailable = 0x04,
    kLineStatus = 0x06,
    kCharacterTimeout = 0x0C,
    kFifosEnabled = 0xC0,
};

enum Fcr : u8 { kFifoEnable = 0x01, kRcvrReset = 0x02, kXmitReset = 0x04, kTrigger = 0xC0 };
enum Lcr : u8 { kStb = 0x04, kPen = 0x08, kBreak = 0x40, kDlab = 0x80 };
enum Mcr : u8 { kLoop = 0x10, kMcrBits = 0x1F };
enum Lsr : u8 {
    kDr = 0x01,
    kOe = 0x02,
    kPe = 0x04,
    kFe = 0x08,
    kBi = 0x10,
    kThre = 0x20,
    kTemt = 0x40,
    kErrorInFifo = 0x80,
};
enum Msr : u8 { kDcts = 0x01, kDdsr = 0x02, kTeri = 0x04, kDdcd = 0x08 };

void push(Uart16550::Fifo& fifo, u8 value, u8 errors = 0)
{
    const int last = (fifo.first + fifo.count) % Uart16550::kFifoSize;
    fifo.data[last] = value;
    fifo.errors[last] = errors;
    ++fifo.count;
}

u8 pop(Uart16550::Fifo& fifo)
{
    const u8 value = fifo.data[fifo.first % Uart16550::kFifoSize];
    fifo.first = (fifo.first + 1) % Uart16550::kFifoSize;
    --fifo.count;
    return value;
}

}  // namespace

Uart16550::Uart16550(Scheduler& scheduler, const std::string& name)
    : scheduler_(scheduler),
      transmit_(scheduler, name + ".transmit", [this] { character_sent(); }),
      receive_(scheduler, name + ".receive", [this] { character_arrived(); }),
      thre_(scheduler, name + ".thre", [this] { set_thre(); }),
      timeout_(scheduler, name + ".timeout", [this] {
          state.timeout = true;
          update_intr();
      })
{
}

void Uart16550::reset()
{
    for (Event* event : {&transmit_, &thre_, &timeout_}) event->at(kNever);
    if (state.lcr & kBreak && on_break) on_break(false);
    const bool driven = modem_control() != 0;
    state.ier = state.fcr = state.lcr = state.mcr = state.lsr = 0;
    state.rcvr = state.xmit = Fifo{};
    state.timeout = state.thre_pending = state.two_queued = state.tsr_full = false;
    state.thre = true;
    state.modem_lines = state.modem_inputs;
    state.msr_delta = 0;
    if (driven && on_modem_control) on_modem_control(0);
    update_intr();
    start_receiving();
}

// ---- Line settings -----------------------------------------------------------------------------

bool Uart16550::fifo_enabled() const { return state.fcr & kFifoEnable; }
bool Uart16550::loop() const { return state.mcr & kLoop; }
bool Uart16550::dlab() const { return state.lcr & kDlab; }

/// STB: 1.5 stop bits with 5 data bits, else 2.
u64 Uart16550::stop_half_bits() const
{
    if (!(state.lcr & kStb)) return 2;
    return bits(state.lcr, 1, 0) == 0 ? 3 : 4;
}

u64 Uart16550::character_half_bits() const
{
    const u64 start_and_data_bits = 1 + 5 + bits(state.lcr, 1, 0);
    return 2 * (start_and_data_bits + (state.lcr & kPen ? 1 : 0)) + stop_half_bits();
}

/// A bit is 16 cycles of BAUDOUT, which is XTAL / divisor. The datasheet allows divisors from 1;
/// a latch of 0 counts as 1.
Time Uart16550::bits_time(u64 half_bits) const
{
    const u64 divisor = std::max(1, state.dlm << 8 | state.dll);
    return half_bits * 8 * divisor * kSecond / kXtal;
}

Time Uart16550::character_time() const { return bits_time(character_half_bits()); }

// ---- Registers ---------------------------------------------------------------------------------

u8 Uart16550::read(u16 offset)
{
    switch (offset & 7) {
    case 0: return dlab() ? state.dll : read_rbr();
    case 1: return dlab() ? state.dlm : state.ier;
    case 2: return read_iir();
    case 3: return state.lcr;
    case 4: return state.mcr;
    case 5: return read_lsr();
    case 6: return read_msr();
    default: return state.scr;
    }
}

/// Writing LSR and MSR is for factory testing only.
void Uart16550::write(u16 offset, u8 value)
{
    switch (offset & 7) {
    case 0:
        if (!dlab()) return write_thr(value);
        state.dll = value;
        return;
    case 1:
        if (!dlab()) return write_ier(value);
        state.dlm = value;
        return;
    case 2: return write_fcr(value);
    case 3: return write_lcr(value);
    case 4: return write_mcr(value);
    case 7: state.scr = value; return;
    default: return;
    }
}

/// Enabling the transmitter's interrupt while THRE is set raises it.
void Uart16550::write_ier(u8 value)
{
    const u8 rising = value & static_cast<u8>(~state.ier);
    state.ier = value & 0x0F;
    if ((rising & kEtbei) && state.thre) state.thre_pending = true;
    update_intr();
}

/// Bit 0 must be set when other bits are written, or they are not programmed; changing it clears
/// both FIFOs.
void Uart16550::write_fcr(u8 value)
{
    const bool changed = (value ^ state.fcr) & kFifoEnable;
    if (changed || (value & kFifoEnable && value & kRcvrReset)) clear_rcvr();
    if (changed || (value & kFifoEnable && value & kXmitReset)) clear_xmit();
    state.fcr = value & kFifoEnable ? value & (kFifoEnable | kTrigger) : 0;
    update_intr();
}

void Uart16550::write_lcr(u8 value)
{
    const u8 changed = value ^ state.lcr;
    state.lcr = value;
    if (!(changed & kBreak)) return;
    const bool level = value & kBreak;
    if (!loop()) {
        if (on_break) on_break(level);
    } else if (level) {
        take_character(0, kBi | kFe);
    }
}

void Uart16550::write_mcr(u8 value)
{
    const u8 before = modem_control();
    state.mcr = value & kMcrBits;
    if (modem_control() != before && on_modem_control) on_modem_control(modem_control());
    update_modem_lines();
    start_receiving();
}

/// In a loop the four output pins are forced inactive.
u8 Uart16550::modem_control() const { return loop() ? 0 : state.mcr & 0x0F; }

// ---- Interrupts --------------------------------------------------------------------------------

/// Interrupt Control Functions, table IV: four levels of priority.
u8 Uart16550::interrupt_id() const
{
    if (state.ier & kElsi && state.lsr != 0) return kLineStatus;
    if (state.ier & kErbfi && data_available()) return kDataAvailable;
    if (state.ier & kErbfi && state.timeout) return kCharacterTimeout;
    if (state.ier & kEtbei && state.thre_pending) return kThrEmpty;
    if (state.ier & kEdssi && state.msr_delta != 0) return kModemStatus;
    return kNonePending;
}

/// Reading IIR clears the transmitter's interrupt, if that is what it shows.
u8 Uart16550::read_iir()
{
    const u8 id = interrupt_id();
    if (id == kThrEmpty) {
        state.thre_pending = false;
        update_intr();
    }
    return fifo_enabled() ? id | kFifosEnabled : id;
}

void Uart16550::update_intr()
{
    const bool level = interrupt_id() != kNonePending;
    if (level == state.intr) return;
    state.intr = level;
    if (on_irq) on_irq(level);
}

// ---- Transmitter -------------------------------------------------------------------------------

/// A full FIFO ignores the byte; a full THR is overwritten.
void Uart16550::write_thr(u8 value)
{
    state.thre = false;
    state.thre_pending = false;
    thre_.at(kNever);
    update_intr();  // INTR drops even if the THR is empty again at once
    if (fifo_enabled()) {
        if (state.xmit.count < kFifoSize) push(state.xmit, value);
        if (state.xmit.count >= 2) state.two_queued = true;
    } else {
        state.xmit = Fifo{};
        push(state.xmit, value);
    }
    if (!state.tsr_full) load_tsr();
}

/// The indication that XMIT FIFO is empty is late by a character time minus the last stop bit if
/// it has not held two bytes at once since THRE was last set: a driver that writes byte by byte
/// shall not be interrupted twice (FIFO Interrupt Mode Operation).
void Uart16550::load_tsr()
{
    state.tsr = pop(state.xmit);
    state.tsr_full = true;
    transmit_.in(character_time());
    if (state.xmit.count != 0) return;
    if (fifo_enabled() && !state.two_queued)
        thre_.in(bits_time(character_half_bits() - stop_half_bits()));
    else set_thre();
}

void Uart16550::set_thre()
{
    state.thre = true;
    state.two_queued = false;
    state.thre_pending = true;
    update_intr();
}

/// While a break is sent, the line does not follow the TSR.
void Uart16550::character_sent()
{
    const u8 mask = static_cast<u8>((0x20 << bits(state.lcr, 1, 0)) - 1);
    const u8 value = state.tsr & mask;
    state.tsr_full = false;
    if (state.xmit.count != 0) load_tsr();
    if (loop()) {
        if (!(state.lcr & kBreak)) take_character(value, 0);
    } else if (!(state.lcr & kBreak) && on_transmit) {
        on_transmit(value);
    }
}

void Uart16550::clear_xmit()
{
    state.xmit = Fifo{};
    state.two_queued = false;
    thre_.at(kNever);
    if (!state.thre) set_thre();
}

// ---- Receiver ----------------------------------------------------------------------------------

void Uart16550::receive(u8 byte)
{
    if (state.queue_count >= kQueueSize) return;
    state.queue[(state.queue_first + state.queue_count) % kQueueSize] = byte;
    ++state.queue_count;
    start_receiving();
}

void Uart16550::receive_break()
{
    if (!loop()) take_character(0, kBi | kFe);
}

/// In a loop SIN is disconnected, and the other end waits.
void Uart16550::start_receiving()
{
    if (state.queue_count != 0 && !loop() && !receive_.armed()) receive_.in(character_time());
}

void Uart16550::character_arrived()
{
    if (state.queue_count == 0 || loop()) return;
    const u8 mask = static_cast<u8>((0x20 << bits(state.lcr, 1, 0)) - 1);
    const u8 value = state.queue[state.queue_first % kQueueSize] & mask;
    state.queue_first = (state.queue_first + 1) % kQueueSize;
    --state.queue_count;
    start_receiving();
    take_character(value, 0);
}

/// With FIFOs, a character that finds no room is lost in the shift register; without, it replaces
/// the one in RBR. Either is an overrun.
void Uart16550::take_character(u8 value, u8 errors)
{
    const u8 capacity = fifo_enabled() ? kFifoSize : 1;
    if (state.rcvr.count >= capacity) {
        state.lsr |= kOe;
        if (fifo_enabled()) return update_intr();
        state.rcvr = Fifo{};
    }
    push(state.rcvr, value, errors);
    if (state.rcvr.count == 1) reveal_errors();
    if (!state.timeout) restart_timeout();  // once it is there, only reading RBR ends it
    update_intr();
}

/// PE, FE and BI show when their character comes to the top of the FIFO.
void Uart16550::reveal_errors()
{
    u8& errors = state.rcvr.errors[state.rcvr.first % kFifoSize];
    state.lsr |= errors & (kPe | kFe | kBi);
    errors = 0;
}

/// Four character times without a character coming or going while the FIFO holds some.
void Uart16550::restart_timeout()
{
    state.timeout = false;
    timeout_.at(fifo_enabled() && state.rcvr.count != 0 ? scheduler_.now() + 4 * character_time()
                                                        : kNever);
}

u8 Uart16550::rcvr_trigger() const
{
    constexpr std::array<u8, 4> kLevels = {1, 4, 8, 14};
    return fifo_enabled() ? kLevels[bits(state.fcr, 7, 6)] : 1;
}

bool Uart16550::data_available() const { return state.rcvr.count >= rcvr_trigger(); }

/// An empty RBR gives what was read last.
u8 Uart16550::read_rbr()
{
    if (state.rcvr.count == 0)
        return state.rcvr.data[(state.rcvr.first + kFifoSize - 1) % kFifoSize];
    const u8 value = pop(state.rcvr);
    if (state.rcvr.count != 0) reveal_errors();
    restart_timeout();
    update_intr();
    return value;
}

void Uart16550::clear_rcvr()
{
    state.rcvr = Fifo{};
    restart_timeout();
}

/// Reading clears OE, PE, FE and BI. Bit 7: an error in RCVR FIFO, the one at its top included.
u8 Uart16550::read_lsr()
{
    u8 value = state.lsr;
    if (state.rcvr.count != 0) value |= kDr;
    if (state.thre) value |= kThre;
    if (state.xmit.count == 0 && !state.tsr_full) value |= kTemt;
    const bool below_top = std::ranges::any_of(state.rcvr.errors, [](u8 e) { return e != 0; });
    if (fifo_enabled() && (below_top || state.lsr & (kPe | kFe | kBi))) value |= kErrorInFifo;
    state.lsr = 0;
    update_intr();
    return value;
}

// ---- Modem -------------------------------------------------------------------------------------

u8 Uart16550::read_msr()
{
    const u8 value = state.modem_lines | state.msr_delta;
    state.msr_delta = 0;
    update_intr();
    return value;
}

void Uart16550::set_modem_inputs(u8 mask)
{
    state.modem_inputs = mask & 0xF0;
    update_modem_lines();
}

/// In a loop CTS, DSR, RI and DCD are RTS, DTR, OUT1 and OUT2. TERI marks only the end of a ring.
void Uart16550::update_modem_lines()
{
    u8 lines = state.modem_inputs;
    if (loop()) {
        lines = 0;
        if (state.mcr & kRts) lines |= kCts;
        if (state.mcr & kDtr) lines |= kDsr;
        if (state.mcr & kOut1) lines |= kRi;
        if (state.mcr & kOut2) lines |= kDcd;
    }
    const u8 changed = lines ^ state.modem_lines;
    if (changed & kCts) state.msr_delta |= kDcts;
    if (changed & kDsr) state.msr_delta |= kDdsr;
    if (changed & ~lines & kRi) state.msr_delta |= kTeri;
    if (changed & kDcd) state.msr_delta |= kDdcd;
    state.modem_lines = lines;
    update_intr();
}

}  // namespace reprise
