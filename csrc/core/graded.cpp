#include "core/graded.h"

#include <algorithm>

#include "core/dispatch.h"

namespace hashzoo {
namespace {

constexpr std::size_t kTileRows = 1024;  // distances and shared labels of a tile stay in the first-level cache

struct SharedHit {
    std::uint32_t earlier;  // rows before it at the same distance
    std::uint16_t distance;
    std::uint16_t shared;
};

std::vector<std::uint16_t> sizes(const Codes& masks, RowKernel kernel) {
    const std::vector<std::uint64_t> nothing(masks.width);
    std::vector<std::uint16_t> size(masks.rows);
    kernel(nothing.data(), masks.words, masks.rows, masks.width, size.data());
    return size;
}

// Fills the stable values of one query. Its hits come in database order, so that running sums for each distance tell
// what stands before a row among its equals.
void finish(const std::vector<SharedHit>& hits, const std::uint32_t* rows, std::size_t bits, const Grading& grading,
            std::size_t q, const GradedCounts& out) {
    std::vector<std::uint64_t> base(bits + 2), shared(bits + 2);
    for (std::size_t d = 0; d <= bits; ++d) {
        base[d + 1] = base[d];
        shared[d + 1] = shared[d];
        for (std::size_t level = 0; level < grading.levels; ++level) {
            base[d + 1] += rows[d * grading.levels + level];
            shared[d + 1] += level * rows[d * grading.levels + level];
        }
    }
    double gain = 0, weighted = 0;
    std::int64_t in_places = 0, counted = 0;
    for (const SharedHit& hit : hits) {
        const std::uint64_t before = base[hit.distance] + hit.earlier;
        const std::uint64_t so_far = shared[hit.distance] += hit.shared;
        if (before >= grading.places) continue;
        gain += grading.gain[hit.shared] * grading.discount[before];
        weighted += static_cast<double>(so_far) / static_cast<double>(before + 1);
        in_places += hit.shared;
        ++counted;
    }
    out.stable_gain[q] = gain;
    out.stable_weighted[q] = weighted;
    out.stable_shared[q] = in_places;
    out.stable_hits[q] = counted;
}

}  // namespace

void SharedClass::count(std::size_t query, std::size_t begin, std::size_t end, std::uint16_t* out) const {
    for (std::size_t i = begin; i < end; ++i) out[i - begin] = database_[i] == query_[query];
}

SharedMask::SharedMask(const Codes& query, const Codes& database)
    : query_(query), database_(database), kernel_(active_isa().row), query_size_(sizes(query, kernel_)),
      row_size_(sizes(database, kernel_)) {}

std::size_t SharedMask::most() const {
    return query_size_.empty() ? 0 : *std::max_element(query_size_.begin(), query_size_.end());
}

void SharedMask::count(std::size_t query, std::size_t begin, std::size_t end, std::uint16_t* out) const {
    kernel_(query_.row(query), database_.row(begin), end - begin, query_.width, out);
    const unsigned size = query_size_[query];
    for (std::size_t i = begin; i < end; ++i)
        out[i - begin] = static_cast<std::uint16_t>((size + row_size_[i] - out[i - begin]) / 2);
}

void count_graded(const Codes& query, const Codes& database, std::size_t bits, const Sharing& sharing,
                  const Grading& grading, const std::int64_t* exclude, const GradedCounts& out,
                  const Control& control) {
    const RowKernel kernel = active_isa().row;
    const std::size_t cells = (bits + 1) * grading.levels;
    run_blocks(query.rows, control, [&](Blocks& blocks) {
        std::vector<std::uint16_t> distance(kTileRows), shared(kTileRows);
        std::vector<std::uint32_t> seen(bits + 1);
        std::vector<SharedHit> hits;
        for (std::size_t q; blocks.next(q);) {
            std::uint32_t* rows = out.rows + q * cells;
            std::fill_n(rows, cells, 0u);
            std::fill(seen.begin(), seen.end(), 0u);
            hits.clear();
            const std::size_t excluded = exclude && exclude[q] >= 0 ? static_cast<std::size_t>(exclude[q]) : database.rows;
            for (std::size_t begin = 0; begin < database.rows; begin += kTileRows) {
                const std::size_t n = std::min(kTileRows, database.rows - begin);
                kernel(query.row(q), database.row(begin), n, database.width, distance.data());
                sharing.count(q, begin, begin + n, shared.data());
                for (std::size_t i = 0; i < n; ++i) {
                    if (begin + i == excluded) continue;
                    const std::uint16_t d = distance[i], s = shared[i];
                    ++rows[d * grading.levels + s];
                    const std::uint32_t earlier = seen[d]++;
                    if (s != 0) hits.push_back({earlier, d, s});
                }
            }
            finish(hits, rows, bits, grading, q, out);
        }
    });
}

}  // namespace hashzoo
