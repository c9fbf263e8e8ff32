// The two ways to pass over the database for one query: by rows (any length) and by slices of bit planes (one word).
// Both keep the rows seen at each distance, and write a Hit for every wanted row. Copied for each thread: they hold
// scratch memory.
#pragma once
#include <algorithm>
#include <vector>

#include "core/grouping.h"
#include "core/kernels.h"
#include "core/parallel.h"
#include "core/search.h"

namespace hashzoo {

constexpr std::size_t kTileWords = 2048;     // database words that stay in the first-level cache
constexpr std::size_t kWorthPreparing = 64;  // codes that repay bit planes, or grouping the database

// A query code on its way through the database.
struct Probe {
    const std::uint64_t* code;
    std::vector<std::uint32_t> all;    // rows seen at each distance
    std::vector<std::uint64_t> flips;  // see SliceWork
    std::vector<std::uint16_t> table;  // distance of each distinct database code
    std::vector<Wanted> wanted;        // in the tile at hand
};

// Of rows of one word: see SliceWork::planes.
std::vector<std::uint64_t> bit_planes(const Codes& database, std::size_t groups, const Control& control);

class ByRows {
public:
    // With `distinct`, a kernel sees every distinct code once and rows look their distance up.
    ByRows(const Codes& database, RowKernel kernel, const Grouping* distinct)
        : database_(database), kernel_(kernel), distinct_(distinct) {
        if (!distinct) return;
        for (const std::uint32_t i : distinct->first_row)
            codes_.insert(codes_.end(), database.row(i), database.row(i) + database.width);
    }

    std::size_t tile_rows() const { return std::max<std::size_t>(64, kTileWords / database_.width / 64 * 64); }
    std::size_t distances() const { return 64 * database_.width + 1; }

    void begin(Probe& probe) const {
        if (!distinct_) return;
        probe.table.resize(distinct_->size());
        kernel_(probe.code, codes_.data(), distinct_->size(), database_.width, probe.table.data());
    }

    void add(Probe& probe, std::size_t begin, std::size_t end) {
        const std::size_t n = end - begin;
        distance_.resize(tile_rows());
        earlier_.resize(tile_rows());
        if (distinct_) {
            for (std::size_t i = 0; i < n; ++i) distance_[i] = probe.table[distinct_->of_row[begin + i]];
        } else {
            kernel_(probe.code, database_.row(begin), n, database_.width, distance_.data());
        }
        std::uint32_t* all = probe.all.data();
        for (std::size_t i = 0; i < n; ++i) earlier_[i] = all[distance_[i]]++;
        for (const Wanted& wanted : probe.wanted)
            for (std::size_t i = 0; i < wanted.count; ++i) {
                const std::size_t at = wanted.rows[i] - begin;
                wanted.hits[i] = {distance_[at], earlier_[at]};
            }
    }

    void end(Probe&) const {}

private:
    const Codes& database_;
    const RowKernel kernel_;
    const Grouping* const distinct_;
    std::vector<std::uint64_t> codes_;
    std::vector<std::uint16_t> distance_;
    std::vector<std::uint32_t> earlier_;
};

// Rows of zeros fill up the last slice; they come after every real row, so only the final count has to forget them.
class BySlices {
public:
    BySlices(const Codes& database, const std::vector<std::uint64_t>& planes, std::size_t bits, SliceKernel kernel)
        : database_(database), planes_(planes), bits_(bits), kernel_(kernel) {}

    static std::size_t groups(std::size_t bits) { return (bits + kGroupPlanes - 1) / kGroupPlanes; }
    std::size_t tile_rows() const { return kTileWords; }
    std::size_t distances() const { return kSliceDistances; }

    void begin(Probe& probe) const {
        probe.flips.resize(groups(bits_) * kGroupPlanes * kSliceWords);
        for (std::size_t i = 0; i < probe.flips.size(); ++i)
            probe.flips[i] = 0 - (*probe.code >> (i / kSliceWords) & 1);
    }

    void add(Probe& probe, std::size_t begin, std::size_t end) {
        std::vector<Wanted>& rest = probe.wanted;
        here_ = rest;
        for (std::size_t first = begin; first < end; first += kSliceRows) {
            for (std::size_t u = 0; u < rest.size(); ++u) {
                std::size_t count = 0;
                while (count != rest[u].count && rest[u].rows[count] < first + kSliceRows) ++count;
                here_[u] = {rest[u].rows, count, rest[u].hits};
                rest[u] = {rest[u].rows + count, rest[u].count - count, rest[u].hits + count};
            }
            const std::size_t words = groups(bits_) * kGroupPlanes * kSliceWords;
            kernel_({planes_.data() + first / kSliceRows * words, probe.flips.data(), groups(bits_), bits_,
                     *probe.code, database_.row(first), static_cast<std::uint32_t>(first), probe.all.data(),
                     here_.data(), here_.size()});
        }
    }

    void end(Probe& probe) const {
        std::size_t ones = 0;
        for (std::uint64_t rest = *probe.code; rest != 0; rest &= rest - 1) ++ones;
        probe.all[ones] -= static_cast<std::uint32_t>((kSliceRows - database_.rows % kSliceRows) % kSliceRows);
    }

private:
    const Codes& database_;
    const std::vector<std::uint64_t>& planes_;
    const std::size_t bits_;
    const SliceKernel kernel_;
    std::vector<Wanted> here_;  // what is left of Probe::wanted in one slice
};

}  // namespace hashzoo
