// Runs one kernel on fixed inputs: `kernels ISA WORK`. benchmarks/instructions.py counts its instructions.
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "core/count.h"
#include "core/dispatch.h"
#include "core/search.h"

int main(int argc, char** argv) {
    using namespace hashzoo;
    if (argc != 3) return 2;
    set_isa(argv[1]);
    const std::string work = argv[2];
    const std::size_t queries = 64, rows = 8192, width = work == "row2" ? 2 : work == "row4" ? 4 : 1;
    const std::size_t bits = work == "count12" || work == "quick12" ? 12 : work == "count48" || work == "quick48" ? 48 : 64 * width;
    std::mt19937_64 random(1);
    std::vector<std::uint64_t> query(queries * width), database(rows * width);
    for (auto* words : {&query, &database})
        for (std::uint64_t& word : *words) word = random() >> (64 * width - bits);
    const Codes q{query.data(), queries, width}, d{database.data(), rows, width};
    const Control one{1, [] { return false; }};

    if (work == "setup") return 0;
    if (work.rfind("row", 0) == 0) {
        std::vector<std::uint16_t> out(queries * rows);
        distances(q, d, out.data(), one);
    } else if (work.rfind("top", 0) == 0) {
        const std::size_t k = std::stoul(work.substr(3));
        std::vector<std::int32_t> distance(k * queries);
        std::vector<std::int64_t> index(k * queries);
        top_k(q, d, k, distance.data(), index.data(), one);
    } else {
        std::vector<std::int64_t> query_class(queries), row_class(rows);
        for (std::size_t i = 0; i < queries; ++i) query_class[i] = static_cast<std::int64_t>(i % 10);
        for (std::size_t i = 0; i < rows; ++i) row_class[i] = static_cast<std::int64_t>(i * 7 % 10);
        std::vector<std::uint32_t> all(queries * (bits + 1)), relevant(all);
        const bool stable = work.rfind("quick", 0) != 0;
        std::vector<double> precision(queries);
        std::vector<std::int64_t> hits(queries);
        count(q, d, bits, ClassRelevance(query_class.data(), queries, row_class.data(), rows), rows, nullptr,
              {all.data(), relevant.data(), stable ? precision.data() : nullptr, stable ? hits.data() : nullptr}, one);
    }
    std::printf("%zu\n", queries * rows);
    return 0;
}
