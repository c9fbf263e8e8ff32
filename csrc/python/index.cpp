#include "core/grouping.h"
#include "core/multi_index.h"
#include "python/arrays.h"

namespace hashzoo::python {
namespace {

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

}  // namespace

void bind_index(py::module_& m) {
    using py::arg;
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

}  // namespace hashzoo::python
