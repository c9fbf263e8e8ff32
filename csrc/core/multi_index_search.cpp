#include <algorithm>

#include "core/dispatch.h"
#include "core/multi_index.h"

namespace hashzoo {
namespace {

constexpr std::size_t kBatch = 256;           // candidates whose distances are computed together
constexpr std::size_t kLookups = 16;          // buckets looked up together, so that their cache misses overlap
constexpr std::size_t kLinearQueries = 1024;  // handed to the linear scan at once

// Rough nanoseconds, of which only the ratios matter: they decide how an answer is found, never which.
constexpr double kLookup = 10, kCandidate = 8, kCandidateWord = 2, kScanRow = 0.2, kScanWord = 0.16;

struct Bucket {
    std::uint32_t first, last;
};

inline void fetch(const void* address) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(address);
#else
    static_cast<void>(address);
#endif
}

double binomial(std::size_t n, std::size_t k) {
    double result = 1;
    for (std::size_t i = 0; i < k; ++i) result *= static_cast<double>(n - i) / static_cast<double>(i + 1);
    return result;
}

// The next greater number with as many bits set.
std::uint32_t next_mask(std::uint32_t mask) {
    const std::uint32_t lowest = mask & (~mask + 1), carried = mask + lowest;
    return carried | ((mask ^ carried) >> 2) / lowest;
}

// Finds the groups near one query after the other.
class Prober {
public:
    explicit Prober(const MultiIndex& index)
        : index_(index),
          kernel_(active_isa().row),
          substrings_(cut(index.bits, index.substrings)),
          groups_(index.codes.rows),
          width_(index.codes.width),
          scan_cost_(static_cast<double>(groups_) * (kScanRow + kScanWord * static_cast<double>(width_))),
          candidate_cost_(kCandidate + kCandidateWord * static_cast<double>(width_)),
          seen_(groups_ / 64 + 1),
          gathered_(kBatch * width_),
          rows_at_(64 * width_ + 1) {}

    // Both leave in `found` groups with their distances, in any order, and return false when they gave up since a
    // linear scan is likely to be cheaper.
    bool nearest(const std::uint64_t* query, std::size_t k, std::vector<Match>& found) {
        return attempt(query, found, [&] { return probe_nearest(k, found); });
    }
    bool within(const std::uint64_t* query, std::size_t radius, std::vector<Match>& found) {
        return attempt(query, found, [&] { return probe_within(radius, found); });
    }

private:
    template <class Probe>
    bool attempt(const std::uint64_t* query, std::vector<Match>& found, Probe probe_all) {
        found.clear();
        if (losses_ >= 4 && ++passed_over_ % 16 != 0) return false;  // it did not pay lately: try now and then
        query_ = query;
        spent_ = 0;
        const bool finished = probe_all();
        losses_ = finished ? 0 : losses_ + 1;
        for (const std::uint32_t group : visited_) seen_[group / 64] = 0;
        visited_.clear();
        return finished;
    }

    // With substrings 0 to j probed at distance a and the others at a - 1, no group at distance a * m + j or less is
    // missing: it would differ by a + 1 bits in each of the first j + 1 substrings and by a bits in the others.
    bool probe_nearest(std::size_t k, std::vector<Match>& found) {
        rows_at_.assign(rows_at_.size(), 0);
        std::size_t limit = rows_at_.size() - 1;  // no more than this matters: k rows are that near
        std::size_t rows = 0;                     // found so far up to the limit
        const auto keep = [&](std::uint32_t group, std::uint32_t distance) {
            if (distance > limit) return;
            found.push_back(make_match(distance, group));
            const std::uint32_t size = index_.starts ? index_.starts[group + 1] - index_.starts[group] : 1;
            rows += size;
            rows_at_[distance] += size;
            while (rows - rows_at_[limit] >= k) rows -= rows_at_[limit--];
        };
        for (std::size_t a = 0;; ++a) {
            for (std::size_t j = 0; j < substrings_.size(); ++j) {
                if (!probe(j, a, keep)) return false;
                if (rows >= k && a * substrings_.size() + j >= limit) {
                    found.erase(std::remove_if(found.begin(), found.end(),
                                               [=](Match match) { return distance_of(match) > limit; }),
                                found.end());
                    return true;
                }
            }
        }
    }

