#include "core/units.h"

#include <algorithm>
#include <tuple>

namespace hashzoo {

std::vector<Unit> group_queries(const Codes& query, const Relevance& relevance, const Grouping& codes,
                                const std::int64_t* exclude) {
    std::vector<std::tuple<std::uint64_t, std::int64_t, std::size_t>> keyed(query.rows);
    for (std::size_t q = 0; q < query.rows; ++q)
        keyed[q] = {static_cast<std::uint64_t>(codes.of_row[q]) << 32 | relevance.group(q), exclude ? exclude[q] : -1,
                    q};
    std::sort(keyed.begin(), keyed.end());
    std::vector<Unit> units;
    for (std::size_t i = 0; i < keyed.size(); ++i) {
        const auto [key, excluded, q] = keyed[i];
        if (i == 0 || key != std::get<0>(keyed[i - 1])) units.push_back({key >> 32, key & 0xffffffffu, {}, {}});
        units.back().queries.push_back(q);
        if (excluded >= 0) units.back().excluded.push_back(static_cast<std::uint32_t>(excluded));
    }
    return units;
}

}  // namespace hashzoo
