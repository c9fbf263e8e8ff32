#include "cuda_on_cpu.h"

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "races.h"

dim3 threadIdx{0, 0, 0}, blockIdx{0, 0, 0}, blockDim{0, 0, 0};

namespace cuda_on_cpu {
namespace {

constexpr unsigned kLanes = 32;
constexpr std::size_t kStackBytes = 64 << 10;

enum class State { ready, at_barrier, at_operation, done };

#ifdef __SANITIZE_ADDRESS__
// The address sanitizer knows swapcontext, which asks the kernel each time.
struct Context {
    ucontext_t saved;

    void go_to(Context& other) { swapcontext(&saved, &other.saved); }
};
#else
struct Context {
    ucontext_t saved;  // of a fibre that has not begun
    jmp_buf point;
    bool begun = true;

    void go_to(Context& other) {
        if (_setjmp(point) != 0) return;
        if (other.begun) _longjmp(other.point, 1);
        other.begun = true;
        setcontext(&other.saved);
    }
};
#endif

struct Fibre {
    Context context;
    std::unique_ptr<char[]> stack{new char[kStackBytes]};
    State state = State::ready;
    Operation operation = Operation::sync;
    unsigned mask = 0, argument = 0;
    std::uint64_t value = 0;  // sent, then received
};

Order order = Order::rising;
std::mt19937 chance;

std::vector<std::unique_ptr<Fibre>> fibres;  // kept from block to block
Context scheduler;
int running = -1;  // fibre
unsigned threads_of_block = 0;
const std::function<void()>* body = nullptr;
std::unique_ptr<unsigned char[]> shared;  // exactly as large as the launch says: an address sanitizer watches its ends

std::uint64_t launches = 0;
std::uint32_t barriers = 0;
std::vector<std::uint32_t> warp_syncs;

void garbage(unsigned char* memory, std::size_t bytes) {
    const unsigned first = chance();
    for (std::size_t i = 0; i < bytes; ++i) memory[i] = static_cast<unsigned char>(i * 7 + first);
}

void enter() {
    for (;;) {  // a fibre serves block after block
        (*body)();
        Fibre& self = *fibres[static_cast<std::size_t>(running)];
        self.state = State::done;
        self.context.go_to(scheduler);
    }
}

void wait(State state) {
    Fibre& self = *fibres[static_cast<std::size_t>(running)];
    self.state = state;
    self.context.go_to(scheduler);
}

void resume(unsigned thread) {
    running = static_cast<int>(thread);
    threadIdx = {thread, 0, 0};
    scheduler.go_to(fibres[thread]->context);
    running = -1;
}

void prepare(Fibre& fibre) {
    ucontext_t& context = fibre.context.saved;
    getcontext(&context);
    context.uc_stack.ss_sp = fibre.stack.get();
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
    makecontext(&context, enter, 0);
#ifndef __SANITIZE_ADDRESS__
    fibre.context.begun = false;
#endif
}

std::uint64_t result(unsigned first, unsigned lane) {
    const auto value = [&](unsigned of) { return fibres[first + of]->value; };
    const unsigned argument = fibres[first + lane]->argument;
    std::uint64_t all = 0;
    switch (fibres[first + lane]->operation) {
        case Operation::sync: return 0;
        case Operation::shuffle: return value(argument % kLanes);
        case Operation::shuffle_up: return value(lane >= argument ? lane - argument : lane);
        case Operation::shuffle_down: return value(lane + argument < kLanes ? lane + argument : lane);
        case Operation::ballot:
            for (unsigned other = 0; other < kLanes; ++other) all |= std::uint64_t{value(other) != 0} << other;
            return all;
        case Operation::any:
            for (unsigned other = 0; other < kLanes; ++other) all |= value(other);
            return all;
        case Operation::match:
            for (unsigned other = 0; other < kLanes; ++other) all |= std::uint64_t{value(other) == value(lane)} << other;
            return all;
    }
    return 0;
}

// Gives every lane its result once all of them are there.
void complete_operation(unsigned warp) {
    const unsigned first = warp * kLanes;
    unsigned waiting = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) waiting += fibres[first + lane]->state == State::at_operation;
    if (waiting == 0) return;
    if (waiting < kLanes) fail("a warp operation that not every lane reaches");
    std::uint64_t results[kLanes];
    for (unsigned lane = 0; lane < kLanes; ++lane) {
        const Fibre& fibre = *fibres[first + lane];
        if (fibre.operation != fibres[first]->operation) fail("lanes of a warp meet at different operations");
        if (fibre.mask != 0xffffffffu) fail("a mask without all lanes, where all lanes are");
        results[lane] = result(first, lane);
    }
    if (fibres[first]->operation == Operation::sync) ++warp_syncs[warp];
    for (unsigned lane = 0; lane < kLanes; ++lane) {
        fibres[first + lane]->value = results[lane];
        fibres[first + lane]->state = State::ready;
    }
}

// Runs the lanes of a warp until each waits or is done; false if none could run.
bool advance(unsigned warp) {
    unsigned lanes[kLanes];
    std::iota(lanes, lanes + kLanes, 0u);
    if (order == Order::falling) std::reverse(lanes, lanes + kLanes);
    if (order == Order::random) std::shuffle(lanes, lanes + kLanes, chance);
    bool any = false;
    for (const unsigned lane : lanes) {
        if (fibres[warp * kLanes + lane]->state != State::ready) continue;
        resume(warp * kLanes + lane);
        any = true;
    }
    if (any) complete_operation(warp);
    return any;
}

void run_block() {
    const unsigned warps = threads_of_block / kLanes;
    for (unsigned i = 0; i < threads_of_block; ++i) fibres[i]->state = State::ready;
    std::vector<unsigned> turn(warps);
    std::iota(turn.begin(), turn.end(), 0u);
    if (order == Order::falling) std::reverse(turn.begin(), turn.end());
    for (;;) {
        if (order == Order::random) std::shuffle(turn.begin(), turn.end(), chance);
        bool any = false;
        for (const unsigned warp : turn)
            if (order == Order::random)
                any |= advance(warp);
            else
                while (advance(warp)) any = true;
        if (any) continue;
        unsigned waiting = 0, done = 0;
        for (unsigned i = 0; i < threads_of_block; ++i) {
            waiting += fibres[i]->state == State::at_barrier;
            done += fibres[i]->state == State::done;
        }
        if (done == threads_of_block) return;
        if (waiting < threads_of_block) fail("a barrier that not every thread reaches");
        ++barriers;
        for (unsigned i = 0; i < threads_of_block; ++i) fibres[i]->state = State::ready;
    }
}

}  // namespace

