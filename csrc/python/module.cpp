// The only file that includes pybind11: check arrays, release the GIL, call core. Nothing is copied silently.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/count.h"
#include "core/dispatch.h"
#include "core/graded.h"
#include "core/grouping.h"
#include "core/multi_index.h"
#include "core/pack.h"
#include "core/radius.h"
#include "core/search.h"

namespace py = pybind11;
using hashzoo::Codes;
using hashzoo::Control;

namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

std::string shape_of(const py::array& array) { return py::str(array.attr("shape")); }

void require(bool condition, const std::string& message) {
    if (!condition) throw py::value_error(message);
}

void require_aligned(const py::array& array) {
    require((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0, "the array's memory must be aligned");
}

bool signal_arrived() {
    const py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
}

Control control(int threads) {
    require(threads >= 1, "threads must be at least 1, got " + std::to_string(threads));
    return {static_cast<unsigned>(threads), signal_arrived};
}

// Runs `work` without the GIL; after Ctrl-C the Python error is already set.
template <class Work>
void without_gil(Work work) {
    try {
        const py::gil_scoped_release nogil;
        work();
    } catch (const hashzoo::Interrupted&) {
        throw py::error_already_set();
    }
}

Codes codes(const Array<std::uint64_t>& array) {
    require(array.ndim() == 2 && array.shape(1) >= 1 && array.shape(1) <= 64,
            "packed codes must be (rows, 1 to 64 words), got shape " + shape_of(array));
    require(array.shape(0) < std::numeric_limits<std::int32_t>::max(), "at most 2^31 - 2 rows");
    require_aligned(array);
    return {array.data(), static_cast<std::size_t>(array.shape(0)), static_cast<std::size_t>(array.shape(1))};
}

void require_same_width(const Codes& query, const Codes& database) {
    require(query.width == database.width, "query has " + std::to_string(query.width) +
                                               " words a code, database has " + std::to_string(database.width));
}

void require_bits(std::size_t bits, std::size_t width) {
    require(bits >= 1 && (bits + 63) / 64 == width,
            std::to_string(bits) + " bits do not fill " + std::to_string(width) + " words");
}

// A spare bit would make distances greater than `bits`, and counters for those do not exist.
void require_clear_spare_bits(const Codes& codes, std::size_t bits) {
    if (bits % 64 == 0) return;
    std::uint64_t spare = 0;
    for (std::size_t i = 0; i < codes.rows; ++i) spare |= codes.row(i)[codes.width - 1] >> (bits % 64);
    require(spare == 0, "a bit beyond the first " + std::to_string(bits) + " is set; spare bits must be zero");
}

void require_classes(const py::array& query, const py::array& query_classes, const py::array& database,
                     const py::array& database_classes) {
    require(query_classes.ndim() == 1 && query_classes.shape(0) == query.shape(0) && database_classes.ndim() == 1 &&
                database_classes.shape(0) == database.shape(0),
            "class ids must be (rows,), one a code; got " + shape_of(query_classes) + " and " +
                shape_of(database_classes));
    require_aligned(query_classes);
    require_aligned(database_classes);
}

void require_masks(const Codes& query, const Array<std::uint64_t>& query_masks, const Codes& database,
                   const Array<std::uint64_t>& database_masks) {
    const Codes ours = codes(query_masks), theirs = codes(database_masks);
    require(ours.rows == query.rows && theirs.rows == database.rows && ours.width == theirs.width,
            "label masks must be (rows, words), one a code; got " + shape_of(query_masks) + " and " +
                shape_of(database_masks));
}

// For each query a row of the database that it does not search, or -1.
using Exclude = std::optional<Array<std::int64_t>>;

const std::int64_t* excluded_rows(const Exclude& exclude, const Codes& query, const Codes& database) {
    if (!exclude) return nullptr;
    require(exclude->ndim() == 1 && static_cast<std::size_t>(exclude->shape(0)) == query.rows,
            "exclude must be (queries,), got " + shape_of(*exclude));
    require_aligned(*exclude);
    const std::int64_t* rows = exclude->data();
    for (std::size_t q = 0; q < query.rows; ++q)
        require(rows[q] >= -1 && rows[q] < static_cast<std::int64_t>(database.rows),
                "exclude must be rows of the database or -1, got " + std::to_string(rows[q]));
    return rows;
}

template <class T>
hashzoo::PackProblem pack_as(const py::array& values, Array<std::uint64_t>& packed, const Control& with) {
    const T* from = static_cast<const T*>(values.data());
    std::uint64_t* to = packed.mutable_data();
    const auto rows = static_cast<std::size_t>(values.shape(0)), bits = static_cast<std::size_t>(values.shape(1));
    hashzoo::PackProblem problem{};
    without_gil([&] { problem = hashzoo::pack(from, rows, bits, to, with); });
    return problem;
}

Array<std::uint64_t> pack(const py::array& values, int threads) {
    require(values.ndim() == 2 && values.shape(1) >= 1 && values.shape(1) <= 4096,
            "values must be (rows, 1 to 4096 bits), got shape " + shape_of(values));
    require((values.flags() & py::array::c_style) != 0, "values must be C-contiguous");
    require_aligned(values);
    const Control with = control(threads);
    Array<std::uint64_t> packed({values.shape(0), (values.shape(1) + 63) / 64});
    hashzoo::PackProblem problem{};
    if (py::isinstance<py::array_t<float>>(values)) problem = pack_as<float>(values, packed, with);
    else if (py::isinstance<py::array_t<double>>(values)) problem = pack_as<double>(values, packed, with);
    else if (py::isinstance<py::array_t<bool>>(values)) problem = pack_as<bool>(values, packed, with);
    else if (py::isinstance<py::array_t<std::int8_t>>(values)) problem = pack_as<std::int8_t>(values, packed, with);
    else if (py::isinstance<py::array_t<std::uint8_t>>(values)) problem = pack_as<std::uint8_t>(values, packed, with);
    else if (py::isinstance<py::array_t<std::int32_t>>(values)) problem = pack_as<std::int32_t>(values, packed, with);
    else if (py::isinstance<py::array_t<std::int64_t>>(values)) problem = pack_as<std::int64_t>(values, packed, with);
    else throw py::type_error("cannot pack dtype " + std::string(py::str(values.dtype())));
    require(problem != hashzoo::PackProblem::nan, "codes contain NaN");
    require(problem != hashzoo::PackProblem::not_binary,
            "integer codes must be all in {0, 1} or all in {-1, 1}; other values found");
    return packed;
}

Array<std::int8_t> unpack(const Array<std::uint64_t>& packed, std::size_t bits, int threads) {
    const Codes from = codes(packed);
    require_bits(bits, from.width);
    const Control with = control(threads);
    Array<std::int8_t> values({from.rows, bits});
    std::int8_t* to = values.mutable_data();
    without_gil([&] { hashzoo::unpack(from.words, from.rows, bits, to, with); });
    return values;
}

Array<std::uint16_t> distances(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database, int threads) {
    const Codes q = codes(query), d = codes(database);
    require_same_width(q, d);
    const Control with = control(threads);
    Array<std::uint16_t> result({q.rows, d.rows});
    std::uint16_t* out = result.mutable_data();
    without_gil([&] { hashzoo::distances(q, d, out, with); });
    return result;
}

Array<std::int32_t> rank(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database, int threads) {
    const Codes q = codes(query), d = codes(database);
    require_same_width(q, d);
    const Control with = control(threads);
    Array<std::int32_t> order({q.rows, d.rows});
    std::int32_t* out = order.mutable_data();
    without_gil([&] { hashzoo::rank(q, d, out, with); });
    return order;
}

// The first min(k, rows) places; search(columns, distances, rows) fills them without the GIL.
template <class Search>
py::tuple places_of(std::size_t queries, std::size_t rows, std::size_t k, Search search) {
    require(k >= 1, "k must be at least 1");
    const std::size_t columns = std::min(k, rows);
    Array<std::int32_t> distance({queries, columns});
    Array<std::int64_t> index({queries, columns});
    std::int32_t* distance_out = distance.mutable_data();
    std::int64_t* index_out = index.mutable_data();
    if (columns > 0) without_gil([&] { search(columns, distance_out, index_out); });
    return py::make_tuple(distance, index);
}

py::tuple top_k(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database, std::size_t k, int threads) {
    const Codes q = codes(query), d = codes(database);
    require_same_width(q, d);
    const Control with = control(threads);
    return places_of(q.rows, d.rows, k, [&](std::size_t columns, std::int32_t* distance, std::int64_t* index) {
        hashzoo::top_k(q, d, columns, distance, index, with);
    });
}

// (offsets, distances, rows) of what `search` finds; it is called without the GIL.
template <class Search>
py::tuple matches_of(Search search) {
    hashzoo::Matches matches;
    without_gil([&] { matches = search(); });
    Array<std::int64_t> offsets(static_cast<py::ssize_t>(matches.size() + 1));
    std::int64_t* offset = offsets.mutable_data();
    offset[0] = 0;
    for (const auto& of_query : matches) {
        offset[1] = offset[0] + static_cast<std::int64_t>(of_query.size());
        ++offset;
    }
    Array<std::int32_t> distance(static_cast<py::ssize_t>(*offset));
    Array<std::int64_t> index(static_cast<py::ssize_t>(*offset));
    std::int32_t* distance_out = distance.mutable_data();
    std::int64_t* index_out = index.mutable_data();
    without_gil([&] { hashzoo::unload(matches, distance_out, index_out); });
    return py::make_tuple(offsets, distance, index);
}

py::tuple within_radius(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database, std::size_t radius,
                        int threads) {
    const Codes q = codes(query), d = codes(database);
    require_same_width(q, d);
    const Control with = control(threads);
    return matches_of([&] { return hashzoo::within_radius(q, d, radius, with); });
}

Array<std::uint32_t> group(const Array<std::uint64_t>& database, int threads) {
    const Codes d = codes(database);
    const Control with = control(threads);
    Array<std::uint32_t> groups(static_cast<py::ssize_t>(d.rows));
    std::uint32_t* out = groups.mutable_data();
    without_gil([&] {
        const std::vector<std::uint32_t> of_row = hashzoo::group_rows(d, with).of_row;
        std::copy(of_row.begin(), of_row.end(), out);
    });
    return groups;
}

void require_substrings(std::size_t bits, std::size_t substrings) {
    require(substrings >= 1 && substrings <= bits && (bits - 1) / substrings < hashzoo::kWidestSubstring,
            std::to_string(bits) + " bits cannot be cut into " + std::to_string(substrings) + " substrings of 1 to " +
                std::to_string(hashzoo::kWidestSubstring) + " bits");
}

py::tuple build_tables(const Array<std::uint64_t>& database, std::size_t bits, std::size_t substrings, int threads) {
    const Codes d = codes(database);
    require_bits(bits, d.width);
    require_substrings(bits, substrings);
    const Control with = control(threads);
    Array<std::uint32_t> offsets(static_cast<py::ssize_t>(hashzoo::offsets_length(bits, substrings)));
    Array<std::uint32_t> entries({substrings, d.rows});
    std::uint32_t *offsets_out = offsets.mutable_data(), *entries_out = entries.mutable_data();
    without_gil([&] { hashzoo::build_tables(d, bits, substrings, offsets_out, entries_out, with); });
    return py::make_tuple(offsets, entries);
}

// Keeps the arrays that the index points into.
class MultiIndex {
public:
    MultiIndex(Array<std::uint64_t> distinct, Array<std::uint32_t> offsets, Array<std::uint32_t> entries,
               Array<std::uint32_t> starts, Array<std::uint32_t> members, std::size_t bits, std::size_t substrings,
               int threads)
        : arrays_{distinct, offsets, entries, starts, members} {
        const Codes of_groups = codes(distinct);
        require_bits(bits, of_groups.width);
        require_substrings(bits, substrings);
        for (const py::array& array : arrays_) require_aligned(array);
        const bool grouped = starts.size() > 0;
        const auto groups = static_cast<py::ssize_t>(of_groups.rows), tables = static_cast<py::ssize_t>(substrings);
        require(offsets.ndim() == 1 && starts.ndim() == 1 && members.ndim() == 1 && entries.ndim() == 2 &&
                    static_cast<std::size_t>(offsets.size()) == hashzoo::offsets_length(bits, substrings) &&
                    entries.shape(0) == tables && entries.shape(1) == groups &&
                    (grouped ? starts.size() == groups + 1 : members.size() == 0) &&
                    members.size() < std::numeric_limits<std::int32_t>::max(),
                "the arrays of the index do not fit together");
        index_.codes = of_groups;
        index_.rows = grouped ? static_cast<std::size_t>(members.size()) : of_groups.rows;
        index_.bits = bits;
        index_.substrings = substrings;
        index_.offsets = offsets.data();
        index_.entries = entries.data();
        index_.starts = grouped ? starts.data() : nullptr;
        index_.members = members.data();
        const Control with = control(threads);
        bool sound = false;
        without_gil([&] { sound = hashzoo::is_sound(index_, with); });
        require(sound, "the tables of the index do not belong to its codes");
    }

    py::tuple top_k(const Array<std::uint64_t>& query, std::size_t k, int threads) const {
        const Codes q = codes(query);
        require_same_width(q, index_.codes);
        const Control with = control(threads);
        return places_of(q.rows, index_.rows, k, [&](std::size_t columns, std::int32_t* distance, std::int64_t* row) {
            hashzoo::top_k(q, index_, columns, distance, row, with);
        });
    }

    py::tuple within_radius(const Array<std::uint64_t>& query, std::size_t radius, int threads) const {
        const Codes q = codes(query);
        require_same_width(q, index_.codes);
        const Control with = control(threads);
        return matches_of([&] { return hashzoo::within_radius(q, index_, radius, with); });
    }

private:
    py::array arrays_[5];
    hashzoo::MultiIndex index_;
};

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

PYBIND11_MODULE(_native, m) {
    using py::arg;
    m.def("isas", &hashzoo::supported_isas);
    m.def("isa", [] { return std::string(hashzoo::active_isa().name); });
    m.def("set_isa", &hashzoo::set_isa, arg("name"));
    m.def("pack", &pack, arg("values").noconvert(), arg("threads"));
    m.def("unpack", &unpack, arg("packed").noconvert(), arg("bits"), arg("threads"));
    m.def("distances", &distances, arg("query").noconvert(), arg("database").noconvert(), arg("threads"));
    m.def("rank", &rank, arg("query").noconvert(), arg("database").noconvert(), arg("threads"));
    m.def("top_k", &top_k, arg("query").noconvert(), arg("database").noconvert(), arg("k"), arg("threads"));
    m.def("within_radius", &within_radius, arg("query").noconvert(), arg("database").noconvert(), arg("radius"),
          arg("threads"));
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
    m.def("group", &group, arg("database").noconvert(), arg("threads"));
    m.def("build_tables", &build_tables, arg("database").noconvert(), arg("bits"), arg("substrings"), arg("threads"));
    py::class_<MultiIndex>(m, "MultiIndex")
        .def(py::init<Array<std::uint64_t>, Array<std::uint32_t>, Array<std::uint32_t>, Array<std::uint32_t>,
                      Array<std::uint32_t>, std::size_t, std::size_t, int>(),
             arg("distinct").noconvert(), arg("offsets").noconvert(), arg("entries").noconvert(),
             arg("starts").noconvert(), arg("members").noconvert(), arg("bits"), arg("substrings"), arg("threads"))
        .def("top_k", &MultiIndex::top_k, arg("query").noconvert(), arg("k"), arg("threads"))
        .def("within_radius", &MultiIndex::within_radius, arg("query").noconvert(), arg("radius"), arg("threads"));
}
