#include "core/multi_index.h"

#include <algorithm>
#include <atomic>

namespace hashzoo {
namespace {

bool sound_table(const MultiIndex& index, const Substring& substring, const std::uint32_t* entries) {
    const std::uint32_t* offsets = index.offsets + substring.offsets;
    const std::size_t buckets = std::size_t{1} << substring.width;
    if (offsets[0] != 0 || offsets[buckets] != index.codes.rows) return false;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
        if (offsets[bucket] > offsets[bucket + 1] || offsets[bucket + 1] > index.codes.rows) return false;
        for (std::uint32_t i = offsets[bucket]; i < offsets[bucket + 1]; ++i) {
            if (entries[i] >= index.codes.rows || (i > offsets[bucket] && entries[i] <= entries[i - 1])) return false;
            if (key_of(substring, index.codes.row(entries[i])) != bucket) return false;
        }
    }
    return true;
}

bool sound_groups(const MultiIndex& index) {
    const std::size_t groups = index.codes.rows;
    if (index.starts == nullptr) return index.rows == groups;
    if (index.starts[0] != 0 || index.starts[groups] != index.rows) return false;
    std::vector<bool> seen(index.rows);
    for (std::size_t g = 0; g < groups; ++g) {
        const std::uint32_t begin = index.starts[g], end = index.starts[g + 1];
        if (begin >= end || end > index.rows) return false;
        for (std::uint32_t i = begin; i < end; ++i) {
            const std::uint32_t row = index.members[i];
            if (row >= index.rows || seen[row] || (i > begin && row <= index.members[i - 1])) return false;
            seen[row] = true;
        }
        if (g > 0 && index.members[begin] <= index.members[index.starts[g - 1]]) return false;
    }
    return true;
}

}  // namespace

std::vector<Substring> cut(std::size_t bits, std::size_t substrings) {
    std::vector<Substring> all(substrings);
    std::size_t offsets = 0;
    for (std::size_t j = 0; j < substrings; ++j) {
        const std::size_t start = j * bits / substrings, width = (j + 1) * bits / substrings - start;
        all[j] = {start, width, offsets};
        offsets += (std::size_t{1} << width) + 1;
    }
    return all;
}

std::size_t offsets_length(std::size_t bits, std::size_t substrings) {
    const Substring last = cut(bits, substrings).back();
    return last.offsets + (std::size_t{1} << last.width) + 1;
}

void build_tables(const Codes& codes, std::size_t bits, std::size_t substrings, std::uint32_t* offsets,
                  std::uint32_t* entries, const Control& control) {
    const std::vector<Substring> all = cut(bits, substrings);
    run_blocks(substrings, control, [&](Blocks& blocks) {
        for (std::size_t j; blocks.next(j);) {
            // Counts become the buckets' ends; filling backwards turns each end into a beginning.
            std::uint32_t* bucket = offsets + all[j].offsets;
            std::uint32_t* const end = bucket + (std::size_t{1} << all[j].width) + 1;
            std::fill(bucket, end, 0);
            for (std::size_t i = 0; i < codes.rows; ++i) ++bucket[key_of(all[j], codes.row(i))];
            for (std::uint32_t* next = bucket + 1; next < end; ++next) *next += next[-1];
            std::uint32_t* table = entries + j * codes.rows;
            for (std::size_t i = codes.rows; i-- > 0;)
                table[--bucket[key_of(all[j], codes.row(i))]] = static_cast<std::uint32_t>(i);
        }
    });
}

bool is_sound(const MultiIndex& index, const Control& control) {
    const std::vector<Substring> all = cut(index.bits, index.substrings);
    std::atomic<bool> sound{true};
    run_blocks(index.substrings + 1, control, [&](Blocks& blocks) {
        for (std::size_t j; blocks.next(j);) {
            const bool part = j == index.substrings ? sound_groups(index)
                                                    : sound_table(index, all[j], index.entries + j * index.codes.rows);
            if (!part) sound = false;
        }
    });
    return sound;
}

}  // namespace hashzoo
