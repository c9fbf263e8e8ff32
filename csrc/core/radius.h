// All rows within a distance, where nobody knows beforehand how many.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/parallel.h"
#include "core/search.h"

namespace hashzoo {

// Distance and row in one number, so that the natural order is the ranking: by distance, then row.
using Match = std::uint64_t;
constexpr Match make_match(std::uint32_t distance, std::uint32_t row) { return Match{distance} << 32 | row; }
constexpr std::uint32_t distance_of(Match match) { return static_cast<std::uint32_t>(match >> 32); }
constexpr std::uint32_t row_of(Match match) { return static_cast<std::uint32_t>(match); }

using Matches = std::vector<std::vector<Match>>;  // of each query, sorted

Matches within_radius(const Codes& query, const Codes& database, std::size_t radius, const Control& control);

// One after the other into two arrays as long as all of them together. Frees what it has copied.
void unload(Matches& matches, std::int32_t* distance, std::int64_t* index);

}  // namespace hashzoo
