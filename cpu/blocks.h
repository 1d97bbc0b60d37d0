/// Decoded basic blocks, found by where their code is.
#pragma once

#include <array>
#include <bitset>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "cpu/insn.h"
#include "cpu/tlb.h"

namespace reprise {

struct Block;
class Translator;

/// Where a block continued last time. True while the CPU is in the same context (Cpu::context_):
/// the same code segment and the same page mapping.
struct Link {
    Block* block = nullptr;
    u32 context = 0;  // 0: never true
    u32 count = 0;    // of the block's instructions
};

/// Instructions that execute one after the other, ended by a jump, by the end of the page, or by
/// kMaxInsns. Followed by a pseudo instruction that continues with link[kBehind].
struct Block {
    static constexpr u32 kMaxInsns = 32;
    static constexpr u8 kBehind = 0, kJump = 1;  // numbers of links: behind the block, by its jump

    u64 ip = 0;        // of the first instruction, within CS
    u64 physical = 0;  // of its first byte
    u64 second_page = 0;  // physical page of the rest of an instruction that crosses pages
    u32 mode = 0;      // what else decoding depended on
    u32 length = 0;    // bytes of code
    u32 count = 0;     // instructions
    bool valid = true;
    bool crosses_page = false;
    Insn* insns = nullptr;  // count + 1
    Handler first = nullptr;  // of insns[0], which a translator replaces to see the block begin
    u32 entries = 0;          // counted by it
    void* code = nullptr;     // its
    std::array<Link, 2> link{};
    Block* next_in_bucket = nullptr;
};

/// Owns all blocks, and knows which bytes of memory they were decoded from.
class BlockCache {
public:
    /// Memory for decoded instructions, after which all are dropped and decoding begins anew.
    static constexpr std::size_t kMaxInsnsHeld = 256 * 1024;

    BlockCache() : buckets_(kBuckets) {}

    Block* find(u64 physical, u64 ip, u32 mode) const;

    /// Copies `insns` (with the pseudo instruction at the end) into a block of its own.
    Block* add(const Block& block, const std::vector<Insn>& insns);

    /// A bit for each 64 bytes of a page: code may have been decoded from them. Stores look here before
    /// they take the fast path. The place never moves.
    const u64* granules(u64 physical);
    static constexpr int kGranuleShift = 6;

    /// From any of these bytes, which do not cross a page?
    bool is_code(u64 physical, u64 size) const
    {
        const CodePage* p = page(physical);
        if (!p) return false;
        for (u64 i = 0; i < size; ++i)
            if (p->decoded[(physical + i) % kPageSize]) return true;
        return false;
    }

    /// Bytes were written: makes blocks decoded from them invalid. True if any were.
    bool invalidate(u64 physical, u64 size);

    bool full() const { return insns_held_ >= kMaxInsnsHeld; }
    /// Frees everything. No block may be executing.
    void clear();

    u64 blocks_decoded() const { return blocks_decoded_; }

    /// What invalid blocks execute: set once by the interpreter.
    Handler stale_handler = nullptr;
    /// Told about blocks that come and go; may be null.
    Translator* translator = nullptr;
    /// The first block was decoded from the page that has these granules.
    std::function<void(const u64* granules)> on_code_page;

private:
    static constexpr std::size_t kBuckets = 1 << 16;

    struct CodePage {
        std::bitset<kPageSize> decoded;
        std::vector<Block*> blocks;
    };

    /// Pages of the first 4 GB in a two-level table; code above is not kept.
    struct PageTable {
        std::array<u64, 1024> granules{};
        std::array<std::unique_ptr<CodePage>, 1024> code;
    };
    CodePage* page(u64 physical) const
    {
        const auto& table = pages_[physical >> 22 & 1023];
        return table && physical >> 32 == 0 ? table->code[physical >> 12 & 1023].get() : nullptr;
    }
    PageTable& table(u64 physical);

    static std::size_t bucket(u64 physical, u64 ip);
    void cover(Block& block, u64 first, u64 size);
    void retire(Block& block);

    std::vector<Block*> buckets_;
    std::array<std::unique_ptr<PageTable>, 1024> pages_;
    std::deque<Block> blocks_;
    std::vector<std::unique_ptr<Insn[]>> chunks_;
    std::size_t chunk_used_ = 0;
    std::size_t insns_held_ = 0;
    u64 blocks_decoded_ = 0;
};

}  // namespace reprise
