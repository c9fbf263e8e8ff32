// The CUDA half of the extension. Pointers and streams are ints, and may be of host or of device memory:
// hashzoo/retrieval checks shapes, types and spare bits before it calls.
#include <algorithm>
#include <limits>

#include "cuda/ranking.h"
#include "python/arrays.h"

namespace {

namespace py = pybind11;
using namespace hashzoo::python;
using hashzoo::cuda::Request;

const std::uint64_t* words_at(std::uintptr_t address) { return reinterpret_cast<const std::uint64_t*>(address); }

Request request(std::uintptr_t query, std::uintptr_t database, std::size_t queries, std::size_t rows, unsigned words,
                unsigned bits, int device, std::uintptr_t stream, std::size_t chunk_rows) {
    require(words >= 1 && words <= 64, "expected 1 to 64 words a code, got " + std::to_string(words));
    require_bits(bits, words);
    require(std::max(queries, rows) < std::numeric_limits<std::int32_t>::max(), "at most 2^31 - 2 rows");
    Request of{};
    of.query = words_at(query);
    of.database = words_at(database);
    of.queries = queries;
    of.rows = rows;
    of.words = words;
    of.bits = bits;
    of.device = device;
    of.stream = reinterpret_cast<void*>(stream);
    of.chunk_rows = chunk_rows;
    of.interrupted = signal_arrived;
    return of;
}

// As without_gil; memory that is lacking on the device is a MemoryError.
template <class Work>
void on_device(Work work) {
    try {
        without_gil(work);
    } catch (const hashzoo::cuda::OutOfMemory& error) {
        PyErr_SetString(PyExc_MemoryError, error.what());
        throw py::error_already_set();
    }
}

py::tuple count(std::uintptr_t query, std::uintptr_t database, std::uintptr_t query_labels,
                std::uintptr_t database_labels, std::uintptr_t exclude, std::size_t queries, std::size_t rows,
                unsigned words, unsigned label_words, bool masks, unsigned bits, std::int64_t topk, bool stable,
                int device, std::uintptr_t stream, std::size_t chunk_rows) {
    Request of = request(query, database, queries, rows, words, bits, device, stream, chunk_rows);
    require(label_words >= 1 && label_words <= 64 && (masks || label_words == 1),
            "expected one word a class id, or 1 to 64 words a label mask, got " + std::to_string(label_words));
    require(topk >= hashzoo::cuda::kAllButLastPlaces, "topk must be at least 0, or -1 or -2");
    of.query_labels = words_at(query_labels);
    of.database_labels = words_at(database_labels);
    of.exclude = words_at(exclude);
    of.label_words = label_words;
    of.masks = masks;
    const py::ssize_t columns = bits + 1, length = static_cast<py::ssize_t>(queries);
    Array<std::uint32_t> all({length, columns}), relevant({length, columns});
    Array<double> precision(stable ? length : 0);
    Array<std::int64_t> hits(stable ? length : 0);
    std::uint32_t *all_out = all.mutable_data(), *relevant_out = relevant.mutable_data();
    double* precision_out = stable ? precision.mutable_data() : nullptr;
    std::int64_t* hits_out = stable ? hits.mutable_data() : nullptr;
    on_device([&] { hashzoo::cuda::count(of, topk, all_out, relevant_out, precision_out, hits_out); });
    return py::make_tuple(all, relevant, precision, hits);
}

py::tuple top_k(std::uintptr_t query, std::uintptr_t database, std::size_t queries, std::size_t rows, unsigned words,
                std::size_t k, int device, std::uintptr_t stream, std::size_t chunk_rows) {
    const Request of = request(query, database, queries, rows, words, 64 * words, device, stream, chunk_rows);
    require(k >= 1, "k must be at least 1");
    const std::size_t columns = std::min(k, rows);
    Array<std::int32_t> distance({queries, columns});
    Array<std::int64_t> index({queries, columns});
    std::int32_t* distance_out = distance.mutable_data();
    std::int64_t* index_out = index.mutable_data();
    if (columns > 0) on_device([&] { hashzoo::cuda::top_k(of, columns, distance_out, index_out); });
    return py::make_tuple(distance, index);
}

}  // namespace

PYBIND11_MODULE(_native_cuda, m) {
    using py::arg;
    m.def("device_count", &hashzoo::cuda::device_count);
    m.def("count", &count, py::kw_only(), arg("query"), arg("database"), arg("query_labels"), arg("database_labels"),
          arg("exclude"), arg("queries"), arg("rows"), arg("words"), arg("label_words"), arg("masks"), arg("bits"),
          arg("topk"), arg("stable"), arg("device"), arg("stream"), arg("chunk_rows") = 0);
    m.def("top_k", &top_k, py::kw_only(), arg("query"), arg("database"), arg("queries"), arg("rows"), arg("words"),
          arg("k"), arg("device"), arg("stream"), arg("chunk_rows") = 0);
}
