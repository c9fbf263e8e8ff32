// From a request to launches: groups of queries against chunks of the database, in bounded memory.
#pragma once
#include <algorithm>
#include <optional>

#include "cuda/kernels.cuh"
#include "cuda/memory.cuh"

namespace hashzoo::cuda {

constexpr std::size_t kSharedBytes = 48 << 10;    // what every device grants a block
constexpr std::size_t kScratchBytes = 256 << 20;  // for the segments of a group of queries
constexpr std::size_t kMostSegments = 1024;       // of a chunk: leaves scratch for many queries
constexpr unsigned kThreads = 256;                // of the kernels that are not about pairs

inline std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

struct Plan {
    std::size_t chunk_rows, most_segments, group_queries;

    // bytes_a_row: of what has to be copied to the device; bytes_a_query: of outputs beside the counts.
    Plan(const Request& request, std::size_t bytes_a_row, std::size_t bytes_a_query) {
        const std::size_t free = free_bytes();
        const std::size_t fit = bytes_a_row == 0 ? request.rows : free / 2 / bytes_a_row;
        const std::size_t wanted = std::min(request.chunk_rows == 0 ? fit : request.chunk_rows, kMostSegments * kSegmentRows);
        chunk_rows = std::min(std::max<std::size_t>(1, wanted / kSegmentRows) * kSegmentRows, request.rows);
        most_segments = divide_up(chunk_rows, kSegmentRows);
        const std::size_t of_segment = (request.bits + 1) * 3 * sizeof(std::uint32_t) + 12;
        const std::size_t of_query = most_segments * of_segment + bytes_a_query;
        group_queries = std::clamp<std::size_t>(std::min(kScratchBytes, free / 4) / of_query, 1, request.queries);
    }
};

// Everything on the device that a group of queries needs, and the launches over it.
class Ranking {
public:
    Ranking(const Request& request, const Plan& plan, bool labelled)
        : request_(request),
          plan_(plan),
          stream_(static_cast<cudaStream_t>(request.stream)),
          bins_(request.bits + 1),
          query_(request.query, request.queries, request.words, request.queries, stream_),
          database_(request.database, request.rows, request.words, plan.chunk_rows, stream_),
          all_(plan.group_queries * bins_),
          relevant_(plan.group_queries * bins_),
          place_(plan.group_queries * bins_),
          hit_(plan.group_queries * bins_),
          last_(plan.group_queries),
          near_(plan.group_queries),
          counts_(plan.group_queries * plan.most_segments * bins_),
          start_place_(counts_.size()),
          start_hit_(counts_.size()) {
        if (request.exclude) exclude_.emplace(request.exclude, request.queries, 1, request.queries, stream_);
        if (!labelled) return;
        query_labels_.emplace(request.query_labels, request.queries, request.label_words, request.queries, stream_);
        database_labels_.emplace(request.database_labels, request.rows, request.label_words, plan.chunk_rows, stream_);
    }

    // Rows at each distance, for queries [first, first + queries).
    template <Relevance relevance>
    void count(std::size_t first, std::size_t queries) {
        all_.zero(stream_);
        relevant_.zero(stream_);
        each_chunk(first, queries, [&](const Work& work) {
            count_chunk<relevance>(work);
            launch(add_totals, divide_up(queries * bins_, kThreads), kThreads, 0, stream_, counts_.data(), work.queries,
                   work.segments, bins_, all_.data(), relevant_.data());
        });
    }

    // The ranking of the queries that were counted last: `output` gets it, chunk_done(segments) follows each chunk.
    template <Relevance relevance, class Output, class ChunkDone>
    void rank(std::size_t first, std::size_t queries, std::uint32_t topk, Output output, ChunkDone chunk_done) {
        launch(find_places, queries, kWarp, 0, stream_, all_.data(), relevant_.data(), bins_, topk, place_.data(),
               hit_.data(), last_.data(), near_.data());
        each_chunk(first, queries, [&](const Work& work) {
            if (plan_.chunk_rows < request_.rows) count_chunk<relevance>(work);
            launch(start_segments, divide_up(queries * bins_, kThreads), kThreads, 0, stream_, counts_.data(),
                   work.queries, work.segments, bins_, place_.data(), hit_.data(), start_place_.data(),
                   start_hit_.data());
            const unsigned warps = warps_of_block(work, 2);
            launch(rank_segments<relevance, Output>, blocks(work, warps), warps * kWarp, shared(warps, 2),
                   stream_, work, start_place_.data(), start_hit_.data(), last_.data(), near_.data(), output);
            chunk_done(work.segments);
        });
    }

