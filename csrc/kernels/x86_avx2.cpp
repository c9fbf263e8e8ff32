// Popcount of bytes by two table look-ups of four bits (pshufb). A byte counter sees at most 16 vectors of 8 bits
// (4096-bit codes), 128 in all, so it cannot overflow; psadbw then sums eight bytes at once.
#include "core/kernels.h"
#ifdef HASHZOO_X86
#include <immintrin.h>

#include "kernels/target.h"

namespace hashzoo {
namespace {

HASHZOO_TARGET("avx2,popcnt")
inline __m256i load(const std::uint64_t* words) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
}

HASHZOO_TARGET("avx2,popcnt")
inline __m256i byte_popcounts(__m256i x) {
    const __m256i low = _mm256_set1_epi8(0x0f);
    const __m256i count = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                                           0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    return _mm256_add_epi8(_mm256_shuffle_epi8(count, _mm256_and_si256(x, low)),
                           _mm256_shuffle_epi8(count, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
}

// Distances of four words, as 64-bit integers.
HASHZOO_TARGET("avx2,popcnt")
inline __m256i four_words(__m256i query, const std::uint64_t* words) {
    return _mm256_sad_epu8(byte_popcounts(_mm256_xor_si256(query, load(words))), _mm256_setzero_si256());
}

// 16 words: vector v has words 4v to 4v + 3 in its 64-bit lanes; shifted by 16v bits, all four interleave into one.
HASHZOO_TARGET("avx2,popcnt")
inline __m256i sixteen_words(__m256i query, const std::uint64_t* words) {
    return _mm256_or_si256(
        _mm256_or_si256(four_words(query, words), _mm256_slli_epi64(four_words(query, words + 4), 16)),
        _mm256_or_si256(_mm256_slli_epi64(four_words(query, words + 8), 32),
                        _mm256_slli_epi64(four_words(query, words + 12), 48)));
}

// Full adder: `sum` takes the sum bit of the three, the carry is returned.
HASHZOO_TARGET("avx2,popcnt")
inline __m256i add(__m256i& sum, __m256i b, __m256i c) {
    const __m256i differ = _mm256_xor_si256(sum, b);
    const __m256i carry = _mm256_or_si256(_mm256_and_si256(sum, b), _mm256_and_si256(differ, c));
    sum = _mm256_xor_si256(differ, c);
    return carry;
}

HASHZOO_TARGET("avx2,popcnt")
inline __m256i add(__m256i& sum, __m256i b) {
    const __m256i carry = _mm256_and_si256(sum, b);
    sum = _mm256_xor_si256(sum, b);
    return carry;
}

HASHZOO_TARGET("avx2,popcnt")
inline __m256i where(bool set, __m256i mask, __m256i plane) {  // mask, where the plane is set (or is not)
    return set ? _mm256_and_si256(mask, plane) : _mm256_andnot_si256(plane, mask);
}

HASHZOO_TARGET("avx2,popcnt")
inline std::uint32_t popcount(std::uint64_t x) {
    return static_cast<std::uint32_t>(_mm_popcnt_u64(x));
}

}  // namespace

HASHZOO_TARGET("avx2,popcnt")
void row_avx2(const std::uint64_t* query, const std::uint64_t* rows, std::size_t n, std::size_t words,
              std::uint16_t* out) {
    std::size_t i = 0;
    if (words == 1) {
        const __m256i q = _mm256_set1_epi64x(static_cast<long long>(query[0]));
        for (; i + 16 <= n; i += 16) {
            const __m256i mixed = sixteen_words(q, rows + i);
            // 16-bit lane 4r + v is row 4v + r: transpose the 4 x 4 matrix, first inside each half.
            const __m256i order = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15,
                                                   0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
            const __m256i pairs = _mm256_shuffle_epi8(mixed, order);
            const __m256i rowwise = _mm256_permutevar8x32_epi32(pairs, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), rowwise);
        }
    } else if (words == 2) {
        const __m256i q = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(query)));
        for (; i + 8 <= n; i += 8) {  // 64-bit lanes: rows 0, 2, 4, 6 by word, then 1, 3, 5, 7
            const __m256i mixed = sixteen_words(q, rows + 2 * i);
            const __m256i sums = _mm256_add_epi16(mixed, _mm256_srli_si256(mixed, 8));
            const __m128i rowwise = _mm_unpacklo_epi16(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), rowwise);
        }
    } else if (words == 4) {
        const __m256i q = load(query);
        for (; i + 4 <= n; i += 4) {  // every 64-bit lane: one word of rows 0 to 3
            const __m256i mixed = sixteen_words(q, rows + 4 * i);
            const __m128i half = _mm_add_epi16(_mm256_castsi256_si128(mixed), _mm256_extracti128_si256(mixed, 1));
            _mm_storel_epi64(reinterpret_cast<__m128i*>(out + i), _mm_add_epi16(half, _mm_srli_si128(half, 8)));
        }
    }
    const std::size_t in_vectors = words / 4 * 4;
    alignas(32) std::uint64_t sums[4];
    for (; i < n; ++i) {
        const std::uint64_t* row = rows + i * words;
        std::uint64_t d = 0;
        if (in_vectors != 0) {
            __m256i bytes = _mm256_setzero_si256();
            for (std::size_t w = 0; w < in_vectors; w += 4)
                bytes = _mm256_add_epi8(bytes, byte_popcounts(_mm256_xor_si256(load(query + w), load(row + w))));
            _mm256_store_si256(reinterpret_cast<__m256i*>(sums), _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
            d = sums[0] + sums[1] + sums[2] + sums[3];
        }
        for (std::size_t w = in_vectors; w < words; ++w)
            d += static_cast<std::uint64_t>(_mm_popcnt_u64(query[w] ^ row[w]));
        out[i] = static_cast<std::uint16_t>(d);
    }
}

