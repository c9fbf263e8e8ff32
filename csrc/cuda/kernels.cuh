// Ranks by counting. Rows are cut into segments; a histogram of each tells where its rows stand in the ranking:
//   count_segments  rows (and relevant rows) of a segment at each distance
//   add_totals      their sum over the segments of a chunk
//   find_places     rows nearer than each distance: where that distance begins in the ranking
//   start_segments  the same for every segment: earlier segments come first
//   rank_segments   the place of every row that matters, and what an output makes of it
// Nothing depends on the order in which blocks or warps run.
#pragma once
#include "cuda/tile.cuh"

namespace hashzoo::cuda {

constexpr unsigned kSegmentRows = 4096;  // a multiple of kTileRows; 16 bits count them
constexpr unsigned kMostWarps = 8;        // of a block, one query each

// As topk:
constexpr std::uint32_t kAtRelevant = ~std::uint32_t{0};      // as many places as the query has relevant rows
constexpr std::uint32_t kAllButLast = ~std::uint32_t{0} - 1;  // all places but the last one

// Some queries against a chunk of the database.
struct Work {
    const std::uint64_t* query;
    Matrix database;
    Labels labels;
    const std::uint64_t* exclude;  // null, or (queries,): a row of the whole database that the query does not search
    std::size_t first_row;         // of the chunk in the whole database
    unsigned queries;
    unsigned rows;
    unsigned segments;
    unsigned bins;  // distances 0 to bins - 1
};

// What a warp works at. Blocks that run at the same time share segments, so that the second-level cache serves them.
struct Task {
    unsigned lane, warp, query, segment;
    bool idle;  // no such query: takes part in barriers, writes nothing
    std::size_t begin, end;
    std::size_t excluded;  // row of the chunk

    __device__ explicit Task(const Work& work) {
        const unsigned warps = blockDim.x / kWarp, tiles = (work.queries + warps - 1) / warps;
        lane = threadIdx.x % kWarp;
        warp = threadIdx.x / kWarp;
        segment = blockIdx.x / tiles;
        query = blockIdx.x % tiles * warps + warp;
        idle = query >= work.queries;
        if (idle) query = work.queries - 1;
        begin = static_cast<std::size_t>(segment) * kSegmentRows;
        end = begin + kSegmentRows < work.rows ? begin + kSegmentRows : work.rows;
        // A row of another chunk, or -1 for none, gives a number that no row of this chunk has.
        excluded = work.exclude ? static_cast<std::size_t>(work.exclude[query]) - work.first_row : work.rows;
    }
};

// counts: (queries, segments, bins), rows in the low half and relevant rows in the high one.
template <Relevance relevance>
__global__ void __launch_bounds__(kMostWarps* kWarp, 4) count_segments(Work work, std::uint32_t* counts) {
    HASHZOO_SHARED_MEMORY(memory);
    const Task task(work);
    std::uint64_t* tile = reinterpret_cast<std::uint64_t*>(memory);
    std::uint32_t* mine = reinterpret_cast<std::uint32_t*>(memory + kTileBytes) + task.warp * work.bins;
    for (unsigned d = task.lane; d < work.bins; d += kWarp) mine[d] = 0;
    __syncwarp();
    const std::uint64_t* query = work.query + static_cast<std::size_t>(task.query) * work.database.width;
    for (std::size_t first = task.begin; first < task.end; first += kTileRows) {
        const unsigned rows = task.end - first < kTileRows ? static_cast<unsigned>(task.end - first) : kTileRows;
        unsigned distance[kGroups];
        distances(work.database, first, rows, query, tile, distance);
        const unsigned related = relevant_groups<relevance>(work.labels, first, rows, task.query, tile);
#pragma unroll
        for (unsigned group = 0; group < kGroups; ++group)
            if (group * kWarp + task.lane < rows && first + group * kWarp + task.lane != task.excluded)
                atomicAdd(&mine[distance[group]], 1u + ((related >> group & 1u) << 16));
    }
    __syncwarp();
    if (task.idle) return;
    std::uint32_t* out = counts + (static_cast<std::size_t>(task.query) * work.segments + task.segment) * work.bins;
    for (unsigned d = task.lane; d < work.bins; d += kWarp) out[d] = mine[d];
}

// One thread a query and distance. all, relevant: (queries, bins), added to.
__global__ void add_totals(const std::uint32_t* counts, unsigned queries, unsigned segments, unsigned bins,
                           std::uint32_t* all, std::uint32_t* relevant) {
    const std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<std::size_t>(queries) * bins) return;
    const std::uint32_t* count = counts + i / bins * segments * bins + i % bins;
    std::uint32_t rows = 0, hits = 0;
    for (unsigned segment = 0; segment < segments; ++segment) {
        rows += count[static_cast<std::size_t>(segment) * bins] & 0xffffu;
        hits += count[static_cast<std::size_t>(segment) * bins] >> 16;
    }
    all[i] += rows;
    relevant[i] += hits;
}

