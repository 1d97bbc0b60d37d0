#include "machine/debugger.h"

#include <algorithm>

#include "machine/board.h"

namespace reprise {

namespace {

constexpr u64 kPage = 4096;

}  // namespace

Debugger::Debugger(Machine& machine)
    : machine_(machine), registers_(debug_registers(machine.board().cpu))
{
    machine_.debugger_ = this;
    watch();
}

Debugger::~Debugger()
{
    machine_.board().cpu.stop_watching();
    machine_.debugger_ = nullptr;
}

// ---- Stopping and going on ---------------------------------------------------------------------

void Debugger::stop_for(Why why, u64 address)
{
    stopped_ = {why, address};
    stepping_ = false;
    if (in_interrupt_) {
        in_interrupt_ = false;
        watch();
    }
}

void Debugger::stop()
{
    if (!stopped_) stop_for(Why::Request);
}

void Debugger::pass_breakpoint()
{
    const Cpu& cpu = machine_.board().cpu;
    machine_.board().cpu.debug_watch()->pass(cpu.linear_ip(), cpu.state.clock);
}

void Debugger::resume()
{
    if (!stopped_) return;
    reset_passes_ = machine_.board().cpu.state.shutdown;
    stopped_.reset();
    pass_breakpoint();
}

void Debugger::step() { step_range(1, 0); }

void Debugger::step_range(u64 first, u64 last)
{
    if (!stopped_) return;
    resume();
    stepping_ = true;
    range_first_ = first;
    range_last_ = last;
    begin_step();
}

/// A triple fault is reported once, before the board resets the CPU.
bool Debugger::holds_reset()
{
    if (!reset_passes_) return true;
    reset_passes_ = false;
    return false;
}

/// Machine::run_to, as far as the debugger allows.
Stop Debugger::run(u64 clock, u64 count)
{
    while (!stopped_) {
        const bool in_step = stepping_ && !in_interrupt_;
        const Stop stop = machine_.run_to(clock, in_step ? std::min(count, step_end_) : count);
        if (machine_.board().cpu.debug_watch()->hit) point_reached();
        else if (stop == Stop::Debugger) stop_for(Why::Shutdown);
        else if (stop == Stop::Halted) stop_for(Why::Halted);
        else if (stop == Stop::Reached && in_step && machine_.instructions() >= step_end_)
            step_done();
        else return stop;
    }
    return Stop::Debugger;
}

void Debugger::point_reached()
{
    DebugWatch& watch = *machine_.board().cpu.debug_watch();
    const DebugHit hit = *watch.hit;
    watch.hit.reset();
    if (hit.kind != DebugHit::Kind::Code)
        return stop_for(hit.kind == DebugHit::Kind::Write ? Why::Write : Why::Read, hit.address);
    if (in_interrupt_ && place() == step_from_) return came_back_from_interrupt();
    if (std::ranges::find(breakpoints_, hit.address) != breakpoints_.end())
        return stop_for(Why::Breakpoint, hit.address);
    pass_breakpoint();  // the place to come back to, but in another frame
}

// ---- Steps -------------------------------------------------------------------------------------

Debugger::Place Debugger::place() const
{
    const Cpu& cpu = machine_.board().cpu;
    return {cpu.linear_ip(), cpu.sp(), cpu.state.seg[SS].base, cpu.state.cr3};
}

u64 Debugger::interrupts() const { return machine_.board().cpu.debug_watch()->interrupts; }

void Debugger::begin_step()
{
    step_from_ = place();
    step_end_ = machine_.instructions() + 1;
    interrupts_before_ = interrupts();
}

void Debugger::step_done()
{
    if (interrupts() != interrupts_before_ && !steps_into_interrupts) {
        // What was executed is the handler's first instruction.
        in_interrupt_ = true;
        watch();
        return;
    }
    const u64 ip = machine_.board().cpu.linear_ip();
    if (ip < range_first_ || ip > range_last_) return stop_for(Why::Step);
    begin_step();
}

void Debugger::came_back_from_interrupt()
{
    in_interrupt_ = false;
    watch();
    pass_breakpoint();
    begin_step();
}

// ---- Breakpoints and watchpoints ---------------------------------------------------------------

void Debugger::watch()
{
    DebugPoints points;
    points.code = breakpoints_;
    if (in_interrupt_) points.code.push_back(step_from_.linear_ip);
    for (const Watchpoint& w : watchpoints_) {
        const u64 last = w.address + std::max(w.size, u64{1}) - 1;
        points.data.push_back({w.address, std::max(last, w.address), w.reads, w.writes});
    }
    machine_.board().cpu.watch(points);
}

void Debugger::add_breakpoint(u64 address)
{
    if (std::ranges::find(breakpoints_, address) != breakpoints_.end()) return;
    breakpoints_.push_back(address);
    watch();
}

void Debugger::remove_breakpoint(u64 address)
{
    if (std::erase(breakpoints_, address) != 0) watch();
}

void Debugger::add_watchpoint(const Watchpoint& watchpoint)
{
    if (std::ranges::find(watchpoints_, watchpoint) != watchpoints_.end()) return;
    watchpoints_.push_back(watchpoint);
    watch();
}

void Debugger::remove_watchpoint(const Watchpoint& watchpoint)
{
    if (std::erase(watchpoints_, watchpoint) != 0) watch();
}

void Debugger::remove_all_points()
{
    breakpoints_.clear();
    watchpoints_.clear();
    watch();
}

// ---- The guest's state -------------------------------------------------------------------------

std::size_t Debugger::read_memory(u64 address, bool physical, std::span<u8> out) const
{
    Board& board = machine_.board();
    std::size_t done = 0;
    while (done < out.size()) {
        const u64 at = address + done;
        const std::size_t size = std::min<std::size_t>(out.size() - done, kPage - at % kPage);
        const std::optional<u64> from = physical ? std::optional(at) : board.cpu.probe(at);
        if (!from || !board.peek(*from, out.subspan(done, size))) break;
        done += size;
    }
    return done;
}

DebugValue Debugger::read(const DebugRegister& reg) const { return reg.read(machine_.board().cpu); }

u64 Debugger::number(std::string_view name) const
{
    const DebugRegister* reg = find_register(registers_, name);
    return reg ? debug_number(read(*reg)) : 0;
}

bool Debugger::halted() const { return machine_.board().cpu.halted(); }

void Debugger::reset()
{
    machine_.inject(ResetInput{});
    reset_passes_ = true;
    machine_.run_to(machine_.board().cpu.state.clock, ~u64{0});
    reset_passes_ = false;
    if (stopped_) stopped_ = Stopped{};
}

}  // namespace reprise
