#include "core/count.h"

#include <algorithm>
#include <vector>

#include "core/dispatch.h"

namespace hashzoo {
namespace {

constexpr std::size_t kTileWords = 2048;                 // database words that stay in the first-level cache
constexpr std::size_t kMostQueries = 8;                  // queries that share one tile
constexpr std::size_t kHitBytes = std::size_t{8} << 20;  // for the relevant rows of one block, a thread
constexpr std::size_t kWorthSlicing = 64;                // queries that repay the making of bit planes

struct QueryState {
    std::vector<std::uint32_t> all;    // rows seen at each distance
    std::vector<Hit> hits;             // in database order
    std::vector<std::uint64_t> flips;  // see SliceWork
};

struct Tile {
    std::size_t begin, end;
    Rows relevant;
};

// Codes of any length: distances of a tile, then one counter a distance.
class ByRows {
public:
    ByRows(const Codes& database, RowKernel kernel) : database_(database), kernel_(kernel) {}

    std::size_t tile_rows() const { return std::max<std::size_t>(64, kTileWords / database_.width); }
    std::size_t distances() const { return 64 * database_.width + 1; }
    void begin(const std::uint64_t*, QueryState&) {}

    void add(const std::uint64_t* query, const Tile& tile, QueryState& state) {
        const std::size_t n = tile.end - tile.begin;
        distance_.resize(tile_rows());
        earlier_.resize(tile_rows());
        kernel_(query, database_.row(tile.begin), n, database_.width, distance_.data());
        std::uint32_t* all = state.all.data();
        for (std::size_t i = 0; i < n; ++i) earlier_[i] = all[distance_[i]]++;
        for (std::size_t i = 0; i < tile.relevant.count; ++i) {
            const std::size_t at = tile.relevant.index[i] - tile.begin;
            state.hits.push_back({distance_[at], earlier_[at]});
        }
    }

    void end(const std::uint64_t*, QueryState&) {}

private:
    const Codes& database_;
    const RowKernel kernel_;
    std::vector<std::uint16_t> distance_;
    std::vector<std::uint32_t> earlier_;
};

// Codes of one word: 256 rows at a time as bit planes. Rows of zeros fill up the last slice; they come after every
// real row, so only the final count has to forget them.
class BySlices {
public:
    BySlices(const Codes& database, const std::vector<std::uint64_t>& planes, std::size_t groups, SliceKernel kernel)
        : database_(database), planes_(planes), groups_(groups), kernel_(kernel) {}

    std::size_t tile_rows() const { return kTileWords; }
    std::size_t distances() const { return kSliceDistances; }

    void begin(const std::uint64_t* query, QueryState& state) {
        state.flips.resize(groups_ * kGroupPlanes * kSliceWords);
        for (std::size_t i = 0; i < state.flips.size(); ++i) state.flips[i] = 0 - (*query >> (i / kSliceWords) & 1);
    }

    void add(const std::uint64_t* query, const Tile& tile, QueryState& state) {
        const std::size_t known = state.hits.size();
        state.hits.resize(known + tile.relevant.count);
        Hit* hits = state.hits.data() + known;
        const std::uint32_t* next = tile.relevant.index;
        const std::uint32_t* const last = next + tile.relevant.count;
        for (std::size_t first = tile.begin; first < tile.end; first += kSliceRows) {
            const std::uint32_t* stop = next;
            while (stop != last && *stop < first + kSliceRows) ++stop;
            const auto here = static_cast<std::size_t>(stop - next);
            const std::uint64_t* planes =
                planes_.data() + first / kSliceRows * groups_ * kGroupPlanes * kSliceWords;
            kernel_({planes, state.flips.data(), groups_, *query, database_.row(first), next, here,
                     static_cast<std::uint32_t>(first), state.all.data(), hits});
            next = stop;
            hits += here;
        }
    }

