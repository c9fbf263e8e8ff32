#include "core/kernels.h"

namespace hashzoo {
namespace {

// Sums of neighbouring 2, 4 and 8 bits, then of the bytes: nothing beyond the base instruction set.
unsigned popcount(std::uint64_t x) {
    x -= (x >> 1) & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return static_cast<unsigned>((x * 0x0101010101010101u) >> 56);
}

}  // namespace

void row_scalar(const std::uint64_t* query, const std::uint64_t* rows, std::size_t n, std::size_t words,
                std::uint16_t* out) {
    for (std::size_t i = 0; i < n; ++i) {
        unsigned d = 0;
        for (std::size_t w = 0; w < words; ++w) d += popcount(query[w] ^ rows[i * words + w]);
        out[i] = static_cast<std::uint16_t>(d);
    }
}

// Counts the differing bits of 64 rows at a time: n1, n2, n4, ... hold one binary digit of each row's distance, and
// planes are added to them with carry. Then, for each distance, a mask of the rows that have it: its population
// count goes into the histogram, and the part of it before a relevant row tells how many earlier rows tie with it.
void slice_scalar(const SliceWork& work) {
    std::uint64_t equal[kSliceDistances][kSliceWords];
    std::uint32_t before[kSliceDistances][kSliceWords];
    for (std::size_t w = 0; w < kSliceWords; ++w) {
        std::uint64_t digit[7] = {};  // 1, 2, 4, ..., 64
        for (std::size_t plane = 0; plane < work.groups * kGroupPlanes; ++plane) {
            std::uint64_t carry = work.planes[plane * kSliceWords + w] ^ work.flips[plane * kSliceWords + w];
            for (std::size_t n = 0; n < 7; ++n) {
                const std::uint64_t next = digit[n] & carry;
                digit[n] ^= carry;
                carry = next;
            }
        }
        for (std::size_t h = 0; h <= work.most / 8; ++h) {
            std::uint64_t high = ~std::uint64_t{0};
            for (std::size_t n = 0; n < 4; ++n) high &= h >> n & 1 ? digit[n + 3] : ~digit[n + 3];
            if (high == 0) continue;
            for (std::size_t v = 0; v < 8; ++v) {
                std::uint64_t mask = high;
                for (std::size_t n = 0; n < 3; ++n) mask &= v >> n & 1 ? digit[n] : ~digit[n];
                equal[8 * h + v][w] = mask;
                before[8 * h + v][w] = work.seen[8 * h + v];
                work.seen[8 * h + v] += popcount(mask);
            }
        }
    }

    const std::uint64_t query = work.query, *const rows = work.rows;
    const std::uint32_t first = work.first;
    for (std::size_t set = 0; set < work.wanted_count; ++set) {
        const Wanted wanted = work.wanted[set];
        for (std::size_t i = 0; i < wanted.count; ++i) {
            const std::uint32_t row = wanted.rows[i] - first, word = row / 64;
            const std::uint32_t d = popcount(query ^ rows[row]);
            const std::uint64_t earlier = equal[d][word] & ((std::uint64_t{1} << row % 64) - 1);
            wanted.hits[i] = {d, before[d][word] + popcount(earlier)};
        }
    }
}

}  // namespace hashzoo
