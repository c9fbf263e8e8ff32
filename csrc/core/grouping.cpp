#include "core/grouping.h"

#include <algorithm>

namespace hashzoo {
namespace {

constexpr std::size_t kPiece = 1 << 16;  // rows between two looks for Ctrl-C

// Every input bit reaches the high bits, which choose the slot.
std::uint64_t mix(std::uint64_t x) {
    x = (x ^ x >> 32) * 0x9e3779b97f4a7c15u;
    return (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
}

}  // namespace

Grouping group_rows(const Codes& rows, const Control& control) {
    unsigned slot_bits = 4;
    while ((std::size_t{1} << slot_bits) < 2 * rows.rows) ++slot_bits;
    constexpr std::uint32_t kFree = ~std::uint32_t{0};
    std::vector<std::uint32_t> slots(std::size_t{1} << slot_bits, kFree);  // groups, by open addressing
    Grouping groups;
    groups.of_row.resize(rows.rows);
    const Control alone{1, control.interrupted};  // groups are numbered in the order of the rows
    run_blocks((rows.rows + kPiece - 1) / kPiece, alone, [&](Blocks& blocks) {
        for (std::size_t block; blocks.next(block);) {
            for (std::size_t i = block * kPiece; i < std::min(rows.rows, (block + 1) * kPiece); ++i) {
                const std::uint64_t* row = rows.row(i);
                std::uint64_t hash = 0;
                for (std::size_t w = 0; w < rows.width; ++w) hash = mix(hash + row[w]);
                std::size_t slot = hash >> (64 - slot_bits);
                while (slots[slot] != kFree && !std::equal(row, row + rows.width, rows.row(groups.first_row[slots[slot]])))
                    slot = (slot + 1) & (slots.size() - 1);
                if (slots[slot] == kFree) {
                    slots[slot] = static_cast<std::uint32_t>(groups.size());
                    groups.first_row.push_back(static_cast<std::uint32_t>(i));
                }
                groups.of_row[i] = slots[slot];
            }
        }
    });
    return groups;
}

}  // namespace hashzoo
