// AVX-512 VPOPCNTDQ counts the bits of eight words in one instruction; VL gives the three-input logic (vpternlog) for
// 256-bit registers too: a full adder is two instructions, not five.
// Ports, by Intel's tables for Ice Lake: popcnt runs on port 1 only, vpopcntq and permutes on port 5, logic on 0 and 5
// (256 bits: also 1). For eight distances of a slice, 32 popcnt would take 32 cycles; here 4 vpopcntq and 8 permutes,
// which bring one word of all eight into one register, take 12 of port 5 and leave `before` in memory as it is read.
#include "core/kernels.h"
#ifdef HASHZOO_X86
#include <immintrin.h>

#include "kernels/target.h"

namespace hashzoo {
namespace {

HASHZOO_TARGET("avx512f,avx512vl")
inline __m256i load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }

// Full adder: `sum` takes the sum bit of the three (0x96: odd), the carry (0xe8: at least two) is returned.
HASHZOO_TARGET("avx512f,avx512vl")
inline __m256i add(__m256i& sum, __m256i b, __m256i c) {
    const __m256i carry = _mm256_ternarylogic_epi64(sum, b, c, 0xe8);
    sum = _mm256_ternarylogic_epi64(sum, b, c, 0x96);
    return carry;
}

HASHZOO_TARGET("avx512f,avx512vl")
inline __m512i twice(__m256i plane) {
    return _mm512_maskz_broadcast_i64x4(0xff, plane);  // masked: see row_vpopcnt
}

HASHZOO_TARGET("avx512f,avx512vl")
inline __m512i where(bool set, __m512i mask, __m512i plane) {  // mask, where the plane is set (or is not)
    return set ? _mm512_and_si512(mask, plane) : _mm512_maskz_andnot_epi64(0xff, plane, mask);
}

}  // namespace

HASHZOO_TARGET("avx512f,avx512vpopcntdq,popcnt")
void row_vpopcnt(const std::uint64_t* query, const std::uint64_t* rows, std::size_t n, std::size_t words,
                 std::uint16_t* out) {
    std::size_t i = 0;
    if (words == 1) {
        const __m512i q = _mm512_set1_epi64(static_cast<long long>(query[0]));
        for (; i + 8 <= n; i += 8) {
            const __m512i x = _mm512_xor_si512(q, _mm512_loadu_si512(rows + i));
            // Masked with all ones: the plain form makes GCC 12 warn of an uninitialised value in its own header.
            const __m128i d = _mm512_maskz_cvtepi64_epi16(0xff, _mm512_popcnt_epi64(x));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), d);
        }
    }
    const std::size_t in_vectors = words / 8 * 8;
    alignas(64) std::uint64_t sums[8];
    for (; i < n; ++i) {
        const std::uint64_t* row = rows + i * words;
        std::uint64_t d = 0;
        if (in_vectors != 0) {
            __m512i counts = _mm512_setzero_si512();
            for (std::size_t w = 0; w < in_vectors; w += 8) {
                const __m512i x = _mm512_xor_si512(_mm512_loadu_si512(query + w), _mm512_loadu_si512(row + w));
                counts = _mm512_add_epi64(counts, _mm512_popcnt_epi64(x));
            }
            _mm512_store_si512(sums, counts);
            for (const std::uint64_t sum : sums) d += sum;
        }
        for (std::size_t w = in_vectors; w < words; ++w)
            d += static_cast<std::uint64_t>(_mm_popcnt_u64(query[w] ^ row[w]));
        out[i] = static_cast<std::uint16_t>(d);
    }
}

