#include "core/count.h"

#include <algorithm>
#include <vector>

#include "core/dispatch.h"
#include "core/histograms.h"
#include "core/passes.h"
#include "core/units.h"

namespace hashzoo {
namespace {

constexpr std::size_t kMostUnits = 8;                    // units that share one tile
constexpr std::size_t kHitBytes = std::size_t{8} << 20;  // for the relevant rows of one block, a thread

// Turns what one unit met into the outputs of its queries. Keeps scratch memory.
class Finish {
public:
    Finish(std::size_t bits, std::size_t topk, const Counts& out)
        : bits_(bits), topk_(topk), out_(out), base_(bits + 1), found_(bits + 1) {}

    // `excluded` has a place for each row of unit.excluded.
    void operator()(const Unit& unit, const std::uint32_t* all, const std::vector<Hit>& hits,
                    const std::vector<Hit>& excluded) {
        const std::size_t alike = unit.queries.size() - excluded.size();
        if (alike != 0) fill(unit.queries[0], all, hits, nullptr);
        for (std::size_t i = 1; i < alike; ++i) copy(unit.queries[0], unit.queries[i]);
        for (std::size_t i = 0; i < excluded.size(); ++i) fill(unit.queries[alike + i], all, hits, &excluded[i]);
    }

private:
    void fill(std::size_t q, const std::uint32_t* all, const std::vector<Hit>& hits, const Hit* excluded) {
        const std::size_t columns = bits_ + 1;
        std::uint32_t *const all_out = out_.all + q * columns, *const relevant = out_.relevant + q * columns;
        std::copy_n(all, columns, all_out);
        std::fill_n(relevant, columns, 0u);
        for (const Hit& hit : hits) ++relevant[hit.distance];
        if (excluded != nullptr) {
            const auto is_excluded = [excluded](const Hit& hit) { return same_row(hit, *excluded); };
            --all_out[excluded->distance];
            relevant[excluded->distance] -= std::any_of(hits.begin(), hits.end(), is_excluded);
        }
        if (out_.stable_precision != nullptr)
            add_up(all_out, relevant, hits, excluded, out_.stable_precision[q], out_.stable_hits[q]);
    }

    void copy(std::size_t from, std::size_t to) const {
        const std::size_t columns = bits_ + 1;
        std::copy_n(out_.all + from * columns, columns, out_.all + to * columns);
        std::copy_n(out_.relevant + from * columns, columns, out_.relevant + to * columns);
        if (out_.stable_precision == nullptr) return;
        out_.stable_hits[to] = out_.stable_hits[from];
        out_.stable_precision[to] = out_.stable_precision[from];
    }

    static bool same_row(const Hit& a, const Hit& b) { return a.distance == b.distance && a.earlier == b.earlier; }

    // A row's place is known once every nearer row is counted: base of its distance + earlier rows of that distance.
    void add_up(const std::uint32_t* all, const std::uint32_t* relevant, const std::vector<Hit>& hits,
                const Hit* excluded, double& precision, std::int64_t& counted) {
        std::size_t rows_before = 0, hits_before = 0;
        for (std::size_t d = 0; d <= bits_; ++d) {
            base_[d] = rows_before;
            found_[d] = hits_before;
            rows_before += all[d];
            hits_before += relevant[d];
        }
        const std::size_t last_place = topk_ == kAtRelevant   ? hits_before
                                       : topk_ == kAllButLast ? std::max<std::size_t>(rows_before, 1) - 1
                                                              : topk_;
        double sum = 0;
        std::int64_t n = 0;
        for (const Hit& hit : hits) {
            std::size_t place = base_[hit.distance] + hit.earlier + 1;
            if (excluded != nullptr) {
                if (same_row(hit, *excluded)) continue;
                if (hit.distance == excluded->distance && hit.earlier > excluded->earlier) --place;
            }
            const std::size_t found = ++found_[hit.distance];
            if (place > last_place) continue;
            sum += static_cast<double>(found) / static_cast<double>(place);
            ++n;
        }
        precision = sum;
        counted = n;
    }