    // Waits for the device.
    void finish() {
        check(cudaStreamSynchronize(stream_));
        if (request_.interrupted()) throw Interrupted{};
    }

    cudaStream_t stream() const { return stream_; }
    unsigned bins() const { return bins_; }
    const std::uint32_t* all() const { return all_.data(); }
    const std::uint32_t* relevant() const { return relevant_.data(); }

private:
    template <class Use>
    void each_chunk(std::size_t first, std::size_t queries, Use use) {
        Work work{};
        work.query = query_.load(0, request_.queries) + first * request_.words;
        work.queries = static_cast<unsigned>(queries);
        work.bins = bins_;
        work.exclude = exclude_ ? exclude_->load(0, request_.queries) + first : nullptr;
        if (query_labels_)
            work.labels.query = query_labels_->load(0, request_.queries) + first * request_.label_words;
        for (std::size_t begin = 0; begin < request_.rows; begin += plan_.chunk_rows) {
            const std::size_t end = std::min(request_.rows, begin + plan_.chunk_rows);
            work.first_row = begin;
            work.rows = static_cast<unsigned>(end - begin);
            work.segments = static_cast<unsigned>(divide_up(end - begin, kSegmentRows));
            work.database = {database_.load(begin, end), request_.words};
            if (database_labels_) work.labels.database = {database_labels_->load(begin, end), request_.label_words};
            use(work);
        }
    }

    template <Relevance relevance>
    void count_chunk(const Work& work) {
        const unsigned warps = warps_of_block(work, 1);
        launch(count_segments<relevance>, blocks(work, warps), warps * kWarp, shared(warps, 1), stream_, work,
               counts_.data());
    }

    std::size_t shared(unsigned warps, unsigned counters) const {
        return kTileBytes + std::size_t{warps} * counters * bins_ * sizeof(std::uint32_t);
    }

    // A query each, as many as have room for their counters in shared memory: one of 4096 bits always has.
    unsigned warps_of_block(const Work& work, unsigned counters) const {
        const std::size_t of_warp = shared(1, counters) - kTileBytes;
        return static_cast<unsigned>(std::clamp<std::size_t>((kSharedBytes - kTileBytes) / of_warp, 1, std::min(kMostWarps, work.queries)));
    }

    static std::size_t blocks(const Work& work, unsigned warps) { return divide_up(work.queries, warps) * work.segments; }

    const Request& request_;
    const Plan& plan_;
    const cudaStream_t stream_;
    const unsigned bins_;
    Rows query_, database_;
    std::optional<Rows> query_labels_, database_labels_, exclude_;
    Array<std::uint32_t> all_, relevant_;                    // (queries, bins)
    Array<std::uint32_t> place_, hit_;                       // (queries, bins)
    Array<std::uint32_t> last_, near_;                       // (queries,)
    Array<std::uint32_t> counts_, start_place_, start_hit_;  // (queries, segments, bins)
};

template <Relevance relevance>
void count_as(const Request& request, std::uint32_t topk, std::uint32_t* all, std::uint32_t* relevant,
              double* precision, std::int64_t* hits) {
    const std::size_t of_row = is_on_device(request.database) ? 0 : request.words + request.label_words;
    const Plan plan(request, of_row * sizeof(std::uint64_t), 0);
    Ranking ranking(request, plan, true);
    Array<double> segment_precision(plan.group_queries * plan.most_segments), query_precision(plan.group_queries);
    Array<std::uint32_t> segment_hits(segment_precision.size());
    Array<std::int64_t> query_hits(plan.group_queries);
    for (std::size_t first = 0; first < request.queries; first += plan.group_queries) {
        const std::size_t queries = std::min(plan.group_queries, request.queries - first);
        ranking.count<relevance>(first, queries);
        if (precision) {
            query_precision.zero(ranking.stream());
            query_hits.zero(ranking.stream());
            ranking.rank<relevance>(
                first, queries, topk, StablePrecision{segment_precision.data(), segment_hits.data()},
                [&](unsigned segments) {
                    launch(add_segments, divide_up(queries, kThreads), kThreads, 0, ranking.stream(),
                           segment_precision.data(), segment_hits.data(), static_cast<unsigned>(queries), segments,
                           query_precision.data(), query_hits.data());
                });
            copy(precision + first, query_precision.data(), queries, ranking.stream());
            copy(hits + first, query_hits.data(), queries, ranking.stream());
        }
        const std::size_t cells = queries * ranking.bins(), at = first * ranking.bins();
        copy(all + at, ranking.all(), cells, ranking.stream());
        copy(relevant + at, ranking.relevant(), cells, ranking.stream());
        ranking.finish();
    }
}

}  // namespace hashzoo::cuda
