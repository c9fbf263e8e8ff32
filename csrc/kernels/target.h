// HASHZOO_TARGET("avx2,popcnt") compiles one function for an instruction set, so that setup.py needs no per-file
// flags. MSVC needs no attribute for intrinsics.
#pragma once
#if defined(__GNUC__) || defined(__clang__)
#define HASHZOO_TARGET(isa) __attribute__((target(isa)))
#else
#define HASHZOO_TARGET(isa)
#endif
