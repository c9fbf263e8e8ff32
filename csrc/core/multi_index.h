// Multi-index hashing: exact search that looks at a part of the database only (Norouzi, Punjani and Fleet, CVPR 2012).
// A code is cut into m substrings, and a table for each finds the rows that have a given substring. Two codes at
// distance r agree in some substring up to r / m bits, so few buckets hold all near rows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/radius.h"

namespace hashzoo {

constexpr std::size_t kWidestSubstring = 20;  // a table has 2^width + 1 offsets

struct Substring {
    std::size_t start, width;  // bits
    std::size_t offsets;       // where those of its table begin
};

std::vector<Substring> cut(std::size_t bits, std::size_t substrings);
std::size_t offsets_length(std::size_t bits, std::size_t substrings);

// Arrays of the caller. Equal codes are kept once, as a group of rows; groups are numbered by their first rows.
struct MultiIndex {
    Codes codes;                   // one a group
    std::size_t rows;              // of the database
    std::size_t bits, substrings;
    const std::uint32_t* offsets;  // table after table: where each bucket begins in the table's groups, and the end
    const std::uint32_t* entries;  // (substrings, groups): groups by bucket, ascending within one
    const std::uint32_t* starts;   // (groups + 1): where the rows of each begin in `members`; null if no code repeats
    const std::uint32_t* members;  // (rows): rows by group, ascending within one
};

void build_tables(const Codes& codes, std::size_t bits, std::size_t substrings, std::uint32_t* offsets,
                  std::uint32_t* entries, const Control& control);

// Whether the arrays are what building gives: if not, searching might read outside of them.
bool is_sound(const MultiIndex& index, const Control& control);

// As the linear scans of the same names, with equal results. 1 <= k <= index.rows.
void top_k(const Codes& query, const MultiIndex& index, std::size_t k, std::int32_t* distance, std::int64_t* row,
           const Control& control);
Matches within_radius(const Codes& query, const MultiIndex& index, std::size_t radius, const Control& control);

// Substring j of a code as a number.
inline std::uint32_t key_of(const Substring& substring, const std::uint64_t* code) {
    const std::size_t word = substring.start / 64, shift = substring.start % 64;
    std::uint64_t value = code[word] >> shift;
    if (shift + substring.width > 64) value |= code[word + 1] << (64 - shift);
    return static_cast<std::uint32_t>(value) & ((std::uint32_t{1} << substring.width) - 1);
}

}  // namespace hashzoo
