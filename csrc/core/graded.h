// Graded relevance: how many labels a query and a database row share.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/kernels.h"
#include "core/parallel.h"
#include "core/search.h"

namespace hashzoo {

class Sharing {
public:
    virtual ~Sharing() = default;
    // out[i] = number of labels that the query shares with row begin + i.
    virtual void count(std::size_t query, std::size_t begin, std::size_t end, std::uint16_t* out) const = 0;
};

// Class ids: one label or none.
class SharedClass final : public Sharing {
public:
    SharedClass(const std::int64_t* query, const std::int64_t* database) : query_(query), database_(database) {}
    void count(std::size_t query, std::size_t begin, std::size_t end, std::uint16_t* out) const override;

private:
    const std::int64_t* query_;
    const std::int64_t* database_;
};

// Label sets as bit masks. |a and b| = (|a| + |b| - distance(a, b)) / 2: the kernels for codes serve here too.
class SharedMask final : public Sharing {
public:
    SharedMask(const Codes& query, const Codes& database);
    std::size_t most() const;  // labels of one query
    void count(std::size_t query, std::size_t begin, std::size_t end, std::uint16_t* out) const override;

private:
    const Codes query_, database_;
    const RowKernel kernel_;
    std::vector<std::uint16_t> query_size_, row_size_;
};

// Per query; caller allocates. The stable values rank equal distances in database order.
struct GradedCounts {
    std::uint32_t* rows;           // (queries, bits + 1, levels): rows at each distance that share 0, 1, ... labels
    double* stable_gain;           // (queries,): sum over the first places of gain * discount
    double* stable_weighted;       // (queries,): sum over the relevant rows there of labels shared so far / place
    std::int64_t* stable_shared;   // (queries,): labels shared by the rows there
    std::int64_t* stable_hits;     // (queries,): how many of them share any
};

struct Grading {
    const double* gain;  // (levels,) of a row that shares 0, 1, ... labels; no row may share more
    std::size_t levels;
    const double* discount;  // (places,): as many places of the ranking count
    std::size_t places;
};

// One pass over the pairs. Rows: at most 2^32 - 1. Spare bits of the last word must be zero. `exclude` is null, or has
// for each query a row that is not part of its database, or -1.
void count_graded(const Codes& query, const Codes& database, std::size_t bits, const Sharing& sharing,
                  const Grading& grading, const std::int64_t* exclude, const GradedCounts& out,
                  const Control& control);

}  // namespace hashzoo
