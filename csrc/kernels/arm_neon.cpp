// cnt counts the bits of bytes. A byte sum over one word is at most 64, a 16-bit sum over 4096 bits at most 4096.
#include "core/kernels.h"
#ifdef HASHZOO_ARM
#include <arm_neon.h>

namespace hashzoo {
namespace {

inline uint8x16_t byte_popcounts(uint64x2_t query, const std::uint64_t* words) {
    return vcntq_u8(vreinterpretq_u8_u64(veorq_u64(query, vld1q_u64(words))));
}

}  // namespace

void row_neon(const std::uint64_t* query, const std::uint64_t* rows, std::size_t n, std::size_t words,
              std::uint16_t* out) {
    std::size_t i = 0;
    if (words == 1) {
        const uint64x2_t q = vdupq_n_u64(query[0]);
        for (; i + 8 <= n; i += 8) {  // pairwise sums: 8 bytes a row, then 4, then 2, then one 16-bit number
            const uint8x16_t front = vpaddq_u8(byte_popcounts(q, rows + i), byte_popcounts(q, rows + i + 2));
            const uint8x16_t back = vpaddq_u8(byte_popcounts(q, rows + i + 4), byte_popcounts(q, rows + i + 6));
            vst1q_u16(out + i, vpaddlq_u8(vpaddq_u8(front, back)));
        }
    }
    const std::size_t in_vectors = words / 2 * 2;
    for (; i < n; ++i) {
        const std::uint64_t* row = rows + i * words;
        uint16x8_t counts = vdupq_n_u16(0);
        for (std::size_t w = 0; w < in_vectors; w += 2)
            counts = vpadalq_u8(counts, byte_popcounts(vld1q_u64(query + w), row + w));
        unsigned d = vaddvq_u16(counts);
        if (in_vectors != words)
            d += vaddv_u8(vcnt_u8(vcreate_u8(query[in_vectors] ^ row[in_vectors])));
        out[i] = static_cast<std::uint16_t>(d);
    }
}

}  // namespace hashzoo
#endif
