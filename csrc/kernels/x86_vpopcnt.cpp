// AVX-512 VPOPCNTDQ counts the bits of eight words in one instruction.
#include "core/kernels.h"
#ifdef HASHZOO_X86
#include <immintrin.h>

#include "kernels/target.h"

namespace hashzoo {

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

}  // namespace hashzoo
#endif
