// Every kernel against a bit-by-bit count, and the threaded algorithms against one thread. Built three ways by
// test_native_program.py: plain, with sanitizers, and with HASHZOO_SIMDE (portable intrinsics: the kernels of
// instruction sets that this machine lacks). Prints what it checked; the first difference ends it with status 1.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/count.h"
#include "core/dispatch.h"
#include "core/graded.h"
#include "core/multi_index.h"
#include "core/pack.h"
#include "core/search.h"

namespace hashzoo {
#ifdef HASHZOO_SIMDE
void row_neon(const std::uint64_t*, const std::uint64_t*, std::size_t, std::size_t, std::uint16_t*);
#endif

namespace {

using Words = std::vector<std::uint64_t>;

void check(bool equal, const std::string& what) {
    if (equal) return;
    std::fprintf(stderr, "differs: %s\n", what.c_str());
    std::exit(1);
}

bool never() { return false; }

std::vector<Isa> kernels() {
#ifdef HASHZOO_SIMDE
    return {{"scalar", never, row_scalar, slice_scalar},
            {"avx2", never, row_avx2, slice_avx2},
            {"vpopcnt", never, row_vpopcnt, slice_vpopcnt},
            {"neon", never, row_neon, slice_scalar}};
#else
    std::vector<Isa> found;
    for (const std::string& name : supported_isas()) {
        set_isa(name);
        found.push_back(active_isa());
    }
    set_isa("auto");
    return found;
#endif
}

Words random_words(std::mt19937_64& random, std::size_t n) {
    Words words(n);
    for (std::uint64_t& word : words) word = random() % 8 == 0 ? (random() % 2 ? ~std::uint64_t{0} : 0) : random();
    return words;
}

std::uint16_t bit_by_bit(const std::uint64_t* a, const std::uint64_t* b, std::size_t words) {
    unsigned d = 0;
    for (std::size_t bit = 0; bit < 64 * words; ++bit) d += (a[bit / 64] ^ b[bit / 64]) >> (bit % 64) & 1;
    return static_cast<std::uint16_t>(d);
}

void check_rows(const Isa& isa) {
    std::mt19937_64 random(1);
    for (const std::size_t words : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 64}) {
        for (const std::size_t n : {0, 1, 3, 7, 8, 15, 16, 17, 33, 100}) {
            const Words query = random_words(random, words), rows = random_words(random, n * words);
            std::vector<std::uint16_t> out(n);
            isa.row(query.data(), rows.data(), n, words, out.data());
            for (std::size_t i = 0; i < n; ++i)
                check(out[i] == bit_by_bit(query.data(), rows.data() + i * words, words),
                      std::string(isa.name) + ", " + std::to_string(words) + " words, row " + std::to_string(i));
        }
        Words opposite(words, 0), ones(words, ~std::uint64_t{0});
        std::uint16_t most = 0;
        isa.row(opposite.data(), ones.data(), 1, words, &most);
        check(most == 64 * words, std::string(isa.name) + ": the greatest distance");
    }
    std::printf("%s: rows agree\n", isa.name);
}

void check_slices(const Isa& isa) {
    std::mt19937_64 random(3);
    for (const std::size_t bits : {1, 2, 7, 8, 9, 12, 16, 48, 56, 57, 63, 64}) {
        const std::size_t groups = (bits + kGroupPlanes - 1) / kGroupPlanes;
        const std::uint64_t used = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
        std::vector<std::uint32_t> seen(kSliceDistances, 7), counted(seen);
        for (int round = 0; round < 4; ++round) {  // rows: anything, all equal to the query, all opposite, anything
            const std::uint64_t query = random() & used;
            Words rows = random_words(random, kSliceRows);
            for (std::uint64_t& row : rows) row = (round == 1 ? query : round == 2 ? ~query : row) & used;
            Words planes(groups * kGroupPlanes * kSliceWords), flips(planes.size());
            std::vector<std::uint32_t> relevant;
            for (std::uint32_t r = 0; r < kSliceRows; ++r) {
                for (std::size_t b = 0; b < groups * kGroupPlanes; ++b) {
                    planes[b * kSliceWords + r / 64] |= (rows[r] >> b & 1) << (r % 64);
                    if (query >> b & 1) flips[b * kSliceWords + r / 64] = ~std::uint64_t{0};
                }
                if (round == 3 || random() % 5 == 0) relevant.push_back(1000 + r);
            }
            std::vector<Hit> hits(relevant.size());
            const std::size_t half = relevant.size() / 2;  // two sets of rows share the pass
            const Wanted wanted[] = {{relevant.data(), half, hits.data()},
                                     {relevant.data() + half, relevant.size() - half, hits.data() + half}};
            isa.slice({planes.data(), flips.data(), groups, bits, query, rows.data(), 1000, seen.data(), wanted, 2});
            std::size_t next = 0;
            for (std::uint32_t r = 0; r < kSliceRows; ++r) {
                const std::uint32_t d = bit_by_bit(&query, &rows[r], 1);
                if (next < relevant.size() && relevant[next] == 1000 + r) {
                    check(hits[next].distance == d && hits[next].earlier == counted[d],
                          std::string(isa.name) + ", slice of " + std::to_string(bits) + " bits, row " +
                              std::to_string(r));
                    ++next;
                }
                ++counted[d];
            }
            check(seen == counted, std::string(isa.name) + ", histogram of " + std::to_string(bits) + " bits");
        }
    }
    std::printf("%s: slices agree\n", isa.name);
}

struct Results {
    std::vector<std::int32_t> order, near;
    std::vector<std::int64_t> index, hits;
    std::vector<std::uint32_t> all, relevant;
    std::vector<double> precision;