    const std::size_t bits_, topk_;
    const Counts& out_;
    std::vector<std::size_t> base_, found_;
};

Wanted excluded_between(const Unit& unit, std::size_t begin, std::size_t end, std::vector<Hit>& hits) {
    const std::vector<std::uint32_t>& rows = unit.excluded;
    const auto from = std::lower_bound(rows.begin(), rows.end(), begin), to = std::lower_bound(from, rows.end(), end);
    const auto first = static_cast<std::size_t>(from - rows.begin());
    return {rows.data() + first, static_cast<std::size_t>(to - from), hits.data() + first};
}

template <class Way>
void count_in(const Way& original, const Codes& query, const Codes& database, const std::vector<Unit>& units,
              const Relevance& relevance, const Finish& finish_original, const Control& control) {
    const std::size_t most_hits = std::max<std::size_t>(1, database.rows) * sizeof(Hit);
    const std::size_t together = std::clamp<std::size_t>(kHitBytes / most_hits, 1, kMostUnits);
    run_blocks((units.size() + together - 1) / together, control, [&](Blocks& blocks) {
        Way way(original);
        Finish finish(finish_original);
        std::vector<std::vector<Hit>> hits(together), excluded(together);
        std::vector<std::vector<std::uint32_t>> scratch(together, std::vector<std::uint32_t>(way.tile_rows()));
        std::vector<Probe> probes(together);
        for (std::size_t block; blocks.next(block);) {
            const std::size_t first = block * together, last = std::min(units.size(), first + together);
            std::size_t used = 0;
            std::size_t probe_of[kMostUnits];
            for (std::size_t u = first; u < last; ++u) {
                hits[u - first].clear();
                excluded[u - first].resize(units[u].excluded.size());
                if (u == first || units[u].code != units[u - 1].code) {
                    Probe& probe = probes[used++];
                    probe.code = query.row(units[u].queries.front());
                    probe.all.assign(way.distances(), 0);
                    way.begin(probe);
                }
                probe_of[u - first] = used - 1;
            }
            for (std::size_t begin = 0; begin < database.rows; begin += way.tile_rows()) {
                const std::size_t end = std::min(database.rows, begin + way.tile_rows());
                for (std::size_t p = 0, u = first; p < used; ++p) {
                    probes[p].wanted.clear();
                    for (; u < last && probe_of[u - first] == p; ++u) {
                        std::vector<Hit>& found = hits[u - first];
                        const std::size_t known = found.size();
                        const Rows rows = relevance.find(units[u].relevance, begin, end, scratch[u - first].data());
                        found.resize(known + rows.count);
                        probes[p].wanted.push_back({rows.index, rows.count, found.data() + known});
                        if (!units[u].excluded.empty())
                            probes[p].wanted.push_back(excluded_between(units[u], begin, end, excluded[u - first]));
                    }
                    way.add(probes[p], begin, end);
                }
            }
            for (std::size_t p = 0; p < used; ++p) way.end(probes[p]);
            for (std::size_t u = first; u < last; ++u)
                finish(units[u], probes[probe_of[u - first]].all.data(), hits[u - first], excluded[u - first]);
        }
    });
}

}  // namespace

void count(const Codes& query, const Codes& database, std::size_t bits, const Relevance& relevance, std::size_t topk,
           const std::int64_t* exclude, const Counts& out, const Control& control) {
    const Isa& isa = active_isa();  // once, outside every loop
    const Grouping codes = group_rows(query, control);
    const std::vector<Unit> units = group_queries(query, relevance, codes, exclude);
    if (out.stable_precision == nullptr &&
        histograms(query, database, bits, relevance, units, exclude, out, control))
        return;
    const Finish finish(bits, topk, out);
    if (database.width == 1 && codes.size() >= kWorthPreparing) {
        const std::vector<std::uint64_t> planes = bit_planes(database, BySlices::groups(bits), control);
        count_in(BySlices(database, planes, bits, isa.slice), query, database, units, relevance, finish, control);
        return;
    }
    Grouping distinct;
    const bool count_distinct = database.width > 1 && codes.size() >= kWorthPreparing;
    if (count_distinct) distinct = group_rows(database, control);
    const bool repeats = count_distinct && 2 * distinct.size() <= database.rows;
    count_in(ByRows(database, isa.row, repeats ? &distinct : nullptr), query, database, units, relevance, finish,
             control);
}

}  // namespace hashzoo
