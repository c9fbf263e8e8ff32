#include "core/relevance.h"

#include <algorithm>
#include <unordered_map>

namespace hashzoo {

ClassRelevance::ClassRelevance(const std::int64_t* query, std::size_t queries, const std::int64_t* database,
                               std::size_t rows)
    : group_(queries), members_(rows) {
    std::unordered_map<std::int64_t, std::size_t> group_of;
    std::vector<std::size_t> group_of_row(rows);
    for (std::size_t i = 0; i < rows; ++i)
        group_of_row[i] = group_of.emplace(database[i], group_of.size()).first->second;

    const std::size_t none = group_of.size();
    start_.assign(none + 2, 0);
    for (const std::size_t g : group_of_row) ++start_[g + 1];
    for (std::size_t g = 1; g < start_.size(); ++g) start_[g] += start_[g - 1];
    std::vector<std::size_t> next(start_);
    for (std::size_t i = 0; i < rows; ++i) members_[next[group_of_row[i]]++] = static_cast<std::uint32_t>(i);

    for (std::size_t q = 0; q < queries; ++q) {
        const auto found = group_of.find(query[q]);
        group_[q] = found == group_of.end() ? none : found->second;
    }
}

Rows ClassRelevance::find(std::size_t query, std::size_t begin, std::size_t end, std::uint32_t*) const {
    const std::uint32_t* first = members_.data() + start_[group_[query]];
    const std::uint32_t* last = members_.data() + start_[group_[query] + 1];
    first = std::lower_bound(first, last, begin);
    return {first, static_cast<std::size_t>(std::lower_bound(first, last, end) - first)};
}

Rows MaskRelevance::find(std::size_t query, std::size_t begin, std::size_t end, std::uint32_t* scratch) const {
    const std::uint64_t* mine = query_ + query * width_;
    std::size_t count = 0;
    const auto keep_if = [&](std::uint64_t shared, std::size_t i) {
        scratch[count] = static_cast<std::uint32_t>(i);  // kept only if it counts: no branch to mispredict
        count += shared != 0;
    };
    if (width_ == 1) {
        for (std::size_t i = begin; i < end; ++i) keep_if(*mine & database_[i], i);
        return {scratch, count};
    }
    for (std::size_t i = begin; i < end; ++i) {
        std::uint64_t shared = 0;
        for (std::size_t w = 0; w < width_; ++w) shared |= mine[w] & database_[i * width_ + w];
        keep_if(shared, i);
    }
    return {scratch, count};
}

}  // namespace hashzoo
