// Device memory and the device itself, for the length of one call.
#pragma once
#include "cuda/device.cuh"

namespace hashzoo::cuda {

template <class T>
class Array {
public:
    explicit Array(std::size_t size) : size_(size) {
        if (size > 0) check(cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T)));
    }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() { cudaFree(data_); }

    T* data() const { return data_; }
    std::size_t size() const { return size_; }
    void zero(cudaStream_t stream) {
        if (size_ > 0) check(cudaMemsetAsync(data_, 0, size_ * sizeof(T), stream));
    }

private:
    T* data_ = nullptr;
    std::size_t size_;
};

// To and from wherever the two pointers are: the driver knows.
template <class T>
void copy(T* to, const T* from, std::size_t count, cudaStream_t stream) {
    if (count > 0) check(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyDefault, stream));
}

inline bool is_on_device(const void* pointer) {
    cudaPointerAttributes attributes{};
    check(cudaPointerGetAttributes(&attributes, pointer));
    return attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged;
}

// Makes a device the thread's current one, and the former one again.
class Current {
public:
    explicit Current(int device) {
        check(cudaGetDevice(&before_));
        check(cudaSetDevice(device));
    }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;
    ~Current() { cudaSetDevice(before_); }

private:
    int before_ = 0;
};

inline std::size_t free_bytes() {
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total));
    return free;
}

// Rows of words that kernels read a part at a time: in place if they are on the device, else through a buffer.
class Rows {
public:
    Rows(const std::uint64_t* words, std::size_t rows, unsigned width, std::size_t most_at_a_time, cudaStream_t stream)
        : words_(words),
          width_(width),
          stream_(stream),
          in_place_(rows == 0 || (is_on_device(words) && reinterpret_cast<std::uintptr_t>(words) % 16 == 0)),
          buffer_(in_place_ ? 0 : most_at_a_time * width) {}

    // Rows [begin, end); they stay until the next call. `begin` is even.
    const std::uint64_t* load(std::size_t begin, std::size_t end) {
        if (in_place_) return words_ + begin * width_;
        if (begin != begin_ || end != end_) copy(buffer_.data(), words_ + begin * width_, (end - begin) * width_, stream_);
        begin_ = begin;
        end_ = end;
        return buffer_.data();
    }

private:
    const std::uint64_t* words_;
    unsigned width_;
    cudaStream_t stream_;
    bool in_place_;
    Array<std::uint64_t> buffer_;
    std::size_t begin_ = 0, end_ = 0;  // of what the buffer holds
};

}  // namespace hashzoo::cuda
