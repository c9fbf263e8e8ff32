#include "core/pack.h"

#include <algorithm>
#include <atomic>
#include <type_traits>

namespace hashzoo {
namespace {

constexpr std::size_t kRowsPerBlock = 1024;

constexpr unsigned kMinusOne = 1, kZero = 2, kOther = 4, kNan = 8;  // what was seen

template <class T>
unsigned classify(T value) {
    if constexpr (std::is_floating_point_v<T>) {
        return value != value ? kNan : 0;
    } else if constexpr (std::is_same_v<T, Truth>) {
        return 0;
    } else {
        if (value == 1) return 0;
        if (value == 0) return kZero;
        if constexpr (std::is_signed_v<T>)
            if (value == -1) return kMinusOne;
        return kOther;
    }
}

template <class T>
bool is_set(T value) {
    if constexpr (std::is_floating_point_v<T>) return value >= 0;
    else if constexpr (std::is_same_v<T, Truth>) return value.byte != 0;
    else return value > 0;
}

}  // namespace

template <class T>
PackProblem pack(const T* values, std::size_t n, std::size_t bits, std::uint64_t* packed, const Control& control) {
    const std::size_t words = (bits + 63) / 64;
    std::atomic<unsigned> seen{0};
    run_blocks((n + kRowsPerBlock - 1) / kRowsPerBlock, control, [&](Blocks& blocks) {
        unsigned mine = 0;
        for (std::size_t block; blocks.next(block);) {
            const std::size_t end = std::min(n, (block + 1) * kRowsPerBlock);
            for (std::size_t i = block * kRowsPerBlock; i < end; ++i) {
                for (std::size_t w = 0; w < words; ++w) {
                    const T* value = values + i * bits + 64 * w;
                    const std::size_t length = std::min<std::size_t>(64, bits - 64 * w);
                    std::uint64_t word = 0;
                    for (std::size_t j = 0; j < length; ++j) {
                        word |= static_cast<std::uint64_t>(is_set(value[j])) << j;
                        mine |= classify(value[j]);
                    }
                    packed[i * words + w] = word;
                }
            }
        }
        seen |= mine;
    });
    if (seen & kNan) return PackProblem::nan;
    const bool both = (seen & kZero) && (seen & kMinusOne);
    return both || (seen & kOther) ? PackProblem::not_binary : PackProblem::none;
}

template PackProblem pack(const float*, std::size_t, std::size_t, std::uint64_t*, const Control&);
template PackProblem pack(const double*, std::size_t, std::size_t, std::uint64_t*, const Control&);
template PackProblem pack(const Truth*, std::size_t, std::size_t, std::uint64_t*, const Control&);
template PackProblem pack(const std::int8_t*, std::size_t, std::size_t, std::uint64_t*, const Control&);
template PackProblem pack(const std::uint8_t*, std::size_t, std::size_t, std::uint64_t*, const Control&);
template PackProblem pack(const std::int32_t*, std::size_t, std::size_t, std::uint64_t*, const Control&);
template PackProblem pack(const std::int64_t*, std::size_t, std::size_t, std::uint64_t*, const Control&);

void unpack(const std::uint64_t* packed, std::size_t n, std::size_t bits, std::int8_t* values,
            const Control& control) {
    const std::size_t words = (bits + 63) / 64;
    run_blocks((n + kRowsPerBlock - 1) / kRowsPerBlock, control, [&](Blocks& blocks) {
        for (std::size_t block; blocks.next(block);) {
            const std::size_t end = std::min(n, (block + 1) * kRowsPerBlock);
            for (std::size_t i = block * kRowsPerBlock; i < end; ++i)
                for (std::size_t j = 0; j < bits; ++j)
                    values[i * bits + j] = (packed[i * words + j / 64] >> (j % 64) & 1) ? 1 : -1;
        }
    });
}

}  // namespace hashzoo
