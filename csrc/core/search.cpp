#include "core/search.h"

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

    // Counting sort of the first k places: emit(place, row, distance), equal distances in row order.
    template <class Emit>
    void nearest(std::size_t k, Emit emit) {
        std::size_t radius = 0;
        while (start_[radius + 1] < k) ++radius;
        for (std::size_t i = 0; i < distance_.size(); ++i) {
            if (distance_[i] > radius) continue;
            const std::size_t place = start_[distance_[i]]++;
            if (place < k) emit(place, i, distance_[i]);
        }
    }

private:
    const Codes& database_;
    const RowKernel kernel_;
    std::vector<std::uint16_t> distance_;
    std::vector<std::size_t> start_;  // of each distance in the ranking
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
            std::int32_t* out = order + q * database.rows;
            row.compute(query.row(q));
            row.nearest(database.rows, [out](std::size_t place, std::size_t i, std::uint16_t) {
                out[place] = static_cast<std::int32_t>(i);
            });
        }
    });
}

void top_k(const Codes& query, const Codes& database, std::size_t k, std::int32_t* distance, std::int64_t* index,
           const Control& control) {
    const RowKernel kernel = active_isa().row;
    run_blocks(query.rows, control, [&](Blocks& blocks) {
        DistanceRow row(database, kernel);
        for (std::size_t q; blocks.next(q);) {
            row.compute(query.row(q));
            row.nearest(k, [=](std::size_t place, std::size_t i, std::uint16_t d) {
                distance[q * k + place] = d;
                index[q * k + place] = static_cast<std::int64_t>(i);
            });
        }
    });
}

}  // namespace hashzoo
