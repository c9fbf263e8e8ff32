#pragma once
#include <cstddef>
#include <cstdint>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

namespace hashzoo {

inline std::size_t lowest_bit(std::uint64_t x) {  // x is not 0
#if defined(_MSC_VER) && !defined(__clang__)
    unsigned long at;
    _BitScanForward64(&at, x);
    return at;
#else
    return static_cast<std::size_t>(__builtin_ctzll(x));
#endif
}

}  // namespace hashzoo
