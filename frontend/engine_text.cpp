#include "frontend/engine_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace reprise {

void measure_translation(Machine& machine)
{
    machine.measure_translation([] {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
    });
}

std::string engine_text(const Machine& machine)
{
    const TranslatorStatistics* s = machine.translator_statistics();
    if (!s) return "translator: not in use\n";
    const u64 by_handlers = s->calls + s->accesses + s->finishes;
    const double share = 100.0 * static_cast<double>(by_handlers) /
                         static_cast<double>(std::max<u64>(machine.instructions(), 1));
    return fmt::format(
        "translator: {} blocks, {} bytes of code, {} links, dropped {} times; translating took "
        "{:.3f} s\n"
        "host code entered {} times, left {} times for an event, {} for other reasons\n"
        "gone through the engine: {} new jumps, {} unknown targets; {} faults of the host\n"
        "by their handlers, from host code: {} instructions, {} for slow memory, {} at the end of "
        "a block: {:.2f}% of all\n",
        s->blocks, s->code_bytes, s->links, s->flushes,
        static_cast<double>(s->translation_ns) / 1e9, s->entries, s->events, s->leaves, s->jumps,
        s->indirect_misses, s->faults, s->calls, s->accesses, s->finishes, share);
}

}  // namespace reprise