// The sum over lanes 0 to `lane`.
__device__ inline std::uint32_t sum_so_far(std::uint32_t value, unsigned lane) {
#pragma unroll
    for (unsigned offset = 1; offset < kWarp; offset *= 2) {
        const std::uint32_t before = __shfl_up_sync(kAllLanes, value, offset);
        if (lane >= offset) value += before;
    }
    return value;
}

// One warp (a block) a query.
// place, hit: (queries, bins) rows, and relevant rows, that are nearer than each distance
// last: (queries,) places that count
// near: (queries,) how many distances begin within them
__global__ void find_places(const std::uint32_t* all, const std::uint32_t* relevant, unsigned bins, std::uint32_t topk,
                            std::uint32_t* place, std::uint32_t* hit, std::uint32_t* last, std::uint32_t* near) {
    const unsigned lane = threadIdx.x;
    const std::size_t at = static_cast<std::size_t>(blockIdx.x) * bins;
    std::uint32_t rows_before = 0, hits_before = 0;
    for (unsigned d = 0; d < bins; d += kWarp) {
        const bool inside = d + lane < bins;
        const std::uint32_t rows = inside ? all[at + d + lane] : 0, hits = inside ? relevant[at + d + lane] : 0;
        const std::uint32_t rows_to = sum_so_far(rows, lane), hits_to = sum_so_far(hits, lane);
        if (inside) {
            place[at + d + lane] = rows_before + rows_to - rows;
            hit[at + d + lane] = hits_before + hits_to - hits;
        }
        rows_before += __shfl_sync(kAllLanes, rows_to, kWarp - 1);
        hits_before += __shfl_sync(kAllLanes, hits_to, kWarp - 1);
    }
    std::uint32_t places = topk;
    if (topk == kAtRelevant) places = hits_before;
    if (topk == kAllButLast) places = rows_before == 0 ? 0 : rows_before - 1;
    std::uint32_t begin_within = 0;
    for (unsigned d = 0; d < bins; d += kWarp) {
        const bool within = d + lane < bins && place[at + d + lane] < places;
        begin_within += static_cast<std::uint32_t>(__popc(__ballot_sync(kAllLanes, within)));
    }
    if (lane != 0) return;
    last[blockIdx.x] = places;
    near[blockIdx.x] = begin_within;
}

// One thread a query and distance. place, hit: (queries, bins) of the first row of this chunk; then of the next chunk.
// start_place, start_hit: (queries, segments, bins) of the first row of each segment.
__global__ void start_segments(const std::uint32_t* counts, unsigned queries, unsigned segments, unsigned bins,
                               std::uint32_t* place, std::uint32_t* hit, std::uint32_t* start_place,
                               std::uint32_t* start_hit) {
    const std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<std::size_t>(queries) * bins) return;
    std::uint32_t next_place = place[i], next_hit = hit[i];
    for (unsigned segment = 0; segment < segments; ++segment) {
        const std::size_t at = (i / bins * segments + segment) * bins + i % bins;
        start_place[at] = next_place;
        start_hit[at] = next_hit;
        next_place += counts[at] & 0xffffu;
        next_hit += counts[at] >> 16;
    }
    place[i] = next_place;
    hit[i] = next_hit;
}

// A row in the ranking of a query, as rank_segments meets it.
struct Ranked {
    std::size_t row;  // of the whole database
    unsigned distance;
    std::uint32_t place, hit;  // rows and relevant rows before it
    bool relevant;
};

