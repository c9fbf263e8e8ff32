#include "core/search.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/dispatch.h"
#include "core/lowest_bit.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace hashzoo {
namespace {

// One query against the whole database: distances, and how many rows lie at each distance.
class DistanceRow {
public:
    DistanceRow(const Codes& database, RowKernel kernel)
        : database_(database), kernel_(kernel), distance_(database.rows), start_(64 * database.width + 2) {}

    void compute(const std::uint64_t* query) {
        kernel_(query, database_.words, database_.rows, database_.width, distance_.data());
        start_.assign(start_.size(), 0);
        for (const std::uint16_t d : distance_) ++start_[d + 1u];
        for (std::size_t d = 1; d < start_.size(); ++d) start_[d] += start_[d - 1];
    }

    // Counting sort, equal distances in row order.
    void sort(std::int32_t* order) {
        for (std::size_t i = 0; i < distance_.size(); ++i)
            order[start_[distance_[i]]++] = static_cast<std::int32_t>(i);
    }

private:
    const Codes& database_;
    const RowKernel kernel_;
    std::vector<std::uint16_t> distance_;
    std::vector<std::size_t> start_;  // of each distance in the ranking
};

// The k nearest of one query, kept while the database streams by. Once k rows lie within some distance, a later row
// must be nearer than that to matter: equal distances keep database order. So most rows cost one comparison.
class Nearest {
public:
    Nearest(std::size_t k, std::size_t bits) : k_(k), bits_(bits), room_(2 * k + kStep), start_(bits + 2) {}

    // Only rows nearer than `limit` are looked for.
    void begin(std::size_t limit) {
        kept_.clear();
        at_.assign(bits_ + 1, 0);
        limit_ = limit;
        nearer_ = 0;
    }

    bool enough() const { return kept_.size() >= k_; }

    // Rows from `first` on, in order.
    void add(const std::uint16_t* distance, std::size_t n, std::size_t first) {
        for (std::size_t i = 0; i < n; i += kStep) {
            const std::size_t end = std::min(n, i + kStep);
            if (end < i + kStep) {
                for (std::size_t j = i; j < end; ++j) offer(distance[j], first + j);
                continue;
            }
            for (std::uint32_t near = below(distance + i, static_cast<std::uint16_t>(limit_)); near; near &= near - 1) {
                const std::size_t j = i + lowest_bit(near);
                offer(distance[j], first + j);
            }
            if (kept_.size() > room_) forget();
        }
    }

    // emit(place, row, distance), equal distances in row order.
    template <class Emit>
    void end(Emit emit) {
        for (std::size_t d = 0; d <= bits_; ++d) start_[d + 1] = start_[d] + at_[d];
        for (const Row& row : kept_) {
            const std::size_t place = start_[row.distance]++;
            if (place < k_) emit(place, row.index, row.distance);
        }
        start_[0] = 0;
    }

private:
    static constexpr std::size_t kStep = 32;

    struct Row {
        std::uint32_t index;
        std::uint32_t distance;
    };

    // Bit i: whether distance i of kStep is below the limit.
    static std::uint32_t below(const std::uint16_t* distance, std::uint16_t limit) {
        std::uint32_t near = 0;
#if defined(__SSE2__)
        const __m128i bound = _mm_set1_epi16(static_cast<short>(limit));  // distances are far below 2^15
        for (std::size_t i = 0; i < kStep; i += 16) {
            const __m128i* at = reinterpret_cast<const __m128i*>(distance + i);
            const __m128i low = _mm_cmplt_epi16(_mm_loadu_si128(at), bound);
            const __m128i high = _mm_cmplt_epi16(_mm_loadu_si128(at + 1), bound);
            near |= static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high))) << i;
        }
#else
        for (std::size_t i = 0; i < kStep; ++i) near |= static_cast<std::uint32_t>(distance[i] < limit) << i;
#endif
        return near;
    }

    void offer(std::uint16_t distance, std::size_t index) {
        if (distance < limit_) keep(distance, index);
    }

    void keep(std::uint16_t distance, std::size_t index) {
        kept_.push_back({static_cast<std::uint32_t>(index), distance});
        ++at_[distance];
        ++nearer_;
        while (nearer_ >= k_) nearer_ -= at_[--limit_];
    }

    // Rows that no longer matter go: those beyond the limit, and those at it that are not among the first k.
    void forget() {
        std::size_t at_limit = 0, left = 0;
        for (const Row& row : kept_)
            if (row.distance < limit_ || (row.distance == limit_ && at_limit++ < k_ - nearer_)) kept_[left++] = row;
        kept_.resize(left);
        std::fill(at_.begin() + static_cast<std::ptrdiff_t>(limit_), at_.end(), 0);
        at_[limit_] = k_ - nearer_;
    }

    const std::size_t k_, bits_, room_;
    std::vector<Row> kept_;            // in database order
    std::vector<std::size_t> at_;      // kept rows at each distance
    std::vector<std::size_t> start_;   // of each distance in the ranking
    std::size_t limit_ = 0;            // only rows nearer than this can still enter
    std::size_t nearer_ = 0;           // kept rows nearer than the limit, fewer than k
};

