#include "core/search.h"
#include "core/radius.h"
#include "python/arrays.h"

namespace hashzoo::python {
namespace {

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

py::tuple top_k(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database, std::size_t k, int threads) {
    const Codes q = codes(query), d = codes(database);
    require_same_width(q, d);
    const Control with = control(threads);
    return places_of(q.rows, d.rows, k, [&](std::size_t columns, std::int32_t* distance, std::int64_t* index) {
        hashzoo::top_k(q, d, columns, distance, index, with);
    });
}

py::tuple within_radius(const Array<std::uint64_t>& query, const Array<std::uint64_t>& database, std::size_t radius,
                        int threads) {
    const Codes q = codes(query), d = codes(database);
    require_same_width(q, d);
    const Control with = control(threads);
    return matches_of([&] { return hashzoo::within_radius(q, d, radius, with); });
}

}  // namespace

void bind_search(py::module_& m) {
    using py::arg;
    m.def("distances", &distances, arg("query").noconvert(), arg("database").noconvert(), arg("threads"));
    m.def("rank", &rank, arg("query").noconvert(), arg("database").noconvert(), arg("threads"));
    m.def("top_k", &top_k, arg("query").noconvert(), arg("database").noconvert(), arg("k"), arg("threads"));
    m.def("within_radius", &within_radius, arg("query").noconvert(), arg("database").noconvert(), arg("radius"),
          arg("threads"));
}

}  // namespace hashzoo::python
