// What nvcc compiles; the tests compile it as C++ and run it on a CPU.
#include "cuda/ranking.cuh"

namespace hashzoo::cuda {

int device_count() {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

void count(const Request& request, std::int64_t topk, std::uint32_t* all, std::uint32_t* relevant,
                  double* precision, std::int64_t* hits) {
    const std::size_t cells = request.queries * (request.bits + 1);
    if (request.queries == 0 || request.rows == 0) {
        std::fill_n(all, cells, 0u);
        std::fill_n(relevant, cells, 0u);
        if (precision) std::fill_n(precision, request.queries, 0.0);
        if (hits) std::fill_n(hits, request.queries, 0);
        return;
    }
    const Current current(request.device);
    const auto rows = static_cast<std::int64_t>(request.rows);
    const auto places = topk == kAtRelevantPlaces   ? kAtRelevant
                        : topk == kAllButLastPlaces ? kAllButLast
                                                    : static_cast<std::uint32_t>(std::min(topk, rows));
    if (request.masks)
        count_as<Relevance::shared_label>(request, places, all, relevant, precision, hits);
    else
        count_as<Relevance::same_class>(request, places, all, relevant, precision, hits);
}

void top_k(const Request& request, std::size_t k, std::int32_t* distance, std::int64_t* index) {
    if (request.queries == 0) return;
    const Current current(request.device);
    const std::size_t of_row = is_on_device(request.database) ? 0 : request.words * sizeof(std::uint64_t);
    const Plan plan(request, of_row, k * (sizeof(std::int32_t) + sizeof(std::int64_t)));
    Ranking ranking(request, plan, false);
    Array<std::int32_t> group_distance(plan.group_queries * k);
    Array<std::int64_t> group_index(plan.group_queries * k);
    for (std::size_t first = 0; first < request.queries; first += plan.group_queries) {
        const std::size_t queries = std::min(plan.group_queries, request.queries - first);
        ranking.count<Relevance::none>(first, queries);
        ranking.rank<Relevance::none>(first, queries, static_cast<std::uint32_t>(k),
                                      TopPlaces{group_distance.data(), group_index.data(), k}, [](unsigned) {});
        copy(distance + first * k, group_distance.data(), queries * k, ranking.stream());
        copy(index + first * k, group_index.data(), queries * k, ranking.stream());
        ranking.finish();
    }
}

}  // namespace hashzoo::cuda
