// Ranking by Hamming distance; equal distances keep database order.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/parallel.h"

namespace hashzoo {

struct Codes {
    const std::uint64_t* words;  // (rows, width), row after row
    std::size_t rows;
    std::size_t width;  // 64-bit words a code: 1 to 64

    const std::uint64_t* row(std::size_t i) const { return words + i * width; }
};

// out: (query.rows, database.rows) distances in bits.
void distances(const Codes& query, const Codes& database, std::uint16_t* out, const Control& control);

// order: (query.rows, database.rows) database rows, nearest first.
void rank(const Codes& query, const Codes& database, std::int32_t* order, const Control& control);

// The k nearest, 1 <= k <= database.rows; both outputs are (query.rows, k).
void top_k(const Codes& query, const Codes& database, std::size_t k, std::int32_t* distance, std::int64_t* index,
           const Control& control);

}  // namespace hashzoo