    bool operator==(const Results& other) const {
        return order == other.order && near == other.near && index == other.index && hits == other.hits &&
               all == other.all && relevant == other.relevant && precision == other.precision;
    }
};

Results run(const Codes& query, const Codes& database, std::size_t bits, const Relevance& relevance,
            unsigned threads) {
    const Control control{threads, never};
    const std::size_t k = 5;
    Results r;
    r.order.resize(query.rows * database.rows);
    r.near.resize(query.rows * k);
    r.index.resize(query.rows * k);
    r.all.resize(query.rows * (bits + 1));
    r.relevant.resize(query.rows * (bits + 1));
    r.precision.resize(query.rows);
    r.hits.resize(query.rows);
    rank(query, database, r.order.data(), control);
    top_k(query, database, k, r.near.data(), r.index.data(), control);
    count(query, database, bits, relevance, 50, nullptr,
          {r.all.data(), r.relevant.data(), r.precision.data(), r.hits.data()}, control);
    return r;
}

// Without the stable order: other ways, the same numbers.
void check_histograms(const Codes& query, const Codes& database, std::size_t bits, const Relevance& relevance,
                      const Results& expected) {
    for (const unsigned threads : {1u, 4u}) {
        std::vector<std::uint32_t> all(query.rows * (bits + 1)), relevant(all);
        count(query, database, bits, relevance, 50, nullptr, {all.data(), relevant.data(), nullptr, nullptr},
              {threads, never});
        check(all == expected.all && relevant == expected.relevant, "counts without the stable order");
    }
}

struct Graded {
    std::vector<std::uint32_t> rows;
    std::vector<double> gain, weighted;
    std::vector<std::int64_t> shared, hits;