// start_place, start_hit: (queries, segments, bins); last, near: (queries,), see find_places.
template <Relevance relevance, class Output>
__global__ void __launch_bounds__(kMostWarps* kWarp, 4)
    rank_segments(Work work, const std::uint32_t* start_place, const std::uint32_t* start_hit,
                  const std::uint32_t* last, const std::uint32_t* near, Output output) {
    HASHZOO_SHARED_MEMORY(memory);
    const Task task(work);
    std::uint64_t* tile = reinterpret_cast<std::uint64_t*>(memory);
    std::uint32_t* place = reinterpret_cast<std::uint32_t*>(memory + kTileBytes) + 2 * task.warp * work.bins;
    std::uint32_t* hit = place + work.bins;
    const std::size_t at = (static_cast<std::size_t>(task.query) * work.segments + task.segment) * work.bins;
    for (unsigned d = task.lane; d < work.bins; d += kWarp) {
        place[d] = start_place[at + d];
        hit[d] = start_hit[at + d];
    }
    __syncwarp();
    const std::uint64_t* query = work.query + static_cast<std::size_t>(task.query) * work.database.width;
    const std::uint32_t places = last[task.query], distances_within = near[task.query];
    const unsigned earlier_lanes = (1u << task.lane) - 1;
    typename Output::Sum sum{};
    for (std::size_t first = task.begin; first < task.end; first += kTileRows) {
        const unsigned rows = task.end - first < kTileRows ? static_cast<unsigned>(task.end - first) : kTileRows;
        unsigned distance[kGroups];
        distances(work.database, first, rows, query, tile, distance);
        const unsigned related = relevant_groups<relevance>(work.labels, first, rows, task.query, tile);
#pragma unroll
        for (unsigned group = 0; group < kGroups; ++group) {
            const unsigned d = distance[group], row = group * kWarp + task.lane;
            const bool matters = row < rows && first + row != task.excluded && d < distances_within;
            const bool is_hit = matters && (related >> group & 1u);
            if (!__any_sync(kAllLanes, matters)) continue;
            const unsigned peers = __match_any_sync(kAllLanes, matters ? d : kAllLanes);
            const unsigned hits = peers & __ballot_sync(kAllLanes, is_hit);
            const unsigned before = peers & earlier_lanes;
            Ranked ranked{work.first_row + first + row, d, 0, 0, is_hit};
            if (matters) {
                ranked.place = place[d] + static_cast<unsigned>(__popc(before));
                ranked.hit = hit[d] + static_cast<unsigned>(__popc(before & hits));
            }
            __syncwarp();  // every lane has read its counters
            if (matters && before == 0) {
                place[d] += static_cast<unsigned>(__popc(peers));
                hit[d] += static_cast<unsigned>(__popc(hits));
            }
            __syncwarp();  // the counters are those of the next group
            if (matters && !task.idle && ranked.place < places) output.add(sum, task.query, ranked);
        }
    }
    output.finish(sum, task, work.segments);
}

// Output: hits / place summed over the relevant rows, for each segment of each query.
struct StablePrecision {
    double* precision;    // (queries, segments)
    std::uint32_t* hits;  // (queries, segments): how many rows that were

    struct Sum {
        double precision;
        std::uint32_t hits;
    };

    __device__ void add(Sum& sum, unsigned, const Ranked& row) const {
        if (!row.relevant) return;
        sum.precision += (row.hit + 1.0) / (row.place + 1.0);
        ++sum.hits;
    }

    __device__ void finish(Sum sum, const Task& task, unsigned segments) const {
#pragma unroll
        for (unsigned offset = kWarp / 2; offset > 0; offset /= 2) {
            sum.precision += __shfl_down_sync(kAllLanes, sum.precision, offset);
            sum.hits += __shfl_down_sync(kAllLanes, sum.hits, offset);
        }
        if (task.lane != 0 || task.idle) return;
        const std::size_t at = static_cast<std::size_t>(task.query) * segments + task.segment;
        precision[at] = sum.precision;
        hits[at] = sum.hits;
    }
};

// Output: the first k rows. A row's place is where it is written.
struct TopPlaces {
    std::int32_t* distance;  // (queries, k)
    std::int64_t* index;     // (queries, k)
    std::size_t k;

    struct Sum {};

    __device__ void add(Sum&, unsigned query, const Ranked& row) const {
        distance[query * k + row.place] = static_cast<std::int32_t>(row.distance);
        index[query * k + row.place] = static_cast<std::int64_t>(row.row);
    }

    __device__ void finish(Sum, const Task&, unsigned) const {}
};

// One thread a query; segments in order, so that the sum is the same on every device.
__global__ void add_segments(const double* segment_precision, const std::uint32_t* segment_hits, unsigned queries,
                             unsigned segments, double* precision, std::int64_t* hits) {
    const unsigned query = blockIdx.x * blockDim.x + threadIdx.x;
    if (query >= queries) return;
    for (unsigned segment = 0; segment < segments; ++segment) {
        const std::size_t at = static_cast<std::size_t>(query) * segments + segment;
        precision[query] += segment_precision[at];
        hits[query] += segment_hits[at];
    }
}

}  // namespace hashzoo::cuda