// See slice_scalar for the idea; here a plane of 256 rows is one register.
HASHZOO_TARGET("avx2,popcnt")
void slice_avx2(const SliceWork& work) {
    const __m256i none = _mm256_setzero_si256(), all = _mm256_set1_epi8(-1);
    __m256i n1 = none, n2 = none, n4 = none, n8 = none, n16 = none, n32 = none, n64 = none;
    for (std::size_t g = 0; g < work.groups; ++g) {
        __m256i x[kGroupPlanes];
        for (std::size_t b = 0; b < kGroupPlanes; ++b) {
            const std::size_t at = (g * kGroupPlanes + b) * kSliceWords;
            x[b] = _mm256_xor_si256(load(work.planes + at), load(work.flips + at));
        }
        const __m256i a = add(n1, x[0], x[1]), b = add(n1, x[2], x[3]), ab = add(n2, a, b);
        const __m256i c = add(n1, x[4], x[5]), d = add(n1, x[6], x[7]), cd = add(n2, c, d);
        n64 = _mm256_or_si256(n64, add(n32, add(n16, add(n8, add(n4, ab, cd)))));
    }

    __m256i low[8];
    for (int v = 0; v < 8; ++v) low[v] = where(v & 1, where(v & 2, where(v & 4, all, n4), n2), n1);
    alignas(32) std::uint64_t equal[kSliceDistances][kSliceWords];
    std::uint32_t before[kSliceDistances][kSliceWords];
    for (std::size_t h = 0; h <= work.most / 8; ++h) {
        const __m256i high = where(h & 1, where(h & 2, where(h & 4, where(h & 8, all, n64), n32), n16), n8);
        if (_mm256_testz_si256(high, high)) continue;
        for (std::size_t v = 0; v < 8; ++v) {
            std::uint64_t* mask = equal[8 * h + v];
            std::uint32_t* earlier = before[8 * h + v];
            _mm256_store_si256(reinterpret_cast<__m256i*>(mask), _mm256_and_si256(high, low[v]));
            earlier[0] = work.seen[8 * h + v];
            earlier[1] = earlier[0] + popcount(mask[0]);
            earlier[2] = earlier[1] + popcount(mask[1]);
            earlier[3] = earlier[2] + popcount(mask[2]);
            work.seen[8 * h + v] = earlier[3] + popcount(mask[3]);
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
#endif
