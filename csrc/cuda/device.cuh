// What the kernels and their host code need of CUDA: from nvcc, or from the stand-in of the tests that runs them on a CPU.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "cuda/ranking.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
#define HASHZOO_SHARED_MEMORY(name) extern __shared__ __align__(16) unsigned char name[]
#else
#include "cuda_on_cpu.h"
#endif

namespace hashzoo::cuda {

inline void check(cudaError_t error) {
    if (error == cudaSuccess) return;
    const std::string message = std::string("CUDA: ") + cudaGetErrorString(error);
    if (error == cudaErrorMemoryAllocation) throw OutOfMemory(message);
    throw std::runtime_error(message);
}

#ifdef __CUDACC__
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), std::size_t blocks, unsigned threads, std::size_t shared_bytes,
            cudaStream_t stream, Arguments... arguments) {
    kernel<<<static_cast<unsigned>(blocks), threads, shared_bytes, stream>>>(arguments...);
    check(cudaGetLastError());
}
#else
using cuda_on_cpu::launch;
#endif

}  // namespace hashzoo::cuda
