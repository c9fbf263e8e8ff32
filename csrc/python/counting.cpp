#include "core/count.h"
#include "core/graded.h"
#include "python/arrays.h"

namespace hashzoo::python {
namespace {

// Allocates the outputs and counts; make_relevance() is called without the GIL.
template <class MakeRelevance>
py::tuple count(const Codes& query, const Codes& database, std::size_t bits, py::ssize_t topk, int threads,
                const Exclude& exclude, bool stable, MakeRelevance make_relevance) {
    require_same_width(query, database);
    require_bits(bits, query.width);
    require_clear_spare_bits(query, bits);
    require_clear_spare_bits(database, bits);
    require(topk >= -2, "topk must be at least 0; or -1: the query's number of relevant rows; or -2: all but one");
    const std::size_t places = topk == -1   ? hashzoo::kAtRelevant
                               : topk == -2 ? hashzoo::kAllButLast
                                            : static_cast<std::size_t>(topk);
    const std::int64_t* excluded = excluded_rows(exclude, query, database);
    const Control with = control(threads);
    Array<std::uint32_t> all({query.rows, bits + 1}), relevant({query.rows, bits + 1});
    const auto stable_rows = static_cast<py::ssize_t>(stable ? query.rows : 0);
    Array<double> stable_precision(stable_rows);
    Array<std::int64_t> stable_hits(stable_rows);
    const hashzoo::Counts out{all.mutable_data(), relevant.mutable_data(),
                              stable ? stable_precision.mutable_data() : nullptr,
                              stable ? stable_hits.mutable_data() : nullptr};
    without_gil([&] { hashzoo::count(query, database, bits, make_relevance(with), places, excluded, out, with); });
    return py::make_tuple(all, relevant, stable_precision, stable_hits);
}

py::tuple count_classes(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database,
                        const Array<std::int64_t>& query_classes, const Array<std::int64_t>& database_classes,
                        std::size_t bits, py::ssize_t topk, int threads, const Exclude& exclude,
                        bool stable) {
    const Codes q = codes(query), d = codes(database);
    require_classes(query, query_classes, database, database_classes);
    const std::int64_t *ours = query_classes.data(), *theirs = database_classes.data();
    return count(q, d, bits, topk, threads, exclude, stable,
                 [&](const Control&) { return hashzoo::ClassRelevance(ours, q.rows, theirs, d.rows); });
}

py::tuple count_masks(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database,
                      const Array<std::uint64_t>& query_masks, const Array<std::uint64_t>& database_masks,
                      std::size_t bits, py::ssize_t topk, int threads, const Exclude& exclude,
                        bool stable) {
    const Codes q = codes(query), d = codes(database), ours = codes(query_masks), theirs = codes(database_masks);
    require_masks(q, query_masks, d, database_masks);
    return count(q, d, bits, topk, threads, exclude, stable, [&](const Control& with) {
        return hashzoo::MaskRelevance(ours.words, ours.rows, theirs.words, theirs.rows, ours.width, with);
    });
}

// As `count`; make_sharing() is called without the GIL.
template <class MakeSharing>
py::tuple count_graded(const Codes& query, const Codes& database, std::size_t bits, const Array<double>& gain,
                       const Array<double>& discount, int threads, const Exclude& exclude,
                       MakeSharing make_sharing) {
    require_same_width(query, database);
    require_bits(bits, query.width);
    require_clear_spare_bits(query, bits);
    require_clear_spare_bits(database, bits);
    require(gain.ndim() == 1 && gain.shape(0) >= 2 && discount.ndim() == 1,
            "gain must be (2 or more levels,) and discount (places,), got " + shape_of(gain) + " and " +
                shape_of(discount));
    require_aligned(gain);
    require_aligned(discount);
    const std::int64_t* excluded = excluded_rows(exclude, query, database);
    const Control with = control(threads);
    const auto queries = static_cast<py::ssize_t>(query.rows);
    Array<std::uint32_t> rows({queries, static_cast<py::ssize_t>(bits + 1), gain.shape(0)});
    Array<double> stable_gain(queries), stable_weighted(queries);
    Array<std::int64_t> stable_shared(queries), stable_hits(queries);
    const hashzoo::GradedCounts out{rows.mutable_data(), stable_gain.mutable_data(), stable_weighted.mutable_data(),
                                    stable_shared.mutable_data(), stable_hits.mutable_data()};
    const hashzoo::Grading grading{gain.data(), static_cast<std::size_t>(gain.shape(0)), discount.data(),
                                   static_cast<std::size_t>(discount.shape(0))};
    without_gil([&] { hashzoo::count_graded(query, database, bits, make_sharing(), grading, excluded, out, with); });
    return py::make_tuple(rows, stable_gain, stable_weighted, stable_shared, stable_hits);
}

py::tuple count_graded_classes(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database,
                               const Array<std::int64_t>& query_classes, const Array<std::int64_t>& database_classes,
                               std::size_t bits, const Array<double>& gain, const Array<double>& discount,
                               int threads, const Exclude& exclude) {
    const Codes q = codes(query), d = codes(database);
    require_classes(query, query_classes, database, database_classes);
    const std::int64_t *ours = query_classes.data(), *theirs = database_classes.data();
    return count_graded(q, d, bits, gain, discount, threads, exclude,
                        [&] { return hashzoo::SharedClass(ours, theirs); });
}

py::tuple count_graded_masks(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database,
                             const Array<std::uint64_t>& query_masks, const Array<std::uint64_t>& database_masks,
                             std::size_t bits, const Array<double>& gain, const Array<double>& discount,
                             int threads, const Exclude& exclude) {
    const Codes q = codes(query), d = codes(database), ours = codes(query_masks), theirs = codes(database_masks);
    require_masks(q, query_masks, d, database_masks);
    const auto make_sharing = [&] {
        hashzoo::SharedMask sharing(ours, theirs);
        if (static_cast<py::ssize_t>(sharing.most()) >= gain.size())
            throw std::invalid_argument("a query has " + std::to_string(sharing.most()) + " labels, gain has " +
                                        std::to_string(gain.size()) + " levels");
        return sharing;
    };
    return count_graded(q, d, bits, gain, discount, threads, exclude, make_sharing);
}

}  // namespace

void bind_counting(py::module_& m) {
    using py::arg;
    m.def("count_classes", &count_classes, arg("query").noconvert(), arg("database").noconvert(),
          arg("query_classes").noconvert(), arg("database_classes").noconvert(), arg("bits"), arg("topk"),
          arg("threads"), arg("exclude").noconvert() = py::none(), arg("stable") = true);
    m.def("count_masks", &count_masks, arg("query").noconvert(), arg("database").noconvert(),
          arg("query_masks").noconvert(), arg("database_masks").noconvert(), arg("bits"), arg("topk"),
          arg("threads"), arg("exclude").noconvert() = py::none(), arg("stable") = true);
    m.def("count_graded_classes", &count_graded_classes, arg("query").noconvert(), arg("database").noconvert(),
          arg("query_classes").noconvert(), arg("database_classes").noconvert(), arg("bits"),
          arg("gain").noconvert(), arg("discount").noconvert(), arg("threads"),
          arg("exclude").noconvert() = py::none());
    m.def("count_graded_masks", &count_graded_masks, arg("query").noconvert(), arg("database").noconvert(),
          arg("query_masks").noconvert(), arg("database_masks").noconvert(), arg("bits"), arg("gain").noconvert(),
          arg("discount").noconvert(), arg("threads"), arg("exclude").noconvert() = py::none());
}

}  // namespace hashzoo::python
