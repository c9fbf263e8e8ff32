// Stands in for the compiler's header: portable versions of the intrinsics, so that a kernel's logic runs anywhere.
#pragma once
#define SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_NO_NATIVE
#include <simde/x86/avx2.h>
#include <simde/x86/avx512.h>

// What SIMDe 0.7 lacks.
static inline long long _mm_popcnt_u64(unsigned long long x) { return __builtin_popcountll(x); }

static inline simde__m128i _mm512_maskz_cvtepi64_epi16(unsigned mask, simde__m512i x) {
    unsigned long long wide[8];
    unsigned short narrow[8];
    simde_mm512_storeu_si512(wide, x);
    for (int i = 0; i < 8; ++i) narrow[i] = mask >> i & 1 ? static_cast<unsigned short>(wide[i]) : 0;
    return simde_mm_loadu_si128(reinterpret_cast<const simde__m128i*>(narrow));
}

static inline simde__m512i _mm512_maskz_cvtepu32_epi64(unsigned mask, simde__m256i x) {
    unsigned narrow[8];
    unsigned long long wide[8];
    simde_mm256_storeu_si256(reinterpret_cast<simde__m256i*>(narrow), x);
    for (int i = 0; i < 8; ++i) wide[i] = mask >> i & 1 ? narrow[i] : 0;
    return simde_mm512_loadu_si512(wide);
}

static inline simde__m256i _mm512_maskz_cvtepi64_epi32(unsigned mask, simde__m512i x) {
    unsigned long long wide[8];
    unsigned narrow[8];
    simde_mm512_storeu_si512(wide, x);
    for (int i = 0; i < 8; ++i) narrow[i] = mask >> i & 1 ? static_cast<unsigned>(wide[i]) : 0;
    return simde_mm256_loadu_si256(reinterpret_cast<const simde__m256i*>(narrow));
}
