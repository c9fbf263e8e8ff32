#include "core/histograms.h"

#include <algorithm>
#include <map>

#include "core/dispatch.h"
#include "core/passes.h"

namespace hashzoo {
namespace {

constexpr std::size_t kLongestInTables = 16;  // bits: 65,536 codes x 17 distances, 4 MB a thread
constexpr std::size_t kUnitsTogether = 8;     // that share one tile

// Rows at distance d from code v stand at [d * 2^bits + v].
class DistanceTable {
public:
    explicit DistanceTable(std::size_t bits)
        : bits_(bits), values_(std::size_t{1} << bits), rows_((bits + 1) * values_) {}

    void clear() { std::fill(rows_.begin(), rows_.end(), 0u); }
    void add(std::uint64_t code) { ++rows_[code]; }

    // One bit after the other: the rows that differ from v in it are those of v's neighbour, one farther.
    void spread() {
        for (std::size_t bit = 0; bit < bits_; ++bit) {
            const std::size_t step = std::size_t{1} << bit;
            for (std::size_t d = bit + 1; d > 0; --d)
                for (std::size_t v = 0; v < values_; v += 2 * step) {
                    std::uint32_t* to = rows_.data() + d * values_ + v;
                    const std::uint32_t* nearer = to - values_;
                    for (std::size_t i = 0; i < step; ++i) {
                        to[i] += nearer[step + i];
                        to[step + i] += nearer[i];
                    }
                }
        }
    }

    void copy(std::uint64_t code, std::uint32_t* out) const {
        for (std::size_t d = 0; d <= bits_; ++d) out[d] = rows_[d * values_ + code];
    }

private:
    const std::size_t bits_, values_;
    std::vector<std::uint32_t> rows_;
};

void by_tables(const Codes& query, const Codes& database, std::size_t bits, const Relevance& relevance,
               const std::vector<std::vector<std::size_t>>& queries_of, const std::vector<std::size_t>& groups,
               const Counts& out, const Control& control) {
    const std::size_t columns = bits + 1;
    run_blocks(groups.size() + 1, control, [&](Blocks& blocks) {
        DistanceTable table(bits);
        std::vector<std::uint32_t> scratch(database.rows);
        for (std::size_t block; blocks.next(block);) {
            table.clear();
            if (block == groups.size()) {
                for (std::size_t i = 0; i < database.rows; ++i) table.add(*database.row(i));
                table.spread();
                for (std::size_t q = 0; q < query.rows; ++q) table.copy(*query.row(q), out.all + q * columns);
                continue;
            }
            const Rows rows = relevance.find(groups[block], 0, database.rows, scratch.data());
            for (std::size_t i = 0; i < rows.count; ++i) table.add(*database.row(rows.index[i]));
            table.spread();
            for (const std::size_t q : queries_of[block]) table.copy(*query.row(q), out.relevant + q * columns);
        }
    });
}

// The rows of a class, in the database sorted by class: whole slices in the middle, whose rows are those counted
// between two moments of the pass, and single rows around them.
struct Stretch {
    std::size_t begin, end, first_whole, last_whole;

