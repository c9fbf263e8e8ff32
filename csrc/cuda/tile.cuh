// A block's view of the database: a tile of rows in shared memory, met by one query a warp.
#pragma once
#include "cuda/device.cuh"

namespace hashzoo::cuda {

constexpr unsigned kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr unsigned kTileRows = 256;
constexpr unsigned kGroups = kTileRows / kWarp;    // a lane has one row of each group
constexpr unsigned kPanelWords = 4;                // of each row at a time: one 32-byte sector
constexpr unsigned kTileStride = kPanelWords + 1;  // odd, so that the lanes of a warp meet different banks
constexpr unsigned kTileBytes = kTileRows * kTileStride * sizeof(std::uint64_t);

// Row r has `width` words from words + r * width. The first row is 16-byte aligned.
struct Matrix {
    const std::uint64_t* words;
    unsigned width;
};

// The whole block copies `width` words of each row, from word `from` on, into the tile: 16 bytes a load wherever
// neighbouring words are aligned pairs. `first` is a multiple of kTileRows.
__device__ inline void stage(const Matrix& rows, std::size_t first, unsigned count, unsigned from, unsigned width,
                             std::uint64_t* tile) {
    const std::uint64_t* source = rows.words + first * rows.width + from;
    const unsigned total = count * width;
    const unsigned step = width == rows.width || rows.width % 2 == 0 ? 2 : 1;
    __syncthreads();  // every warp is done with what the tile held
    for (unsigned i = step * threadIdx.x; i < total; i += step * blockDim.x) {
        const std::uint64_t* word = source + static_cast<std::size_t>(i / width) * rows.width + i % width;
        if (step == 2 && i + 1 < total) {
            const ulonglong2 two = *reinterpret_cast<const ulonglong2*>(word);
            tile[i / width * kTileStride + i % width] = two.x;
            tile[(i + 1) / width * kTileStride + (i + 1) % width] = two.y;
        } else {
            tile[i / width * kTileStride + i % width] = *word;
        }
    }
    __syncthreads();  // the panel is complete
}

// use(group, word of the query, word of the row) for every word of the rows that this lane has: row 32 * group + lane.
// Beyond `count` the rows are arbitrary.
template <class Use>
__device__ inline void each_word(const Matrix& rows, std::size_t first, unsigned count, const std::uint64_t* query,
                                 std::uint64_t* tile, Use use) {
    const unsigned lane = threadIdx.x % kWarp;
    for (unsigned from = 0; from < rows.width; from += kPanelWords) {
        const unsigned rest = rows.width - from, width = rest < kPanelWords ? rest : kPanelWords;
        stage(rows, first, count, from, width, tile);
        for (unsigned w = 0; w < width; ++w) {
            const std::uint64_t wanted = query[from + w];
#pragma unroll
            for (unsigned group = 0; group < kGroups; ++group)
                use(group, wanted, tile[(group * kWarp + lane) * kTileStride + w]);
        }
    }
}

__device__ inline void distances(const Matrix& database, std::size_t first, unsigned count, const std::uint64_t* query,
                                 std::uint64_t* tile, unsigned (&distance)[kGroups]) {
#pragma unroll
    for (unsigned group = 0; group < kGroups; ++group) distance[group] = 0;
    each_word(database, first, count, query, tile,
              [&distance](unsigned group, std::uint64_t wanted, std::uint64_t word) {
                  distance[group] += static_cast<unsigned>(__popcll(wanted ^ word));
              });
}

enum class Relevance { none, same_class, shared_label };

// Class ids (one word) or label masks of both sides.
struct Labels {
    const std::uint64_t* query;
    Matrix database;
};

// Bit g: the row that this lane has of group g is relevant.
template <Relevance relevance>
__device__ inline unsigned relevant_groups(const Labels& labels, std::size_t first, unsigned count, std::size_t query,
                                           std::uint64_t* tile) {
    unsigned related = 0;
    if (relevance == Relevance::none) return related;
    each_word(labels.database, first, count, labels.query + query * labels.database.width, tile,
              [&related](unsigned group, std::uint64_t wanted, std::uint64_t word) {
                  const bool hit = relevance == Relevance::same_class ? wanted == word : (wanted & word) != 0;
                  related |= static_cast<unsigned>(hit) << group;
              });
    return related;
}

}  // namespace hashzoo::cuda