// See slice_scalar for the idea. A plane of 256 rows is one ymm, two masks are one zmm.
HASHZOO_TARGET("avx512f,avx512vl,avx512vpopcntdq,popcnt")
void slice_vpopcnt(const SliceWork& work) {
    const __m256i none = _mm256_setzero_si256();
    __m256i n1 = none, n2 = none, n4 = none, n8 = none, n16 = none, n32 = none, n64 = none;
    for (std::size_t g = 0; g < work.groups; ++g) {
        __m256i x[kGroupPlanes];
        for (std::size_t b = 0; b < kGroupPlanes; ++b) {
            const std::size_t at = (g * kGroupPlanes + b) * kSliceWords;
            x[b] = _mm256_xor_si256(load(work.planes + at), load(work.flips + at));
        }
        const __m256i a = add(n1, x[0], x[1]), b = add(n1, x[2], x[3]), ab = add(n2, a, b);
        const __m256i c = add(n1, x[4], x[5]), d = add(n1, x[6], x[7]), cd = add(n2, c, d);
        n64 = _mm256_or_si256(n64, add(n32, none, add(n16, none, add(n8, none, add(n4, ab, cd)))));
    }

    __m512i low[4];  // masks of the rows whose distance ends in 2i and 2i + 1
    const __m512i odd = _mm512_xor_si512(twice(n1), _mm512_setr_epi64(-1, -1, -1, -1, 0, 0, 0, 0));
    for (int i = 0; i < 4; ++i) low[i] = where(i & 1, where(i & 2, odd, twice(n4)), twice(n2));
    alignas(64) std::uint64_t equal[kSliceDistances][kSliceWords];
    alignas(64) std::uint64_t before[kSliceWords][kSliceDistances];
    for (std::size_t h = 0; h <= work.most / 8; ++h) {
        __m512i high = where(h & 8, _mm512_set1_epi64(-1), twice(n64));
        high = where(h & 1, where(h & 2, where(h & 4, high, twice(n32)), twice(n16)), twice(n8));
        if (_mm512_test_epi64_mask(high, high) == 0) continue;
        __m512i count[4];
        for (std::size_t i = 0; i < 4; ++i) {
            const __m512i mask = _mm512_and_si512(high, low[i]);
            _mm512_store_si512(equal[8 * h + 2 * i], mask);
            count[i] = _mm512_popcnt_epi64(mask);
        }
        // Lane 4v + w of the pair (0, 1) or (2, 3) is word w of distance v: words 0 and 1 of four distances, then 2, 3.
        const __m512i front = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13);
        const __m512i back = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
        const __m512i lower01 = _mm512_permutex2var_epi64(count[0], front, count[1]);
        const __m512i lower23 = _mm512_permutex2var_epi64(count[0], back, count[1]);
        const __m512i upper01 = _mm512_permutex2var_epi64(count[2], front, count[3]);
        const __m512i upper23 = _mm512_permutex2var_epi64(count[2], back, count[3]);
        const __m512i halves = _mm512_setr_epi64(0, 1, 2, 3, 8, 9, 10, 11);
        const __m512i others = _mm512_setr_epi64(4, 5, 6, 7, 12, 13, 14, 15);
        const __m512i words[kSliceWords] = {_mm512_permutex2var_epi64(lower01, halves, upper01),
                                            _mm512_permutex2var_epi64(lower01, others, upper01),
                                            _mm512_permutex2var_epi64(lower23, halves, upper23),
                                            _mm512_permutex2var_epi64(lower23, others, upper23)};
        __m512i seen = _mm512_maskz_cvtepu32_epi64(0xff, load(work.seen + 8 * h));
        for (std::size_t w = 0; w < kSliceWords; ++w) {
            _mm512_store_si512(&before[w][8 * h], seen);
            seen = _mm512_add_epi64(seen, words[w]);
        }
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(work.seen + 8 * h), _mm512_maskz_cvtepi64_epi32(0xff, seen));
    }

    const std::uint64_t query = work.query, *const rows = work.rows;
    const std::uint32_t first = work.first;
    for (std::size_t set = 0; set < work.wanted_count; ++set) {
        const Wanted wanted = work.wanted[set];
        for (std::size_t i = 0; i < wanted.count; ++i) {
            const std::uint32_t row = wanted.rows[i] - first, word = row / 64;
            const auto d = static_cast<std::uint32_t>(_mm_popcnt_u64(query ^ rows[row]));
            const std::uint64_t earlier = equal[d][word] & ((std::uint64_t{1} << row % 64) - 1);
            wanted.hits[i] = {d, static_cast<std::uint32_t>(before[word][d] + _mm_popcnt_u64(earlier))};
        }
    }
}

}  // namespace hashzoo
#endif
