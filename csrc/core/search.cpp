#include "core/search.h"

#include <algorithm>
#include <vector>

#include "core/dispatch.h"

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

    void begin() {
        kept_.clear();
        at_.assign(bits_ + 1, 0);
        limit_ = bits_ + 1;
        nearer_ = 0;
    }

    // Rows from `first` on, in order.
    void add(const std::uint16_t* distance, std::size_t n, std::size_t first) {
        for (std::size_t i = 0; i < n; i += kStep) {
            const std::size_t end = std::min(n, i + kStep);
            if (end == i + kStep && !any_below(distance + i, static_cast<std::uint16_t>(limit_))) continue;
            for (std::size_t j = i; j < end; ++j)
                if (distance[j] < limit_) keep(distance[j], first + j);
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

    static bool any_below(const std::uint16_t* distance, std::uint16_t limit) {
        std::uint16_t any = 0;
        for (std::size_t i = 0; i < kStep; ++i) any |= static_cast<std::uint16_t>(distance[i] < limit);
        return any != 0;
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
        k > 4096 ? 1 : std::clamp<std::size_t>(query.rows / (4 * control.threads), 1, kMostTogether);
    run_blocks((query.rows + together - 1) / together, control, [&](Blocks& blocks) {
        std::vector<std::uint16_t> tile_distance(tile);
        std::vector<Nearest> nearest(together, Nearest(k, 64 * database.width));
        for (std::size_t block; blocks.next(block);) {
            const std::size_t first = block * together, last = std::min(query.rows, first + together);
            for (Nearest& of_query : nearest) of_query.begin();
            for (std::size_t begin = 0; begin < database.rows; begin += tile) {
                const std::size_t n = std::min(tile, database.rows - begin);
                for (std::size_t q = first; q < last; ++q) {
                    kernel(query.row(q), database.row(begin), n, database.width, tile_distance.data());
                    nearest[q - first].add(tile_distance.data(), n, begin);
                }
            }
            for (std::size_t q = first; q < last; ++q)
                nearest[q - first].end([=](std::size_t place, std::uint32_t i, std::uint32_t d) {
                    distance[q * k + place] = static_cast<std::int32_t>(d);
                    index[q * k + place] = static_cast<std::int64_t>(i);
                });
        }
    });
}

}  // namespace hashzoo
