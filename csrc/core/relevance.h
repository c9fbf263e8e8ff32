// Which database rows are relevant to a query: the same class, or at least one shared label.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/grouping.h"

namespace hashzoo {

struct Rows {
    const std::uint32_t* index;  // ascending
    std::size_t count;
};

struct Partition {
    std::vector<std::uint32_t> rows;  // ascending within a group
    std::vector<std::size_t> start;   // of each group in `rows`, and the end
};

class Relevance {
public:
    virtual ~Relevance() = default;
    // Queries of one group have the same relevant rows. Groups are numbered from 0, below 2^32.
    virtual std::size_t group(std::size_t query) const = 0;
    // The relevant rows of a group in [begin, end); `begin` is a multiple of 64. The answer may lie in `scratch`
    // (end - begin entries).
    virtual Rows find(std::size_t group, std::size_t begin, std::size_t end, std::uint32_t* scratch) const = 0;
    // If no row is relevant to two groups: all rows, group by group.
    virtual const Partition* partition() const { return nullptr; }

    bool holds(std::size_t group, std::size_t row) const;
};

// Class ids. Rows are grouped by class once, so that a query finds its own without looking at the others.
class ClassRelevance final : public Relevance {
public:
    ClassRelevance(const std::int64_t* query, std::size_t queries, const std::int64_t* database, std::size_t rows);
    std::size_t group(std::size_t query) const override { return group_[query]; }
    Rows find(std::size_t group, std::size_t begin, std::size_t end, std::uint32_t* scratch) const override;
    const Partition* partition() const override { return &classes_; }

private:
    std::vector<std::size_t> group_;  // of each query; the last group is empty: a class the database lacks
    Partition classes_;
};

// Label sets as bit masks of `width` words. The database is kept as one bit plane a label, as large as its masks.
class MaskRelevance final : public Relevance {
public:
    MaskRelevance(const std::uint64_t* query, std::size_t queries, const std::uint64_t* database, std::size_t rows,
                  std::size_t width, const Control& control);
    std::size_t group(std::size_t query) const override { return sets_.of_row[query]; }
    Rows find(std::size_t group, std::size_t begin, std::size_t end, std::uint32_t* scratch) const override;

private:
    Grouping sets_;                       // distinct label sets of the queries
    std::vector<std::size_t> start_;      // of each set in labels_
    std::vector<std::uint32_t> labels_;   // of one set after the other
    std::size_t plane_words_;             // words a plane
    std::vector<std::uint64_t> planes_;   // (64 * width, plane_words_): bit i of plane j is label j of row i
};

}  // namespace hashzoo
