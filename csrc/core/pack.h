#pragma once
#include <cstddef>
#include <cstdint>

#include "core/parallel.h"

namespace hashzoo {

enum class PackProblem { none, nan, not_binary };

// A truth value from outside: any byte but 0 is true. A C++ bool must not hold others.
struct Truth {
    std::uint8_t byte;
};

// (n, bits) values -> (n, ceil(bits / 64)) words. Floats: >= 0 is 1. Integers: all in {0, 1} or all in {-1, 1}.
template <class T>
PackProblem pack(const T* values, std::size_t n, std::size_t bits, std::uint64_t* packed, const Control& control);

// (n, words) words -> (n, bits) of -1 and +1.
void unpack(const std::uint64_t* packed, std::size_t n, std::size_t bits, std::int8_t* values, const Control& control);

}  // namespace hashzoo
