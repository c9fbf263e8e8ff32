#include "core/radius.h"

#include <algorithm>

#include "core/dispatch.h"

namespace hashzoo {
namespace {

constexpr std::size_t kQueries = 8;  // that share each piece of the database while it is in the cache
constexpr std::size_t kPieceWords = 2048;
constexpr std::size_t kGlance = 64;  // rows looked at together: most such groups hold no match

// Appends the matches among `n` rows from `first` on, in row order.
void collect(const std::uint16_t* distance, std::size_t n, std::size_t first, std::uint16_t radius,
             std::vector<Match>& found) {
    for (std::size_t begin = 0; begin < n; begin += kGlance) {
        const std::size_t end = std::min(begin + kGlance, n);
        std::uint16_t matches = 0;
        for (std::size_t i = begin; i < end; ++i)
            matches = static_cast<std::uint16_t>(matches + (distance[i] <= radius));
        if (matches == 0) continue;
        for (std::size_t i = begin; i < end; ++i)
            if (distance[i] <= radius) found.push_back(make_match(distance[i], static_cast<std::uint32_t>(first + i)));
    }
}

// Row order within each distance is there already: a counting sort by distance keeps it.
std::vector<Match> by_distance(const std::vector<Match>& found, std::vector<std::size_t>& start) {
    std::fill(start.begin(), start.end(), 0);
    for (const Match match : found) ++start[distance_of(match) + 1];
    for (std::size_t d = 1; d < start.size(); ++d) start[d] += start[d - 1];
    std::vector<Match> sorted(found.size());
    for (const Match match : found) sorted[start[distance_of(match)]++] = match;
    return sorted;
}

}  // namespace

Matches within_radius(const Codes& query, const Codes& database, std::size_t radius, const Control& control) {
    const RowKernel kernel = active_isa().row;
    const auto limit = static_cast<std::uint16_t>(std::min(radius, 64 * database.width));
    const std::size_t piece = std::max<std::size_t>(kPieceWords / database.width, 1);
    Matches matches(query.rows);
    run_blocks((query.rows + kQueries - 1) / kQueries, control, [&](Blocks& blocks) {
        std::vector<std::uint16_t> distance(piece);
        std::vector<std::size_t> start(limit + 2u);
        std::vector<Match> found[kQueries];
        for (std::size_t block; blocks.next(block);) {
            const std::size_t first = block * kQueries, queries = std::min(kQueries, query.rows - first);
            for (std::size_t row = 0; row < database.rows; row += piece) {
                const std::size_t n = std::min(piece, database.rows - row);
                for (std::size_t q = 0; q < queries; ++q) {
                    kernel(query.row(first + q), database.row(row), n, database.width, distance.data());
                    collect(distance.data(), n, row, limit, found[q]);
                }
            }
            for (std::size_t q = 0; q < queries; ++q) {
                matches[first + q] = by_distance(found[q], start);
                found[q].clear();
            }
        }
    });
    return matches;
}

void unload(Matches& matches, std::int32_t* distance, std::int64_t* index) {
    for (std::vector<Match>& of_query : matches) {
        for (const Match match : of_query) {
            *distance++ = static_cast<std::int32_t>(distance_of(match));
            *index++ = row_of(match);
        }
        std::vector<Match>().swap(of_query);
    }
}

}  // namespace hashzoo