void set_order(Order wanted, unsigned seed) {
    order = wanted;
    chance.seed(seed);
}

void run(std::size_t blocks, unsigned threads, std::size_t shared_bytes, const std::function<void()>& kernel) {
    if (threads % kLanes != 0 || threads > 1024) fail("blocks here have 32 to 1024 threads, whole warps");
    if (shared_bytes > 48 << 10) fail("more shared memory than every device grants");
    while (fibres.size() < threads) {
        fibres.push_back(std::make_unique<Fibre>());
        prepare(*fibres.back());
    }
    threads_of_block = threads;
    body = &kernel;
    blockDim = {threads, 1, 1};
    ++launches;
    forget_accesses();
    for (std::size_t block = 0; block < blocks; ++block) {
        blockIdx = {static_cast<unsigned>(block), 0, 0};
        shared.reset(new unsigned char[shared_bytes]);
        garbage(shared.get(), shared_bytes);
        warp_syncs.assign(threads / kLanes, 0);
        ++barriers;
        run_block();
    }
    shared.reset();
}

unsigned char* shared_memory() { return shared.get(); }

std::uint64_t meet(Operation operation, unsigned mask, std::uint64_t value, unsigned argument) {
    Fibre& self = *fibres[static_cast<std::size_t>(running)];
    self.operation = operation;
    self.mask = mask;
    self.value = value;
    self.argument = argument;
    wait(State::at_operation);
    return self.value;
}

bool moment_of(const void* address, Moment* now) {
    if (running < 0) return false;
    const char* stack = fibres[static_cast<std::size_t>(running)]->stack.get();
    if (address >= stack && address < stack + kStackBytes) return false;
    const auto thread = static_cast<std::uint32_t>(running);
    *now = {launches, blockIdx.x, thread, barriers, warp_syncs[thread / kLanes], false};
    return true;
}

}  // namespace cuda_on_cpu

void __syncthreads() { cuda_on_cpu::wait(cuda_on_cpu::State::at_barrier); }

std::uint32_t atomicAdd(std::uint32_t* address, std::uint32_t value) {
    cuda_on_cpu::Moment now;
    if (cuda_on_cpu::moment_of(address, &now)) {
        now.atomic = true;
        cuda_on_cpu::note(address, sizeof *address, cuda_on_cpu::Access::write, now);
    }
    const std::uint32_t before = *address;
    *address += value;
    return before;
}

namespace {

std::map<const unsigned char*, std::size_t>& device_memory() {
    static std::map<const unsigned char*, std::size_t> allocations;
    return allocations;
}
std::size_t free_memory = std::size_t{1} << 32;

}  // namespace

void cuda_on_cpu::set_free_memory(std::size_t bytes) { free_memory = bytes; }

const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaErrorMemoryAllocation ? "out of memory" : "invalid device ordinal";
}

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
    void* memory = nullptr;
    if (bytes > free_memory || posix_memalign(&memory, 256, bytes) != 0) return cudaErrorMemoryAllocation;
    cuda_on_cpu::garbage(static_cast<unsigned char*>(memory), bytes);
    device_memory()[static_cast<unsigned char*>(memory)] = bytes;
    *pointer = memory;
    return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
    device_memory().erase(static_cast<unsigned char*>(pointer));
    std::free(pointer);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
    std::memcpy(to, from, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
    std::memset(to, value, bytes);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
    const auto* byte = static_cast<const unsigned char*>(pointer);
    auto after = device_memory().upper_bound(byte);
    const bool inside = after != device_memory().begin() && (--after, byte < after->first + after->second);
    attributes->type = inside ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *free = *total = free_memory;
    return cudaSuccess;
}