    Stretch(std::size_t from, std::size_t to)
        : begin(from), end(to), first_whole((from + kSliceRows - 1) / kSliceRows * kSliceRows),
          last_whole(to / kSliceRows * kSliceRows) {
        if (first_whole >= last_whole) first_whole = last_whole = end;  // no whole slice
    }
};

void by_classes(const Codes& query, const Codes& database, std::size_t bits, const Partition& classes,
                const std::vector<Unit>& units, const Counts& out, const Control& control) {
    std::vector<std::uint64_t> words(database.rows);
    for (std::size_t i = 0; i < database.rows; ++i) words[i] = *database.row(classes.rows[i]);
    const Codes sorted{words.data(), database.rows, 1};
    const std::vector<std::uint64_t> planes = bit_planes(sorted, BySlices::groups(bits), control);
    const Isa& isa = active_isa();
    const BySlices original(sorted, planes, bits, isa.slice);
    const std::size_t columns = bits + 1;

    struct Passage {
        Probe probe;
        std::vector<std::uint32_t> before, after;  // rows at each distance, at both ends of the whole slices
    };
    run_blocks((units.size() + kUnitsTogether - 1) / kUnitsTogether, control, [&](Blocks& blocks) {
        BySlices way(original);
        std::vector<Passage> passages(kUnitsTogether);
        std::uint16_t near[2 * kSliceRows];
        for (std::size_t block; blocks.next(block);) {
            const std::size_t first = block * kUnitsTogether, last = std::min(units.size(), first + kUnitsTogether);
            for (std::size_t u = first; u < last; ++u) {
                Passage& passage = passages[u - first];
                passage.probe.code = query.row(units[u].queries.front());
                for (auto* counts : {&passage.probe.all, &passage.before, &passage.after})
                    counts->assign(way.distances(), 0);
                way.begin(passage.probe);
            }
            for (std::size_t begin = 0; begin < database.rows; begin += way.tile_rows()) {
                const std::size_t end = std::min(database.rows, begin + way.tile_rows());
                for (std::size_t u = first; u < last; ++u) {
                    Passage& passage = passages[u - first];
                    const Stretch rows(classes.start[units[u].relevance], classes.start[units[u].relevance + 1]);
                    std::size_t done = begin;
                    const auto pass_to = [&](std::size_t row, std::vector<std::uint32_t>& moment) {
                        if (row <= begin || row > end || row % kSliceRows != 0) return;
                        way.add(passage.probe, done, row);
                        moment = passage.probe.all;
                        done = row;
                    };
                    pass_to(rows.first_whole, passage.before);
                    pass_to(rows.last_whole, passage.after);
                    way.add(passage.probe, done, end);
                }
            }
            for (std::size_t u = first; u < last; ++u) {
                Passage& passage = passages[u - first];
                const Stretch rows(classes.start[units[u].relevance], classes.start[units[u].relevance + 1]);
                way.end(passage.probe);
                std::vector<std::uint32_t>& relevant = passage.after;
                for (std::size_t d = 0; d < columns; ++d) relevant[d] -= passage.before[d];
                if (rows.first_whole == rows.last_whole) std::fill(relevant.begin(), relevant.end(), 0u);
                const auto add_single = [&](std::size_t from, std::size_t to) {
                    isa.row(passage.probe.code, words.data() + from, to - from, 1, near);
                    for (std::size_t i = 0; i < to - from; ++i) ++relevant[near[i]];
                };
                add_single(rows.begin, rows.first_whole);
                add_single(rows.last_whole, rows.end);
                for (const std::size_t q : units[u].queries) {
                    std::copy_n(passage.probe.all.data(), columns, out.all + q * columns);
                    std::copy_n(relevant.data(), columns, out.relevant + q * columns);
                }
            }
        }
    });
}

void take_out(const Codes& query, const Codes& database, std::size_t bits, const Relevance& relevance,
              const std::int64_t* exclude, const Counts& out) {
    const RowKernel kernel = active_isa().row;
    for (std::size_t q = 0; q < query.rows; ++q) {
        if (exclude[q] < 0) continue;
        const auto row = static_cast<std::size_t>(exclude[q]);
        std::uint16_t distance;
        kernel(query.row(q), database.row(row), 1, database.width, &distance);
        --out.all[q * (bits + 1) + distance];
        if (relevance.holds(relevance.group(q), row)) --out.relevant[q * (bits + 1) + distance];
    }
}

}  // namespace

bool histograms(const Codes& query, const Codes& database, std::size_t bits, const Relevance& relevance,
                const std::vector<Unit>& units, const std::int64_t* exclude, const Counts& out,
                const Control& control) {
    if (database.width != 1 || units.size() < kWorthPreparing) return false;
    std::map<std::size_t, std::vector<std::size_t>> by_group;
    for (std::size_t q = 0; q < query.rows; ++q) by_group[relevance.group(q)].push_back(q);
    const std::size_t additions = bits > kLongestInTables ? 0 : (std::size_t{1} << bits) * bits * bits / 2;
    const std::size_t tables = (by_group.size() + 1) * (additions / 4 + database.rows);
    if (bits <= kLongestInTables && tables < units.size() * database.rows / 2) {
        std::vector<std::size_t> groups;
        std::vector<std::vector<std::size_t>> queries_of;
        for (auto& [group, queries] : by_group) {
            groups.push_back(group);
            queries_of.push_back(std::move(queries));
        }
        by_tables(query, database, bits, relevance, queries_of, groups, out, control);
    } else if (relevance.partition() != nullptr) {
        by_classes(query, database, bits, *relevance.partition(), units, out, control);
    } else {
        return false;
    }
    if (exclude != nullptr) take_out(query, database, bits, relevance, exclude, out);
    return true;
}

}  // namespace hashzoo
