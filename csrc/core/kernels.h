// The seam between portable code and instruction sets: plain pointers and sizes only.
#pragma once
#include <cstddef>
#include <cstdint>

namespace hashzoo {

// out[i] = Hamming distance in bits of the query and row i; both are `words` (1 to 64) 64-bit words.
using RowKernel = void (*)(const std::uint64_t* query, const std::uint64_t* rows, std::size_t n,
                           std::size_t words, std::uint16_t* out);

// A relevant row: its distance, and how many earlier rows lie at the same distance.
struct Hit {
    std::uint32_t distance;
    std::uint32_t earlier;
};

// Rows of one word are also kept as bit planes, 256 rows to a slice: bit r % 64 of word r / 64 of plane b is bit b of
// row r. Planes come in groups of eight, the last group filled up with zeros.
constexpr std::size_t kSliceRows = 256;
constexpr std::size_t kSliceWords = kSliceRows / 64;
constexpr std::size_t kGroupPlanes = 8;
constexpr std::size_t kSliceDistances = 72;  // 0 to 64, rounded up to whole groups

// Relevant rows of a slice, of one set of labels.
struct Wanted {
    const std::uint32_t* rows;  // ascending
    std::size_t count;
    Hit* hits;  // (count,) out
};

// One slice against one query.
struct SliceWork {
    const std::uint64_t* planes;  // (groups, 8, 4)
    const std::uint64_t* flips;   // (groups, 8, 4): all ones where the query has the bit
    std::size_t groups;           // 1 to 8
    std::size_t most;             // the greatest possible distance, at most 8 * groups
    std::uint64_t query;
    const std::uint64_t* rows;  // the same 256 rows as words
    std::uint32_t first;        // the slice's first row, by the numbers in Wanted::rows
    std::uint32_t* seen;        // (72,) rows at each distance: before the slice, then with it
    const Wanted* wanted;
    std::size_t wanted_count;
};
using SliceKernel = void (*)(const SliceWork& work);

struct Isa {
    const char* name;
    bool (*supported)();
    RowKernel row;
    SliceKernel slice;
};

void row_scalar(const std::uint64_t*, const std::uint64_t*, std::size_t, std::size_t, std::uint16_t*);
void slice_scalar(const SliceWork&);
#if defined(__x86_64__) || defined(_M_X64)
#define HASHZOO_X86 1
void row_avx2(const std::uint64_t*, const std::uint64_t*, std::size_t, std::size_t, std::uint16_t*);
void slice_avx2(const SliceWork&);
void row_vpopcnt(const std::uint64_t*, const std::uint64_t*, std::size_t, std::size_t, std::uint16_t*);
void slice_vpopcnt(const SliceWork&);
#elif defined(__aarch64__) || defined(_M_ARM64)
#define HASHZOO_ARM 1
void row_neon(const std::uint64_t*, const std::uint64_t*, std::size_t, std::size_t, std::uint16_t*);
#endif

}  // namespace hashzoo
