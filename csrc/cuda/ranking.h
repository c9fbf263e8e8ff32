// Ranking on a CUDA device: the arrays may lie in host or in device memory. No torch, no pybind11, no CUDA header.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "core/parallel.h"

namespace hashzoo::cuda {

struct OutOfMemory : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// One word a row is a class id, several are a label mask: `masks` tells which.
struct Request {
    const std::uint64_t* query;     // (queries, words)
    const std::uint64_t* database;  // (rows, words)
    const std::uint64_t* query_labels;     // (queries, label_words)
    const std::uint64_t* database_labels;  // (rows, label_words)
    const std::uint64_t* exclude;          // null, or (queries,): a row that the query does not search, or -1
    std::size_t queries, rows;             // rows: less than 2^31
    unsigned words, label_words;
    bool masks;
    unsigned bits;           // no bit beyond may be set
    int device;
    void* stream;
    std::size_t chunk_rows;  // of the database on the device at a time; 0: as many as fit
    bool (*interrupted)();   // asked now and then, on the calling thread; ends the call with hashzoo::Interrupted
};

int device_count();  // 0 where there is no driver

// As topk, beside whole numbers from 0:
constexpr std::int64_t kAtRelevantPlaces = -1;  // as many places as the query has relevant rows
constexpr std::int64_t kAllButLastPlaces = -2;  // all places but the last one

// As core/count.h. The outputs are in host memory; precision and hits may both be null.
void count(const Request& request, std::int64_t topk, std::uint32_t* all, std::uint32_t* relevant, double* precision,
           std::int64_t* hits);

// As core/search.h; 1 <= k <= rows. No labels are read. The outputs are in host memory.
void top_k(const Request& request, std::size_t k, std::int32_t* distance, std::int64_t* index);

}  // namespace hashzoo::cuda
