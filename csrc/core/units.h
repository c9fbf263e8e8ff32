// Queries that give the same counts are counted once.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/grouping.h"
#include "core/relevance.h"

namespace hashzoo {

// Queries with the same code and the same relevant rows.
struct Unit {
    std::size_t code, relevance;  // groups
    std::vector<std::size_t> queries;
    std::vector<std::uint32_t> excluded;  // ascending, a row for each of the last queries; the others exclude none
};

// Sorted by code, so that neighbours can share their pass over the database. `exclude`: see count().
std::vector<Unit> group_queries(const Codes& query, const Relevance& relevance, const Grouping& codes,
                                const std::int64_t* exclude);

}  // namespace hashzoo
