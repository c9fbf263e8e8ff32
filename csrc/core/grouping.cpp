#include "core/grouping.h"

#include <algorithm>

namespace hashzoo {
namespace {

// Every input bit reaches the high bits, which choose the slot.
std::uint64_t mix(std::uint64_t x) {
    x = (x ^ x >> 32) * 0x9e3779b97f4a7c15u;
    return (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
}

}  // namespace

Grouping group_rows(const std::uint64_t* words, std::size_t rows, std::size_t width) {
    unsigned slot_bits = 4;
    while ((std::size_t{1} << slot_bits) < 2 * rows) ++slot_bits;
    constexpr std::uint32_t kFree = ~std::uint32_t{0};
    std::vector<std::uint32_t> slots(std::size_t{1} << slot_bits, kFree);  // groups, by open addressing
    Grouping groups;
    groups.of_row.resize(rows);
    for (std::size_t i = 0; i < rows; ++i) {
        const std::uint64_t* row = words + i * width;
        std::uint64_t hash = 0;
        for (std::size_t w = 0; w < width; ++w) hash = mix(hash + row[w]);
        std::size_t slot = hash >> (64 - slot_bits);
        while (slots[slot] != kFree && !std::equal(row, row + width, words + groups.first_row[slots[slot]] * width))
            slot = (slot + 1) & (slots.size() - 1);
        if (slots[slot] == kFree) {
            slots[slot] = static_cast<std::uint32_t>(groups.size());
            groups.first_row.push_back(static_cast<std::uint32_t>(i));
        }
        groups.of_row[i] = slots[slot];
    }
    return groups;
}

}  // namespace hashzoo
