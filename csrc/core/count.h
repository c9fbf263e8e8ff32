#pragma once
#include <cstddef>
#include <cstdint>

#include "core/parallel.h"
#include "core/relevance.h"
#include "core/search.h"

namespace hashzoo {

// Everything that the retrieval measures need, per query; caller allocates.
struct Counts {  // the stable values may both be null: then they are not computed, which is faster
    std::uint32_t* all;        // (queries, bits + 1): database rows at each distance
    std::uint32_t* relevant;   // (queries, bits + 1): relevant rows at each distance
    double* stable_precision;  // (queries,): sum over the relevant rows in the first topk places of hits / place,
                               // equal distances in database order
    std::int64_t* stable_hits;  // (queries,): how many those are
};

// As topk:
constexpr std::size_t kAtRelevant = ~std::size_t{0};       // as many places as the query has relevant rows
constexpr std::size_t kAllButLast = ~std::size_t{0} - 1;  // all places but the last one

// One pass over the pairs. Rows: at most 2^32 - 1. Spare bits of the last word must be zero. `exclude` is null, or has
// for each query a row that is not part of its database, or -1.
void count(const Codes& query, const Codes& database, std::size_t bits, const Relevance& relevance, std::size_t topk,
           const std::int64_t* exclude, const Counts& out, const Control& control);

}  // namespace hashzoo
