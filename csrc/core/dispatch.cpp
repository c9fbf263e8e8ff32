#include "core/dispatch.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#if defined(HASHZOO_X86) && defined(_MSC_VER) && !defined(__clang__)
#include <immintrin.h>
#include <intrin.h>
#endif

namespace hashzoo {
namespace {

bool always() { return true; }

#ifdef HASHZOO_X86
#if defined(_MSC_VER) && !defined(__clang__)
// The processor must have the feature and the system must save its registers (XCR0: 6 for ymm, 0xe6 for zmm).
bool system_saves(unsigned long long registers) {
    int leaf1[4];
    __cpuid(leaf1, 1);
    const bool osxsave = leaf1[2] >> 27 & 1, popcnt = leaf1[2] >> 23 & 1;
    return osxsave && popcnt && (_xgetbv(0) & registers) == registers;
}
bool leaf7(int index, int bit) {
    int leaf[4];
    __cpuidex(leaf, 7, 0);
    return leaf[index] >> bit & 1;
}
bool has_avx2() { return system_saves(0x6) && leaf7(1, 5); }
bool has_vpopcnt() { return has_avx2() && system_saves(0xe6) && leaf7(1, 16) && leaf7(1, 31) && leaf7(2, 14); }
#else
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt"); }
bool has_vpopcnt() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vpopcntdq");
}
#endif
#endif

// The whole of dispatch, best first. A new instruction set is one line here.
constexpr Isa kIsas[] = {
#ifdef HASHZOO_X86
    {"vpopcnt", has_vpopcnt, row_vpopcnt, slice_vpopcnt},
    {"avx2", has_avx2, row_avx2, slice_avx2},
#endif
#ifdef HASHZOO_ARM
    {"neon", always, row_neon, slice_scalar},
#endif
    {"scalar", always, row_scalar, slice_scalar},
};

const Isa& choose(const std::string& name) {
    std::string known = "auto";
    for (const Isa& isa : kIsas) {
        if (!isa.supported()) continue;
        if (name == "auto" || name == isa.name) return isa;
        known += std::string(", ") + isa.name;
    }
    throw std::invalid_argument("instruction set '" + name + "' is not available here (have: " + known + ")");
}

std::atomic<const Isa*>& current() {
    static std::atomic<const Isa*> isa{[] {
        const char* wanted = std::getenv("HASHZOO_ISA");
        return &choose(wanted && *wanted ? wanted : "auto");
    }()};
    return isa;
}

}  // namespace

const Isa& active_isa() { return *current().load(); }

std::vector<std::string> supported_isas() {
    std::vector<std::string> names;
    for (const Isa& isa : kIsas)
        if (isa.supported()) names.emplace_back(isa.name);
    return names;
}

void set_isa(const std::string& name) {
    const Isa& chosen = choose(name);
    current().store(&chosen);
}

}  // namespace hashzoo
