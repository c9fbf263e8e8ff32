// Which database rows are relevant to a query: the same class, or at least one shared label.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hashzoo {

struct Rows {
    const std::uint32_t* index;  // ascending
    std::size_t count;
};

class Relevance {
public:
    virtual ~Relevance() = default;
    // The relevant rows in [begin, end). The answer may lie in `scratch` (end - begin entries).
    virtual Rows find(std::size_t query, std::size_t begin, std::size_t end, std::uint32_t* scratch) const = 0;
};

// Class ids. Rows are grouped by class once, so that a query finds its own without looking at the others.
class ClassRelevance final : public Relevance {
public:
    ClassRelevance(const std::int64_t* query, std::size_t queries, const std::int64_t* database, std::size_t rows);
    Rows find(std::size_t query, std::size_t begin, std::size_t end, std::uint32_t* scratch) const override;

private:
    std::vector<std::size_t> group_;    // of each query; the last group is empty: a class the database lacks
    std::vector<std::size_t> start_;    // of each group in members_
    std::vector<std::uint32_t> members_;  // rows by group, ascending within one
};

// Label sets as bit masks of `width` words.
class MaskRelevance final : public Relevance {
public:
    MaskRelevance(const std::uint64_t* query, const std::uint64_t* database, std::size_t width)
        : query_(query), database_(database), width_(width) {}
    Rows find(std::size_t query, std::size_t begin, std::size_t end, std::uint32_t* scratch) const override;

private:
    const std::uint64_t* query_;
    const std::uint64_t* database_;
    std::size_t width_;
};

}  // namespace hashzoo