    bool probe_within(std::size_t radius, std::vector<Match>& found) {
        const std::size_t m = substrings_.size();
        const auto keep = [&](std::uint32_t group, std::uint32_t distance) {
            if (distance <= radius) found.push_back(make_match(distance, group));
        };
        double expected = 0;
        for (std::size_t a = 0; a <= radius / m; ++a)
            for (std::size_t j = 0; j < m && a * m + j <= radius; ++j) expected += cost(j, a);
        if (expected > scan_cost_) return false;
        for (std::size_t a = 0; a <= radius / m; ++a)
            for (std::size_t j = 0; j < m && a * m + j <= radius; ++j)
                if (!probe(j, a, keep)) return false;
        return true;
    }

    // Of a probe, if buckets were equally full.
    double cost(std::size_t j, std::size_t a) const {
        const std::size_t width = substrings_[j].width;
        const double bucket = static_cast<double>(groups_) / static_cast<double>(std::size_t{1} << width);
        return a > width ? 0 : binomial(width, a) * (kLookup + bucket * candidate_cost_);
    }

    // keep(group, distance) for every group not seen yet whose substring j is at distance a from the query's.
    template <class Keep>
    bool probe(std::size_t j, std::size_t a, Keep keep) {
        const Substring& substring = substrings_[j];
        if (a > substring.width) return true;
        if (spent_ + cost(j, a) > scan_cost_) return false;
        const std::uint32_t* offsets = index_.offsets + substring.offsets;
        const std::uint32_t* entries = index_.entries + j * groups_;
        const std::uint32_t key = key_of(substring, query_), end = std::uint32_t{1} << substring.width;
        std::size_t fresh = visited_.size();
        for (std::uint32_t mask = (std::uint32_t{1} << a) - 1; mask < end;) {
            Bucket buckets[kLookups];
            std::size_t n = 0;
            while (n < kLookups && mask < end) {
                const std::uint32_t* bucket = offsets + (key ^ mask);
                fetch(entries + bucket[0]);
                buckets[n++] = {bucket[0], bucket[1]};
                mask = mask == 0 ? end : next_mask(mask);
            }
            for (std::size_t b = 0; b < n; ++b) {
                spent_ += kLookup + (buckets[b].last - buckets[b].first) * candidate_cost_;
                if (spent_ > scan_cost_) return false;
                for (std::uint32_t i = buckets[b].first; i < buckets[b].last; ++i) {
                    const std::uint32_t group = entries[i];
                    const std::uint64_t bit = std::uint64_t{1} << group % 64;
                    if (seen_[group / 64] & bit) continue;
                    seen_[group / 64] |= bit;
                    fetch(index_.codes.row(group));
                    visited_.push_back(group);
                    if (visited_.size() == fresh + kBatch) fresh = measure(fresh, keep);
                }
            }
        }
        measure(fresh, keep);
        return true;
    }

    template <class Keep>
    std::size_t measure(std::size_t fresh, Keep keep) {
        const std::size_t n = visited_.size() - fresh;
        const std::uint64_t* words = index_.codes.words;
        if (width_ == 1)  // without a call for each: the processor then waits for many of these rows at a time
            for (std::size_t i = 0; i < n; ++i) gathered_[i] = words[visited_[fresh + i]];
        else
            for (std::size_t i = 0; i < n; ++i)
                std::copy_n(words + visited_[fresh + i] * width_, width_, &gathered_[i * width_]);
        kernel_(query_, gathered_.data(), n, width_, distance_);
        for (std::size_t i = 0; i < n; ++i) keep(visited_[fresh + i], distance_[i]);
        return visited_.size();
    }

