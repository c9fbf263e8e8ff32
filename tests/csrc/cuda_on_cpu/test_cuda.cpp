// The CUDA kernels, run on a CPU, against the core of csrc/core: integers equal, sums of doubles to 1e-12.
// `short` (a few cases of each kind) or `long` (every size with every length, in every order of the fibres).
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/count.h"
#include "cuda/ranking.h"
#include "cuda_on_cpu.h"

namespace {

using cuda_on_cpu::Order;
using Words = std::vector<std::uint64_t>;

std::mt19937_64 chance(1);

bool never() { return false; }
bool at_once() { return true; }
const hashzoo::Control kAlone{1, never};

void require(bool condition, const std::string& what) {
    if (condition) return;
    std::printf("%s\n", what.c_str());
    std::exit(1);
}

struct Case {
    std::size_t queries, rows, bits;
    std::size_t labels;    // 0: class ids
    std::int64_t topk;     // places, or -1 or -2
    std::size_t distinct;  // codes of the database; 0: all random
    bool exclude;
    std::size_t chunk_rows;
    enum class Memory { host, device, odd_device } memory;
    Order order;

    std::string words() const {
        return std::to_string(queries) + " queries, " + std::to_string(rows) + " rows, " + std::to_string(bits) +
               " bits, " + std::to_string(labels) + " labels, topk " + std::to_string(topk) + ", chunks of " +
               std::to_string(chunk_rows) + ", order " + std::to_string(static_cast<int>(order));
    }
};

std::size_t width_of(std::size_t bits) { return (bits + 63) / 64; }

Words random_codes(std::size_t rows, std::size_t bits, std::size_t distinct) {
    const std::size_t width = width_of(bits);
    Words words(rows * width);
    for (std::size_t i = 0; i < words.size(); ++i) {
        words[i] = chance();
        if (i % width == width - 1 && bits % 64 != 0) words[i] &= (std::uint64_t{1} << bits % 64) - 1;
    }
    if (distinct > 0)
        for (std::size_t i = distinct * width; i < words.size(); ++i) words[i] = words[i - distinct * width];
    return words;
}

// Class ids with some that the other side lacks, or masks with about two labels a row and some without any.
Words random_labels(std::size_t rows, std::size_t labels, bool query) {
    Words words(rows * std::max<std::size_t>(1, width_of(labels)));
    if (labels == 0) {
        for (std::uint64_t& id : words) id = chance() % 4 + (query ? 0 : 1) - 2;
        return words;
    }
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t n = chance() % 4; n > 0; --n) {
            const std::size_t label = chance() % labels;
            words[i * width_of(labels) + label / 64] |= std::uint64_t{1} << label % 64;
        }
    return words;
}

// The words where a case wants them: in place, in the device's memory, or there at an address that 16 does not divide.
class Placed {
public:
    Placed(const Words& words, Case::Memory memory) : words_(words) {
        if (memory == Case::Memory::host) return;
        const std::size_t skip = memory == Case::Memory::odd_device ? 1 : 0;
        cudaMalloc(&memory_, (words.size() + skip) * sizeof(std::uint64_t));
        on_device_ = static_cast<std::uint64_t*>(memory_) + skip;
        std::memcpy(on_device_, words.data(), words.size() * sizeof(std::uint64_t));
    }
    Placed(const Placed&) = delete;
    Placed& operator=(const Placed&) = delete;
    ~Placed() { cudaFree(memory_); }
    const std::uint64_t* data() const { return on_device_ ? on_device_ : words_.data(); }

private:
    const Words& words_;
    void* memory_ = nullptr;
    std::uint64_t* on_device_ = nullptr;
};

struct Inputs {
    Words query, database, query_labels, database_labels;
    std::vector<std::int64_t> exclude;

    explicit Inputs(const Case& of)
        : query(random_codes(of.queries, of.bits, 0)),
          database(random_codes(of.rows, of.bits, of.distinct)),
          query_labels(random_labels(of.queries, of.labels, true)),
          database_labels(random_labels(of.rows, of.labels, false)) {
        if (!of.exclude) return;
        for (std::size_t q = 0; q < of.queries; ++q)
            exclude.push_back(static_cast<std::int64_t>(chance() % (of.rows + 1)) - 1);
    }
};

struct Requested {
    Placed query, database, query_labels, database_labels;
    hashzoo::cuda::Request request{};

