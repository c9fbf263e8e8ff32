// Seconds to load every row for every query and count the bits that differ: `popcount QUERIES ROWS THREADS`.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const std::size_t queries = std::strtoull(argv[1], nullptr, 10), rows = std::strtoull(argv[2], nullptr, 10);
    const std::size_t threads = std::strtoull(argv[3], nullptr, 10);
    std::vector<std::uint64_t> database(rows), sums(queries);
    for (std::size_t i = 0; i < rows; ++i) database[i] = i * 0x9e3779b97f4a7c15u;
    double best = 1e30;
    for (int round = 0; round < 5; ++round) {
        const auto begun = std::chrono::steady_clock::now();
        std::vector<std::thread> workers;
        for (std::size_t t = 0; t < threads; ++t)
            workers.emplace_back([&, t] {
                for (std::size_t q = t; q < queries; q += threads) {
                    const std::uint64_t query = q * 0xbf58476d1ce4e5b9u;
                    std::uint64_t sum = 0;
                    for (std::size_t i = 0; i < rows; ++i)
                        sum += static_cast<std::uint64_t>(__builtin_popcountll(query ^ database[i]));
                    sums[q] = sum;
                }
            });
        for (std::thread& worker : workers) worker.join();
        const double taken = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
        if (taken < best) best = taken;
    }
    std::uint64_t all = 0;
    for (const std::uint64_t sum : sums) all += sum;
    std::printf("%.6f\n", best);
    return all == 1;  // the sums are used: no compiler may leave the loop out
}
