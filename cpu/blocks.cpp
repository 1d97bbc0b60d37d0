#include "cpu/blocks.h"

#include <algorithm>

#include "cpu/translator.h"

namespace reprise {

namespace {
constexpr std::size_t kChunkInsns = 8192;
}

std::size_t BlockCache::bucket(u64 physical, u64 ip)
{
    return (physical ^ physical >> 14 ^ ip << 3) % kBuckets;
}

Block* BlockCache::find(u64 physical, u64 ip, u32 mode) const
{
    for (Block* b = buckets_[bucket(physical, ip)]; b; b = b->next_in_bucket)
        if (b->physical == physical && b->ip == ip && b->mode == mode) return b;
    return nullptr;
}

Block* BlockCache::add(const Block& block, const std::vector<Insn>& insns)
{
    if (chunks_.empty() || chunk_used_ + insns.size() > kChunkInsns) {
        chunks_.push_back(std::make_unique<Insn[]>(kChunkInsns));
        chunk_used_ = 0;
    }
    Block& b = blocks_.emplace_back(block);
    b.insns = chunks_.back().get() + chunk_used_;
    std::ranges::copy(insns, b.insns);
    b.first = b.insns[0].exec;
    chunk_used_ += insns.size();
    insns_held_ += insns.size();
    ++blocks_decoded_;

    Block*& head = buckets_[bucket(b.physical, b.ip)];
    b.next_in_bucket = head;
    head = &b;

    const u64 in_first_page = std::min<u64>(b.length, kPageSize - b.physical % kPageSize);
    cover(b, b.physical, in_first_page);
    if (b.crosses_page) cover(b, b.second_page, b.length - in_first_page);
    if (translator) translator->added(b);
    return &b;
}

BlockCache::PageTable& BlockCache::table(u64 physical)
{
    auto& t = pages_[physical >> 22 & 1023];
    if (!t) t = std::make_unique<PageTable>();
    return *t;
}

const u64* BlockCache::granules(u64 physical)
{
    static constexpr u64 kNone = 0;
    return physical >> 32 == 0 ? &table(physical).granules[physical >> 12 & 1023] : &kNone;
}

void BlockCache::cover(Block& block, u64 first, u64 size)
{
    PageTable& t = table(first);
    auto& code = t.code[first >> 12 & 1023];
    if (!code) {
        code = std::make_unique<CodePage>();
        if (on_code_page) on_code_page(&t.granules[first >> 12 & 1023]);
    }
    if (code->blocks.empty() || code->blocks.back() != &block) code->blocks.push_back(&block);
    for (u64 i = first % kPageSize; i < first % kPageSize + size; ++i) {
        code->decoded.set(i);
        t.granules[first >> 12 & 1023] |= u64{1} << (i >> kGranuleShift);
    }
}

bool BlockCache::invalidate(u64 physical, u64 size)
{
    bool any = false;
    for (u64 done = 0; done < size;) {
        const u64 first = physical + done;
        const u64 here = std::min(size - done, kPageSize - first % kPageSize);
        done += here;
        if (!is_code(first, here)) continue;
        CodePage& code = *page(first);

        const auto overlaps = [&](const Block* b) {
            const u64 in_first = std::min<u64>(b->length, kPageSize - b->physical % kPageSize);
            if (page_of(b->physical) == page_of(first) && first < b->physical + in_first &&
                b->physical < first + here)
                return true;
            return b->crosses_page && b->second_page == page_of(first) &&
                   first < b->second_page + (b->length - in_first);
        };
        const std::vector<Block*> old = std::move(code.blocks);
        code.blocks.clear();
        code.decoded.reset();
        table(first).granules[first >> 12 & 1023] = 0;
        std::vector<Block*> gone;
        for (Block* b : old) {
            if (!b->valid) continue;
            if (overlaps(b)) {
                gone.push_back(b);
                continue;
            }
            const u64 in_first = std::min<u64>(b->length, kPageSize - b->physical % kPageSize);
            // Both parts lie here if two linear pages are the same physical page.
            if (page_of(b->physical) == page_of(first)) cover(*b, b->physical, in_first);
            if (b->crosses_page && b->second_page == page_of(first))
                cover(*b, b->second_page, b->length - in_first);
        }
        for (Block* b : gone) retire(*b);
        if (code.blocks.empty()) table(first).code[first >> 12 & 1023].reset();
        any = any || !gone.empty();
    }
    return any;
}

/// The block may be executing, and links may lead to it: its instructions all become an exit.
void BlockCache::retire(Block& block)
{
    if (translator) translator->retired(block);
    block.valid = false;
    for (u32 i = 0; i <= block.count; ++i) block.insns[i].exec = stale_handler;
    for (Block** b = &buckets_[bucket(block.physical, block.ip)]; *b; b = &(*b)->next_in_bucket) {
        if (*b != &block) continue;
        *b = block.next_in_bucket;
        return;
    }
}

void BlockCache::clear()
{
    if (translator) translator->cleared();
    std::ranges::fill(buckets_, nullptr);
    for (auto& t : pages_) {
        if (!t) continue;
        t->granules.fill(0);  // TLB entries point at them
        for (auto& code : t->code) code.reset();
    }
    blocks_.clear();
    chunks_.clear();
    chunk_used_ = 0;
    insns_held_ = 0;
}

}  // namespace reprise