    void end(const std::uint64_t* query, QueryState& state) {
        std::size_t ones = 0;
        for (std::uint64_t rest = *query; rest != 0; rest &= rest - 1) ++ones;
        state.all[ones] -= static_cast<std::uint32_t>((kSliceRows - database_.rows % kSliceRows) % kSliceRows);
    }

private:
    const Codes& database_;
    const std::vector<std::uint64_t>& planes_;
    const std::size_t groups_;
    const SliceKernel kernel_;
};

std::vector<std::uint64_t> bit_planes(const Codes& database, std::size_t groups, const Control& control) {
    const std::size_t slices = (database.rows + kSliceRows - 1) / kSliceRows;
    const std::size_t words = groups * kGroupPlanes * kSliceWords;
    std::vector<std::uint64_t> planes(slices * words);
    run_blocks(slices, control, [&](Blocks& blocks) {
        for (std::size_t slice; blocks.next(slice);) {
            const std::size_t end = std::min(database.rows, (slice + 1) * kSliceRows);
            std::uint64_t* out = planes.data() + slice * words;
            for (std::size_t i = slice * kSliceRows; i < end; ++i)
                for (std::size_t plane = 0; plane < groups * kGroupPlanes; ++plane)
                    out[plane * kSliceWords + i % kSliceRows / 64] |= (*database.row(i) >> plane & 1) << (i % 64);
        }
    });
    return planes;
}

// A row's place is known once every nearer row is counted: base of its distance + earlier rows of that distance.
void finish(const QueryState& state, std::size_t bits, std::size_t topk, std::size_t q, const Counts& out) {
    std::uint32_t* all = out.all + q * (bits + 1);
    std::uint32_t* relevant = out.relevant + q * (bits + 1);
    std::copy_n(state.all.begin(), bits + 1, all);
    std::fill_n(relevant, bits + 1, 0u);
    for (const Hit& hit : state.hits) ++relevant[hit.distance];

    std::vector<std::size_t> base(bits + 2), hits(bits + 2);
    for (std::size_t d = 0; d <= bits; ++d) {
        base[d + 1] = base[d] + all[d];
        hits[d + 1] = hits[d] + relevant[d];
    }
    const std::size_t last_place = topk == kAtRelevant ? state.hits.size() : topk;
    double sum = 0;
    std::int64_t counted = 0;
    for (const Hit& hit : state.hits) {
        const std::size_t place = base[hit.distance] + hit.earlier + 1;
        const std::size_t found = ++hits[hit.distance];
        if (place > last_place) continue;
        sum += static_cast<double>(found) / static_cast<double>(place);
        ++counted;
    }
    out.stable_precision[q] = sum;
    out.stable_hits[q] = counted;
}

// `original` is copied for each thread: it holds scratch memory.
template <class Way>
void count_in(const Way& original, const Codes& query, const Codes& database, std::size_t bits,
              const Relevance& relevance, std::size_t topk, const Counts& out, const Control& control) {
    const std::size_t most_hits = std::max<std::size_t>(1, database.rows) * sizeof(Hit);
    const std::size_t together = std::clamp<std::size_t>(kHitBytes / most_hits, 1, kMostQueries);
    run_blocks((query.rows + together - 1) / together, control, [&](Blocks& blocks) {
        Way way(original);
        std::vector<QueryState> states(together);
        std::vector<std::uint32_t> scratch(way.tile_rows());
        for (std::size_t block; blocks.next(block);) {
            const std::size_t first = block * together, last = std::min(query.rows, first + together);
            for (std::size_t q = first; q < last; ++q) {
                states[q - first].all.assign(way.distances(), 0);
                states[q - first].hits.clear();
                way.begin(query.row(q), states[q - first]);
            }
            for (std::size_t begin = 0; begin < database.rows; begin += way.tile_rows()) {
                const std::size_t end = std::min(database.rows, begin + way.tile_rows());
                for (std::size_t q = first; q < last; ++q) {
                    const Tile tile{begin, end, relevance.find(q, begin, end, scratch.data())};
                    way.add(query.row(q), tile, states[q - first]);
                }
            }
            for (std::size_t q = first; q < last; ++q) {
                way.end(query.row(q), states[q - first]);
                finish(states[q - first], bits, topk, q, out);
            }
        }
    });
}

}  // namespace

void count(const Codes& query, const Codes& database, std::size_t bits, const Relevance& relevance, std::size_t topk,
           const Counts& out, const Control& control) {
    const Isa& isa = active_isa();  // once, outside every loop
    if (database.width == 1 && query.rows >= kWorthSlicing) {
        const std::size_t groups = (bits + kGroupPlanes - 1) / kGroupPlanes;
        const std::vector<std::uint64_t> planes = bit_planes(database, groups, control);
        count_in(BySlices(database, planes, groups, isa.slice), query, database, bits, relevance, topk, out, control);
    } else {
        count_in(ByRows(database, isa.row), query, database, bits, relevance, topk, out, control);
    }
}

}  // namespace hashzoo