// Every stride-th row of the database. The k-th distance among all rows is guessed from it, a little too far out, so that
// few rows are kept in vain; a guess that was too near costs a second pass.
class Sample {
public:
    Sample(const Codes& database, std::size_t k)
        : width_(database.width), stride_(std::max<std::size_t>(kStride, database.rows / kMostRows)) {
        const double share = static_cast<double>(k) / static_cast<double>(stride_);
        wanted_ = static_cast<std::size_t>(share + 3 * std::sqrt(share)) + 1;
        const double rows = static_cast<double>(database.rows), nearest = static_cast<double>(k);
        if (static_cast<double>(wanted_ * stride_) > nearest * (1 + std::log(rows / nearest))) return;  // kept without it
        for (std::size_t i = 0; i < database.rows; i += stride_)
            words_.insert(words_.end(), database.row(i), database.row(i) + width_);
    }

    // A distance below which at least k rows should lie; `none` where the sample cannot tell. `distance` is scratch.
    std::size_t limit(const std::uint64_t* query, RowKernel kernel, std::size_t none,
                      std::vector<std::uint16_t>& distance) const {
        if (words_.empty()) return none;
        distance.resize(words_.size() / width_);
        kernel(query, words_.data(), distance.size(), width_, distance.data());
        std::vector<std::size_t> at(none, 0);
        for (const std::uint16_t d : distance) ++at[d];
        std::size_t found = 0, limit = 0;
        while (limit < none && found < wanted_) found += at[limit++];
        return limit;
    }

private:
    static constexpr std::size_t kStride = 16;
    static constexpr std::size_t kMostRows = 65536;

    const std::size_t width_, stride_;
    std::size_t wanted_;                // rows of the sample within the limit
    std::vector<std::uint64_t> words_;  // empty where sampling does not pay
};

}  // namespace

void distances(const Codes& query, const Codes& database, std::uint16_t* out, const Control& control) {
    const RowKernel row = active_isa().row;  // once, outside every loop
    run_blocks(query.rows, control, [&](Blocks& blocks) {
        for (std::size_t q; blocks.next(q);)
            row(query.row(q), database.words, database.rows, database.width, out + q * database.rows);
    });
}

void rank(const Codes& query, const Codes& database, std::int32_t* order, const Control& control) {
    if (database.rows == 0) return;
    const RowKernel kernel = active_isa().row;
    run_blocks(query.rows, control, [&](Blocks& blocks) {
        DistanceRow row(database, kernel);
        for (std::size_t q; blocks.next(q);) {
            row.compute(query.row(q));
            row.sort(order + q * database.rows);
        }
    });
}

void top_k(const Codes& query, const Codes& database, std::size_t k, std::int32_t* distance, std::int64_t* index,
           const Control& control) {
    constexpr std::size_t kTileWords = 2048;  // database words that stay in the first-level cache
    constexpr std::size_t kMostTogether = 4;  // queries that share one tile
    const RowKernel kernel = active_isa().row;
    const std::size_t tile = std::max<std::size_t>(64, kTileWords / database.width);
    const std::size_t together =
        k > 4096 ? 1 : std::clamp<std::size_t>(query.rows / (std::size_t{4} * control.threads), 1, kMostTogether);
    const std::size_t none = 64 * database.width + 1;
    const Sample sample(database, k);
    run_blocks((query.rows + together - 1) / together, control, [&](Blocks& blocks) {
        std::vector<std::uint16_t> tile_distance(tile), sample_distance;
        std::vector<Nearest> nearest(together, Nearest(k, 64 * database.width));
        const auto pass = [&](std::size_t first, std::size_t last, Nearest* of_query) {
            for (std::size_t begin = 0; begin < database.rows; begin += tile) {
                const std::size_t n = std::min(tile, database.rows - begin);
                for (std::size_t q = first; q < last; ++q) {
                    kernel(query.row(q), database.row(begin), n, database.width, tile_distance.data());
                    of_query[q - first].add(tile_distance.data(), n, begin);
                }
            }
        };
        for (std::size_t block; blocks.next(block);) {
            const std::size_t first = block * together, last = std::min(query.rows, first + together);
            for (std::size_t q = first; q < last; ++q)
                nearest[q - first].begin(sample.limit(query.row(q), kernel, none, sample_distance));
            pass(first, last, nearest.data());
            for (std::size_t q = first; q < last; ++q) {
                Nearest& of_query = nearest[q - first];
                if (!of_query.enough()) {
                    of_query.begin(none);
                    pass(q, q + 1, &of_query);
                }
                of_query.end([=](std::size_t place, std::uint32_t i, std::uint32_t d) {
                    distance[q * k + place] = static_cast<std::int32_t>(d);
                    index[q * k + place] = static_cast<std::int64_t>(i);
                });
            }
        }
    });
}

}  // namespace hashzoo
