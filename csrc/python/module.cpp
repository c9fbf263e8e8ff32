// The files of this folder are the only ones that include pybind11: check arrays, release the GIL, call core.
#include "core/dispatch.h"
#include "core/pack.h"
#include "python/arrays.h"

namespace hashzoo::python {
namespace {

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
    else if (py::isinstance<py::array_t<bool>>(values)) problem = pack_as<hashzoo::Truth>(values, packed, with);
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

}  // namespace
}  // namespace hashzoo::python

PYBIND11_MODULE(_native, m) {
    using namespace hashzoo::python;
    using py::arg;
    m.def("isas", &hashzoo::supported_isas);
    m.def("isa", [] { return std::string(hashzoo::active_isa().name); });
    m.def("set_isa", &hashzoo::set_isa, arg("name"));
    m.def("pack", &pack, arg("values").noconvert(), arg("threads"));
    m.def("unpack", &unpack, arg("packed").noconvert(), arg("bits"), arg("threads"));
    bind_search(m);
    bind_counting(m);
    bind_index(m);
}
