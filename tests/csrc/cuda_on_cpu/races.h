// Finds two accesses to one word, at least one of them a write, that nothing orders: no barrier, no __syncwarp, no other
// kernel between them. As on a GPU, shuffles, votes and matches order no memory.
#pragma once
#include <cstddef>
#include <cstdint>

namespace cuda_on_cpu {

// When and by whom. Two accesses of one launch are ordered if they are of one thread, or of one block with a barrier
// between them, or of one warp with a __syncwarp between them.
struct Moment {
    std::uint64_t launch = 0;
    std::uint32_t block = 0, thread = 0, barriers = 0, warp_syncs = 0;
    bool atomic = false;
};

enum class Access { read, write };
void note(const void* address, std::size_t bytes, Access access, const Moment& now);
void forget_accesses();

[[noreturn]] void fail(const char* what);

// Of the running fibre; false outside of kernels and on its own stack.
bool moment_of(const void* address, Moment* now);

}  // namespace cuda_on_cpu