    bool operator==(const Graded& other) const {
        return rows == other.rows && gain == other.gain && weighted == other.weighted && shared == other.shared &&
               hits == other.hits;
    }
};

Graded run_graded(const Codes& query, const Codes& database, std::size_t bits, const Sharing& sharing,
                  unsigned threads) {
    const std::vector<double> gain(65, 1.0), discount(50, 0.5);  // 64 labels at most
    Graded r;
    r.rows.resize(query.rows * (bits + 1) * gain.size());
    r.gain.resize(query.rows);
    r.weighted.resize(query.rows);
    r.shared.resize(query.rows);
    r.hits.resize(query.rows);
    count_graded(query, database, bits, sharing, {gain.data(), gain.size(), discount.data(), discount.size()}, nullptr,
                 {r.rows.data(), r.gain.data(), r.weighted.data(), r.shared.data(), r.hits.data()},
                 {threads, never});
    return r;
}

void check_threads() {
    std::mt19937_64 random(2);
    const std::size_t queries = 69, rows = 3001;
    for (const std::size_t bits : {5, 64, 128, 512}) {
        const std::size_t words = (bits + 63) / 64;
        Words query = random_words(random, queries * words), database = random_words(random, rows * words);
        for (Words* codes : {&query, &database})
            for (std::uint64_t& word : *codes) word &= bits < 64 ? (std::uint64_t{1} << bits) - 1 : ~std::uint64_t{0};
        const Codes q{query.data(), queries, words}, d{database.data(), rows, words};
        std::vector<std::int64_t> query_class(queries), row_class(rows);
        for (auto& c : query_class) c = static_cast<std::int64_t>(random() % 5);
        for (auto& c : row_class) c = static_cast<std::int64_t>(random() % 4);
        const ClassRelevance classes(query_class.data(), queries, row_class.data(), rows);
        const Words query_mask = random_words(random, queries), row_mask = random_words(random, rows);
        const MaskRelevance masks(query_mask.data(), queries, row_mask.data(), rows, 1, {1, never});
        const Relevance* const kinds[] = {&classes, &masks};
        for (const Relevance* relevance : kinds) {
            const Results one = run(q, d, bits, *relevance, 1);
            check_histograms(q, d, bits, *relevance, one);
            for (const unsigned threads : {2u, 4u, 64u})
                check(run(q, d, bits, *relevance, threads) == one, std::to_string(threads) + " threads");
        }
        const SharedClass one_label(query_class.data(), row_class.data());
        const SharedMask labels({query_mask.data(), queries, 1}, {row_mask.data(), rows, 1});
        const Sharing* const ways[] = {&one_label, &labels};
        for (const Sharing* sharing : ways) {
            const Graded one = run_graded(q, d, bits, *sharing, 1);
            for (const unsigned threads : {2u, 4u})
                check(run_graded(q, d, bits, *sharing, threads) == one,
                      "graded, " + std::to_string(threads) + " threads");
        }
        std::vector<std::int8_t> signs(rows * bits);
        unpack(database.data(), rows, bits, signs.data(), {3, never});
        Words packed(rows * words);
        check(pack(signs.data(), rows, bits, packed.data(), {3, never}) == PackProblem::none, "pack refuses signs");
        check(packed == database, "pack after unpack");
    }
    std::printf("threads agree\n");
}

// The index against the linear scans, for rows that are all different, and for groups of equal ones.
void check_multi_index() {
    std::mt19937_64 random(4);
    const std::size_t queries = 40, rows = 3000, k = 20;
    for (const std::size_t bits : {64, 70, 512}) {
        const std::size_t words = (bits + 63) / 64, substrings = bits / 8;
        for (const std::size_t copies : {1, 3}) {
            Words distinct(rows / copies * words), query(queries * words), database;
            for (std::uint64_t& word : distinct) word = random() & random() & random() & random();
            for (std::size_t i = words; bits % 64 != 0 && i <= distinct.size(); i += words) distinct[i - 1] &= 63;
            for (std::size_t i = 0; i < query.size(); ++i) query[i] = distinct[i] ^ (i % 3 == 0 ? 5 : 0);
            for (std::size_t i = 0; i < copies; ++i) database.insert(database.end(), distinct.begin(), distinct.end());
            const Codes q{query.data(), queries, words}, d{database.data(), rows, words};
            for (const unsigned threads : {1u, 4u}) {
                const Control control{threads, never};
                const Grouping grouping = group_rows(d, control);
                const std::vector<std::uint32_t>& groups = grouping.of_row;
                const std::size_t found = grouping.size();
                std::vector<std::uint32_t> starts{0}, members;
                Words codes;
                for (std::size_t g = 0; g < found; ++g) {
                    for (std::uint32_t i = 0; i < rows; ++i)
                        if (groups[i] == g) members.push_back(i);
                    codes.insert(codes.end(), d.row(members[starts[g]]), d.row(members[starts[g]]) + words);
                    starts.push_back(static_cast<std::uint32_t>(members.size()));
                }
                const Codes each{codes.data(), found, words};
                std::vector<std::uint32_t> offsets(offsets_length(bits, substrings)), entries(substrings * found);
                build_tables(each, bits, substrings, offsets.data(), entries.data(), control);
                const bool grouped = found < rows;
                const MultiIndex index{each, rows, bits, substrings, offsets.data(), entries.data(),
                                       grouped ? starts.data() : nullptr, members.data()};
                check(is_sound(index, control), "an index as built is not sound");
                std::vector<std::int32_t> near(queries * k), expected_near(near);
                std::vector<std::int64_t> row(queries * k), expected_row(row);
                top_k(q, index, k, near.data(), row.data(), control);
                top_k(q, d, k, expected_near.data(), expected_row.data(), {1, never});
                check(near == expected_near && row == expected_row, "top_k of the index");
                for (const std::size_t radius : {0, 2, 9, 60})
                    check(within_radius(q, index, radius, control) == within_radius(q, d, radius, {1, never}),
                          "within_radius of the index");
                entries.back() = static_cast<std::uint32_t>(found);
                check(!is_sound(index, control), "an entry beyond the codes is sound");
            }
        }
    }
    std::printf("the index agrees with the scan\n");
}

void check_interruption() {
    bool thrown = false;
    try {
        run_blocks(1000, {4, [] { return true; }}, [](Blocks& blocks) {
            for (std::size_t block; blocks.next(block);) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        });
    } catch (const Interrupted&) {
        thrown = true;
    }
    check(thrown, "an interruption does not end the call");
    thrown = false;
    try {
        run_blocks(100, {4, never}, [](Blocks& blocks) {
            for (std::size_t block; blocks.next(block);)
                if (block == 50) throw std::string("failed");
        });
    } catch (const std::string& message) {
        thrown = message == "failed";
    }
    check(thrown, "an exception of a worker is lost");
    std::printf("interruption and failure end the call\n");
}

// Several callers at once, each with more helpers than there are cores, again and again.
void check_pool() {
    std::vector<std::thread> callers;
    std::atomic<std::size_t> done{0};
    for (int caller = 0; caller < 4; ++caller)
        callers.emplace_back([&done] {
            for (int round = 0; round < 200; ++round) {
                std::vector<int> claimed(50);
                run_blocks(claimed.size(), {8, never}, [&](Blocks& blocks) {
                    for (std::size_t block; blocks.next(block);) ++claimed[block];
                });
                check(claimed == std::vector<int>(50, 1), "a block was claimed twice, or not at all");
                done += claimed.size();
            }
        });
    for (std::thread& caller : callers) caller.join();
    check(done == 4 * 200 * 50, "blocks are missing");
    std::printf("the pool serves several callers\n");
}

}  // namespace
}  // namespace hashzoo

int main() {
    for (const hashzoo::Isa& isa : hashzoo::kernels()) {
        hashzoo::check_rows(isa);
        hashzoo::check_slices(isa);
    }
    hashzoo::check_threads();
    hashzoo::check_multi_index();
    hashzoo::check_interruption();
    hashzoo::check_pool();
    return 0;
}
