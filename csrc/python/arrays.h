// What every binding needs: check arrays, release the GIL. Nothing is copied silently.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/parallel.h"
#include "core/radius.h"
#include "core/search.h"

namespace hashzoo::python {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

inline std::string shape_of(const py::array& array) { return py::str(array.attr("shape")); }

inline void require(bool condition, const std::string& message) {
    if (!condition) throw py::value_error(message);
}

inline void require_aligned(const py::array& array) {
    require((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0, "the array's memory must be aligned");
}

inline bool signal_arrived() {
    const py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
}

inline Control control(int threads) {
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

inline Codes codes(const Array<std::uint64_t>& array) {
    require(array.ndim() == 2 && array.shape(1) >= 1 && array.shape(1) <= 64,
            "packed codes must be (rows, 1 to 64 words), got shape " + shape_of(array));
    require(array.shape(0) < std::numeric_limits<std::int32_t>::max(), "at most 2^31 - 2 rows");
    require_aligned(array);
    return {array.data(), static_cast<std::size_t>(array.shape(0)), static_cast<std::size_t>(array.shape(1))};
}

inline void require_same_width(const Codes& query, const Codes& database) {
    require(query.width == database.width, "query has " + std::to_string(query.width) +
                                               " words a code, database has " + std::to_string(database.width));
}

inline void require_bits(std::size_t bits, std::size_t width) {
    require(bits >= 1 && (bits + 63) / 64 == width,
            std::to_string(bits) + " bits do not fill " + std::to_string(width) + " words");
}

// A spare bit would make distances greater than `bits`, and counters for those do not exist.
inline void require_clear_spare_bits(const Codes& codes, std::size_t bits) {
    if (bits % 64 == 0) return;
    std::uint64_t spare = 0;
    for (std::size_t i = 0; i < codes.rows; ++i) spare |= codes.row(i)[codes.width - 1] >> (bits % 64);
    require(spare == 0, "a bit beyond the first " + std::to_string(bits) + " is set; spare bits must be zero");
}

inline void require_classes(const py::array& query, const py::array& query_classes, const py::array& database,
                     const py::array& database_classes) {
    require(query_classes.ndim() == 1 && query_classes.shape(0) == query.shape(0) && database_classes.ndim() == 1 &&
                database_classes.shape(0) == database.shape(0),
            "class ids must be (rows,), one a code; got " + shape_of(query_classes) + " and " +
                shape_of(database_classes));
    require_aligned(query_classes);
    require_aligned(database_classes);
}

inline void require_masks(const Codes& query, const Array<std::uint64_t>& query_masks, const Codes& database,
                   const Array<std::uint64_t>& database_masks) {
    const Codes ours = codes(query_masks), theirs = codes(database_masks);
    require(ours.rows == query.rows && theirs.rows == database.rows && ours.width == theirs.width,
            "label masks must be (rows, words), one a code; got " + shape_of(query_masks) + " and " +
                shape_of(database_masks));
}

// For each query a row of the database that it does not search, or -1.
using Exclude = std::optional<Array<std::int64_t>>;

inline const std::int64_t* excluded_rows(const Exclude& exclude, const Codes& query, const Codes& database) {
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

void bind_search(py::module_& m);
void bind_index(py::module_& m);
void bind_counting(py::module_& m);

}  // namespace hashzoo::python