    Requested(const Case& of, const Inputs& in)
        : query(in.query, of.memory),
          database(in.database, of.memory),
          query_labels(in.query_labels, of.memory),
          database_labels(in.database_labels, of.memory) {
        request.query = query.data();
        request.database = database.data();
        request.query_labels = query_labels.data();
        request.database_labels = database_labels.data();
        request.exclude = of.exclude ? reinterpret_cast<const std::uint64_t*>(in.exclude.data()) : nullptr;
        request.queries = of.queries;
        request.rows = of.rows;
        request.words = static_cast<unsigned>(width_of(of.bits));
        request.label_words = static_cast<unsigned>(std::max<std::size_t>(1, width_of(of.labels)));
        request.masks = of.labels > 0;
        request.bits = static_cast<unsigned>(of.bits);
        request.chunk_rows = of.chunk_rows;
        request.interrupted = never;
    }
};

struct Counted {
    std::vector<std::uint32_t> all, relevant;
    std::vector<double> precision;
    std::vector<std::int64_t> hits;

    explicit Counted(const Case& of)
        : all(of.queries * (of.bits + 1), 7), relevant(all), precision(of.queries, 7), hits(of.queries, 7) {}
};

Counted by_core(const Case& of, const Inputs& in) {
    Counted out(of);
    const std::size_t width = width_of(of.bits);
    const hashzoo::Codes query{in.query.data(), of.queries, width}, database{in.database.data(), of.rows, width};
    const std::size_t topk = of.topk == -1   ? hashzoo::kAtRelevant
                             : of.topk == -2 ? hashzoo::kAllButLast
                                             : static_cast<std::size_t>(of.topk);
    const std::int64_t* exclude = of.exclude ? in.exclude.data() : nullptr;
    const hashzoo::Counts counts{out.all.data(), out.relevant.data(), out.precision.data(), out.hits.data()};
    if (of.labels > 0) {
        const hashzoo::MaskRelevance relevance(in.query_labels.data(), of.queries, in.database_labels.data(), of.rows,
                                               width_of(of.labels), kAlone);
        hashzoo::count(query, database, of.bits, relevance, topk, exclude, counts, kAlone);
    } else {
        const hashzoo::ClassRelevance relevance(reinterpret_cast<const std::int64_t*>(in.query_labels.data()),
                                                of.queries,
                                                reinterpret_cast<const std::int64_t*>(in.database_labels.data()),
                                                of.rows);
        hashzoo::count(query, database, of.bits, relevance, topk, exclude, counts, kAlone);
    }
    return out;
}

void compare_counts(const Case& of, const Inputs& in, const hashzoo::cuda::Request& request) {
    const Counted truth = by_core(of, in);
    Counted got(of);
    hashzoo::cuda::count(request, of.topk, got.all.data(), got.relevant.data(), got.precision.data(), got.hits.data());
    require(got.all == truth.all, "rows at each distance differ: " + of.words());
    require(got.relevant == truth.relevant, "relevant rows at each distance differ: " + of.words());
    require(got.hits == truth.hits, "hits differ: " + of.words());
    for (std::size_t q = 0; q < of.queries; ++q)
        require(std::abs(got.precision[q] - truth.precision[q]) <= 1e-12 * std::abs(truth.precision[q]),
                "precision differs: " + of.words());
    Counted histograms(of);
    hashzoo::cuda::count(request, of.topk, histograms.all.data(), histograms.relevant.data(), nullptr, nullptr);
    require(histograms.all == truth.all && histograms.relevant == truth.relevant,
            "histograms alone differ: " + of.words());
}

void compare_top_k(const Case& of, const Inputs& in, const hashzoo::cuda::Request& request) {
    const std::size_t width = width_of(of.bits);
    const hashzoo::Codes query{in.query.data(), of.queries, width}, database{in.database.data(), of.rows, width};
    for (const std::size_t wanted : {std::size_t{1}, std::size_t{10}, of.rows / 2, of.rows}) {
        const std::size_t k = std::min(std::max<std::size_t>(wanted, 1), of.rows);
        std::vector<std::int32_t> distance(of.queries * k), true_distance(distance);
        std::vector<std::int64_t> index(of.queries * k), true_index(index);
        hashzoo::top_k(query, database, k, true_distance.data(), true_index.data(), kAlone);
        hashzoo::cuda::top_k(request, k, distance.data(), index.data());
        require(distance == true_distance && index == true_index,
                "the first " + std::to_string(k) + " differ: " + of.words());
    }
}

void run(const Case& of) {
    const Inputs in(of);
    const Requested requested(of, in);
    cuda_on_cpu::set_order(of.order, static_cast<unsigned>(chance()));
    compare_counts(of, in, requested.request);
    if (!of.exclude) compare_top_k(of, in, requested.request);
}