    const MultiIndex& index_;
    const RowKernel kernel_;
    const std::vector<Substring> substrings_;
    const std::size_t groups_, width_;
    const double scan_cost_, candidate_cost_;
    std::vector<std::uint64_t> seen_;  // a bit a group
    std::vector<std::uint64_t> gathered_;
    std::vector<std::size_t> rows_at_;
    std::vector<std::uint32_t> visited_;
    std::uint16_t distance_[kBatch];
    const std::uint64_t* query_ = nullptr;
    double spent_ = 0;
    unsigned losses_ = 0, passed_over_ = 0;
};

// The first k rows of the groups: all groups that come before the k-th row must be there. `rows` is working space.
void first_rows(const MultiIndex& index, std::size_t k, std::vector<Match>& groups, std::vector<Match>& rows) {
    std::sort(groups.begin(), groups.end());
    if (index.starts == nullptr) return groups.resize(k);
    rows.clear();
    Match last = ~Match{0};  // nothing after it is among the first k
    for (const Match match : groups) {
        const std::uint32_t d = distance_of(match), group = row_of(match);
        if (make_match(d, index.members[index.starts[group]]) > last) break;  // groups stand in order of first rows
        for (std::uint32_t i = index.starts[group]; i < index.starts[group + 1]; ++i) {
            const Match row = make_match(d, index.members[i]);
            if (row > last) break;
            rows.push_back(row);
            if (rows.size() < 2 * k) continue;
            std::nth_element(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(k - 1), rows.end());
            rows.resize(k);
            last = rows[k - 1];
        }
    }
    std::sort(rows.begin(), rows.end());
    rows.resize(k);
    groups.swap(rows);
}

// All rows of the groups, in place of them.
void all_rows(const MultiIndex& index, std::vector<Match>& groups) {
    if (index.starts != nullptr) {
        std::size_t n = 0;
        for (const Match match : groups) n += index.starts[row_of(match) + 1] - index.starts[row_of(match)];
        std::vector<Match> rows;
        rows.reserve(n);
        for (const Match match : groups)
            for (std::uint32_t i = index.starts[row_of(match)]; i < index.starts[row_of(match) + 1]; ++i)
                rows.push_back(make_match(distance_of(match), index.members[i]));
        groups.swap(rows);
    }
    std::sort(groups.begin(), groups.end());
}

// The queries left to the linear scan, one after the other.
struct Remaining {
    Remaining(const Codes& query, const std::vector<unsigned char>& answered) : width(query.width) {
        for (std::size_t q = 0; q < query.rows; ++q) {
            if (answered[q]) continue;
            number.push_back(q);
            words.insert(words.end(), query.row(q), query.row(q) + query.width);
        }
    }
    Codes codes(std::size_t first, std::size_t n) const { return {words.data() + first * width, n, width}; }

    std::size_t width;
    std::vector<std::size_t> number;
    std::vector<std::uint64_t> words;
};

}  // namespace

void top_k(const Codes& query, const MultiIndex& index, std::size_t k, std::int32_t* distance, std::int64_t* row,
           const Control& control) {
    const auto write = [=](std::size_t q, const std::vector<Match>& rows) {
        for (std::size_t i = 0; i < k; ++i) {
            distance[q * k + i] = static_cast<std::int32_t>(distance_of(rows[i]));
            row[q * k + i] = row_of(rows[i]);
        }
    };
    std::vector<unsigned char> answered(query.rows);
    run_blocks(query.rows, control, [&](Blocks& blocks) {
        Prober prober(index);
        std::vector<Match> found, space;
        for (std::size_t q; blocks.next(q);) {
            if (!prober.nearest(query.row(q), k, found)) continue;
            first_rows(index, k, found, space);
            write(q, found);
            answered[q] = 1;
        }
    });

    const Remaining remaining(query, answered);
    const std::size_t near = std::min(k, index.codes.rows);
    for (std::size_t first = 0; first < remaining.number.size(); first += kLinearQueries) {
        const std::size_t n = std::min(kLinearQueries, remaining.number.size() - first);
        std::vector<std::int32_t> distances(n * near);
        std::vector<std::int64_t> groups(n * near);
        top_k(remaining.codes(first, n), index.codes, near, distances.data(), groups.data(), control);
        run_blocks(n, control, [&](Blocks& blocks) {
            std::vector<Match> found, space;
            for (std::size_t q; blocks.next(q);) {
                found.clear();
                for (std::size_t i = q * near; i < (q + 1) * near; ++i)
                    found.push_back(make_match(static_cast<std::uint32_t>(distances[i]),
                                               static_cast<std::uint32_t>(groups[i])));
                first_rows(index, k, found, space);
                write(remaining.number[first + q], found);
            }
        });
    }
}

Matches within_radius(const Codes& query, const MultiIndex& index, std::size_t radius, const Control& control) {
    radius = std::min(radius, 64 * index.codes.width);
    Matches matches(query.rows);
    std::vector<unsigned char> answered(query.rows);
    run_blocks(query.rows, control, [&](Blocks& blocks) {
        Prober prober(index);
        std::vector<Match> found;
        for (std::size_t q; blocks.next(q);) {
            if (!prober.within(query.row(q), radius, found)) continue;
            all_rows(index, found);
            matches[q].assign(found.begin(), found.end());
            answered[q] = 1;
        }
    });

    const Remaining remaining(query, answered);
    const std::size_t left = remaining.number.size();
    Matches groups = within_radius(remaining.codes(0, left), index.codes, radius, control);
    run_blocks(left, control, [&](Blocks& blocks) {
        for (std::size_t q; blocks.next(q);) {
            if (index.starts != nullptr) all_rows(index, groups[q]);
            matches[remaining.number[q]].swap(groups[q]);
        }
    });
    return matches;
}

}  // namespace hashzoo
