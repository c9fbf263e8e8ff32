#include "core/relevance.h"

#include <algorithm>
#include <unordered_map>

#include "core/lowest_bit.h"

namespace hashzoo {

bool Relevance::holds(std::size_t group, std::size_t row) const {
    std::uint32_t scratch[64];
    const Rows rows = find(group, row / 64 * 64, row + 1, scratch);
    return rows.count != 0 && rows.index[rows.count - 1] == row;
}

ClassRelevance::ClassRelevance(const std::int64_t* query, std::size_t queries, const std::int64_t* database,
                               std::size_t rows)
    : group_(queries) {
    classes_.rows.resize(rows);
    std::vector<std::size_t>& start = classes_.start;
    std::unordered_map<std::int64_t, std::size_t> group_of;
    std::vector<std::size_t> group_of_row(rows);
    for (std::size_t i = 0; i < rows; ++i)
        group_of_row[i] = group_of.emplace(database[i], group_of.size()).first->second;

    const std::size_t none = group_of.size();
    start.assign(none + 2, 0);
    for (const std::size_t g : group_of_row) ++start[g + 1];
    for (std::size_t g = 1; g < start.size(); ++g) start[g] += start[g - 1];
    std::vector<std::size_t> next(start);
    for (std::size_t i = 0; i < rows; ++i) classes_.rows[next[group_of_row[i]]++] = static_cast<std::uint32_t>(i);

    for (std::size_t q = 0; q < queries; ++q) {
        const auto found = group_of.find(query[q]);
        group_[q] = found == group_of.end() ? none : found->second;
    }
}

Rows ClassRelevance::find(std::size_t group, std::size_t begin, std::size_t end, std::uint32_t*) const {
    const std::uint32_t* first = classes_.rows.data() + classes_.start[group];
    const std::uint32_t* last = classes_.rows.data() + classes_.start[group + 1];
    first = std::lower_bound(first, last, begin);
    return {first, static_cast<std::size_t>(std::lower_bound(first, last, end) - first)};
}

MaskRelevance::MaskRelevance(const std::uint64_t* query, std::size_t queries, const std::uint64_t* database,
                             std::size_t rows, std::size_t width, const Control& control)
    : sets_(group_rows({query, queries, width}, control)),
      plane_words_((rows + 63) / 64),
      planes_(64 * width * plane_words_) {
    const auto each_label = [width](const std::uint64_t* mask, auto use) {
        for (std::size_t w = 0; w < width; ++w)
            for (std::uint64_t rest = mask[w]; rest != 0; rest &= rest - 1) use(64 * w + lowest_bit(rest));
    };
    for (const std::uint32_t q : sets_.first_row) {
        start_.push_back(labels_.size());
        each_label(query + q * width, [&](std::size_t label) { labels_.push_back(static_cast<std::uint32_t>(label)); });
    }
    start_.push_back(labels_.size());
    for (std::size_t i = 0; i < rows; ++i)
        each_label(database + i * width, [&](std::size_t label) {
            planes_[label * plane_words_ + i / 64] |= std::uint64_t{1} << (i % 64);
        });
}

Rows MaskRelevance::find(std::size_t group, std::size_t begin, std::size_t end, std::uint32_t* scratch) const {
    constexpr std::size_t kTogether = 32;
    std::size_t count = 0;
    for (std::size_t word = begin / 64; 64 * word < end; word += kTogether) {
        const std::size_t words = std::min(kTogether, (end + 63) / 64 - word);
        std::uint64_t any[kTogether] = {};
        for (std::size_t i = start_[group]; i < start_[group + 1]; ++i) {
            const std::uint64_t* plane = planes_.data() + labels_[i] * plane_words_ + word;
            for (std::size_t w = 0; w < words; ++w) any[w] |= plane[w];
        }
        if (64 * (word + words) > end) any[words - 1] &= (std::uint64_t{1} << (end % 64)) - 1;
        for (std::size_t w = 0; w < words; ++w)
            for (std::uint64_t rest = any[w]; rest != 0; rest &= rest - 1)
                scratch[count++] = static_cast<std::uint32_t>(64 * (word + w) + lowest_bit(rest));
    }
    return {scratch, count};
}

}  // namespace hashzoo
