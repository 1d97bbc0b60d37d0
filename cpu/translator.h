/// The second engine: turns blocks that are executed often into code of the host (cpu/jit/).
///
/// It is an optional part: without one for this host the interpreter executes everything, and the
/// guest cannot tell.
#pragma once

#include <memory>
#include <string_view>

#include "machine/base/engine.h"

namespace reprise {

class Cpu;
struct Block;

namespace jit {
class Engine;
}

class Translator {
public:
    virtual ~Translator() = default;

    /// A block was decoded; it was overwritten, and may be executing; all were dropped, and none
    /// is.
    virtual void added(Block& block) = 0;
    virtual void retired(Block& block) = 0;
    virtual void cleared() = 0;
    /// Links between pages are no longer true.
    virtual void mapping_changed() = 0;
    /// Bus::page may answer differently for these addresses.
    virtual void memory_map_changed(u64 first, u64 size) = 0;

    virtual const TranslatorStatistics& statistics() const = 0;
};

/// Why this host or this processor model has no translator, as the end of a sentence; empty: it has
/// one.
std::string_view why_no_translator(const Cpu& cpu);

/// Executions of a block before it is translated: fewer would cost more than they gain.
inline constexpr u32 kHotBlock = 24;

/// Null if there is a reason why not.
std::unique_ptr<Translator> make_translator(Cpu& cpu, u32 hot);

}  // namespace reprise