constexpr Order kOrders[] = {Order::rising, Order::falling, Order::random};
constexpr std::int64_t kCutOffs[] = {1000000, 1, 20, -1, -2, 0};
constexpr Case::Memory kMemories[] = {Case::Memory::host, Case::Memory::device, Case::Memory::odd_device};

// Every code length with the kinds of labels and cut-offs in turn; sizes around those of warps, tiles and blocks.
void run_lengths(bool all) {
    unsigned n = 0;
    for (const std::size_t bits : {1, 7, 12, 48, 63, 64, 65, 128, 130, 200, 256, 320, 512, 1024, 4096})
        for (const std::size_t rows : {1, 31, 33, 256, 257, 700})
            for (const std::size_t queries : {1, 3, 9}) {
                ++n;
                if (!all && (rows != 33 && rows != 257)) continue;
                if (!all && queries != (rows == 33 ? 9 : 3)) continue;
                if (bits > 1000 && queries > 3) continue;
                const std::size_t labels = n % 2 == 0 ? 0 : n % 3 == 0 ? 70 : n % 5 == 0 ? 300 : 5;
                for (const Order order : kOrders) {
                    if (!all && order != kOrders[n % 3]) continue;
                    run({queries, rows, bits, labels, kCutOffs[n % 6], n % 4 == 0 ? 3u : 0u, n % 3 == 1, 0,
                         kMemories[n / 2 % 3], order});
                }
            }
    std::printf("lengths agree\n");
}

// Databases of several segments, whole and in chunks of one or more segments.
void run_segments(bool all) {
    for (const std::size_t bits : {12, 64, 96})
        for (const std::size_t chunk : {0, 4096, 8192, 5000})
            for (const bool exclude : {false, true}) {
                if (!all && (bits != 12 || chunk == 5000 || exclude != (chunk == 4096))) continue;
                run({2, 9000, bits, bits == 64 ? 5u : 0u, exclude ? -1 : 1000000, bits == 96 ? 40u : 0u, exclude, chunk,
                     chunk == 8192 ? Case::Memory::device : Case::Memory::host, kOrders[bits % 3]});
            }
    std::printf("segments and chunks agree\n");
}

void run_little_memory() {
    cuda_on_cpu::set_free_memory(1 << 20);  // queries in groups, the database in chunks
    run({40, 4100, 24, 0, 50, 0, false, 0, Case::Memory::host, Order::rising});
    cuda_on_cpu::set_free_memory(64);
    const Case of{1, 10, 24, 0, 5, 0, false, 0, Case::Memory::host, Order::rising};
    const Inputs in(of);
    bool refused = false;
    try {
        std::int32_t distance[5];
        std::int64_t index[5];
        hashzoo::cuda::top_k(Requested(of, in).request, 5, distance, index);
    } catch (const std::exception& error) {
        refused = std::string(error.what()) == "CUDA: out of memory";
    }
    require(refused, "out of memory is not reported");
    cuda_on_cpu::set_free_memory(std::size_t{1} << 32);
    std::printf("little memory is enough, or reported\n");
}

void run_edges() {
    const Case nothing{3, 0, 10, 0, 5, 0, false, 0, Case::Memory::host, Order::rising};
    const Inputs in(nothing);
    Counted out(nothing);
    const Requested requested(nothing, in);
    hashzoo::cuda::count(requested.request, 5, out.all.data(), out.relevant.data(), out.precision.data(),
                         out.hits.data());
    require(out.all == std::vector<std::uint32_t>(33) && out.hits == std::vector<std::int64_t>(3), "no rows");
    const Case some{3, 5, 10, 0, 5, 0, false, 0, Case::Memory::host, Order::rising};
    const Inputs inputs(some);
    Requested stopped(some, inputs);
    stopped.request.interrupted = at_once;
    bool interrupted = false;
    try {
        std::int32_t distance[3];
        std::int64_t index[3];
        hashzoo::cuda::top_k(stopped.request, 1, distance, index);
    } catch (const hashzoo::Interrupted&) {
        interrupted = true;
    }
    require(interrupted, "an interrupt is not noticed");
    std::printf("edges agree\n");
}

}  // namespace

int main(int count, char** words) {
    const bool all = count > 1 && std::string(words[1]) == "long";
    run_edges();
    run_little_memory();
    run_lengths(all);
    run_segments(all);
    return 0;
}
