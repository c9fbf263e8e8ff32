// Stands in for CUDA, so that the kernels of csrc/cuda run on a CPU. Every thread of a block is a fibre; barriers and
// warp intrinsics are real rendezvous of fibres. Blocks run one after the other. What is undefined in CUDA (a lane
// missing at an intrinsic, a barrier that not every thread reaches, a data race) ends the program with a message.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>

#define __global__ inline  // in one translation unit, like a template
#define __device__
#define __launch_bounds__(...)
#define HASHZOO_SHARED_MEMORY(name) unsigned char* const name = cuda_on_cpu::shared_memory()

struct dim3 {
    unsigned x, y, z;
};

struct alignas(16) ulonglong2 {
    unsigned long long x, y;
} __attribute__((may_alias));  // as in CUDA, it reads other types' memory

extern dim3 threadIdx, blockIdx, blockDim;

namespace cuda_on_cpu {

// Which fibre goes on: every warp as far as it comes, in rising or falling order, or any warp and lane by chance.
enum class Order { rising, falling, random };
void set_order(Order order, unsigned seed);

void run(std::size_t blocks, unsigned threads, std::size_t shared_bytes, const std::function<void()>& kernel);

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), std::size_t blocks, unsigned threads, std::size_t shared_bytes, void*,
            Arguments... arguments) {
    run(blocks, threads, shared_bytes, [&] { kernel(arguments...); });
}

unsigned char* shared_memory();

enum class Operation { sync, shuffle, shuffle_up, shuffle_down, ballot, any, match };
// What the calling lane gets once its whole warp has called the same operation.
std::uint64_t meet(Operation operation, unsigned mask, std::uint64_t value, unsigned argument);

template <class T>
T shuffle(Operation operation, unsigned mask, T value, unsigned argument) {
    static_assert(sizeof(T) <= sizeof(std::uint64_t));
    std::uint64_t sent = 0;
    std::memcpy(&sent, &value, sizeof(T));
    const std::uint64_t received = meet(operation, mask, sent, argument);
    std::memcpy(&value, &received, sizeof(T));
    return value;
}

}  // namespace cuda_on_cpu

void __syncthreads();
std::uint32_t atomicAdd(std::uint32_t* address, std::uint32_t value);

inline void __syncwarp(unsigned mask = 0xffffffffu) { cuda_on_cpu::meet(cuda_on_cpu::Operation::sync, mask, 0, 0); }
template <class T>
T __shfl_sync(unsigned mask, T value, unsigned lane) {
    return cuda_on_cpu::shuffle(cuda_on_cpu::Operation::shuffle, mask, value, lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta) {
    return cuda_on_cpu::shuffle(cuda_on_cpu::Operation::shuffle_up, mask, value, delta);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta) {
    return cuda_on_cpu::shuffle(cuda_on_cpu::Operation::shuffle_down, mask, value, delta);
}
inline unsigned __ballot_sync(unsigned mask, bool value) {
    return static_cast<unsigned>(cuda_on_cpu::meet(cuda_on_cpu::Operation::ballot, mask, value, 0));
}
inline bool __any_sync(unsigned mask, bool value) {
    return cuda_on_cpu::meet(cuda_on_cpu::Operation::any, mask, value, 0) != 0;
}
inline unsigned __match_any_sync(unsigned mask, unsigned value) {
    return static_cast<unsigned>(cuda_on_cpu::meet(cuda_on_cpu::Operation::match, mask, value, 0));
}
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __popcll(unsigned long long value) { return __builtin_popcountll(value); }

// The part of the runtime that the host code uses. Memory of cudaMalloc counts as the device's.
using cudaStream_t = void*;
enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation, cudaErrorInvalidDevice };
enum cudaMemcpyKind { cudaMemcpyDefault };
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeDevice, cudaMemoryTypeManaged };
struct cudaPointerAttributes {
    cudaMemoryType type;
};

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaMalloc(void** pointer, std::size_t bytes);
cudaError_t cudaFree(void* pointer);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);

namespace cuda_on_cpu {
void set_free_memory(std::size_t bytes);
}
