// The compiler calls the functions below at every load and store of code that is built with -fsanitize=thread; they
// take the place of its run-time library, which knows nothing of fibres.
#include "races.h"

#include <cstdio>
#include <cstdlib>
#include <unordered_map>

namespace cuda_on_cpu {
namespace {

struct Word {
    Moment write, read, other_read;  // the last ones; other_read: of another warp than read
};

std::unordered_map<std::uintptr_t, Word>& words() {
    static std::unordered_map<std::uintptr_t, Word> all;
    return all;
}

bool same_warp(const Moment& a, const Moment& b) { return a.block == b.block && a.thread / 32 == b.thread / 32; }

bool unordered(const Moment& before, const Moment& now) {
    if (before.launch != now.launch) return false;
    if (before.atomic && now.atomic) return false;
    if (before.block != now.block) return true;
    if (before.thread == now.thread || before.barriers != now.barriers) return false;
    return !same_warp(before, now) || before.warp_syncs == now.warp_syncs;
}

}  // namespace

void note(const void* address, std::size_t bytes, Access access, const Moment& now) {
    const auto first = reinterpret_cast<std::uintptr_t>(address) / 4;
    for (std::size_t i = 0; i < (bytes + 3) / 4; ++i) {
        Word& word = words()[first + i];
        if (unordered(word.write, now)) fail("two threads use one word, one writes it, nothing orders them");
        if (access == Access::read) {
            if (!same_warp(word.read, now) || word.read.launch != now.launch) word.other_read = word.read;
            word.read = now;
            continue;
        }
        if (unordered(word.read, now) || unordered(word.other_read, now))
            fail("a thread writes a word that another one reads, nothing orders them");
        word.write = now;
    }
}

void forget_accesses() { words().clear(); }

void fail(const char* what) {
    std::printf("cuda_on_cpu: %s\n", what);
    std::fflush(stdout);
    std::_Exit(3);
}

}  // namespace cuda_on_cpu

namespace {

void noted(const void* address, std::size_t bytes, cuda_on_cpu::Access access) {
    cuda_on_cpu::Moment now;
    if (cuda_on_cpu::moment_of(address, &now)) cuda_on_cpu::note(address, bytes, access, now);
}

}  // namespace

#define HASHZOO_NOTED(bytes)                                                                             \
    void __tsan_read##bytes(void* address) { noted(address, bytes, cuda_on_cpu::Access::read); }         \
    void __tsan_write##bytes(void* address) { noted(address, bytes, cuda_on_cpu::Access::write); }       \
    void __tsan_unaligned_read##bytes(void* address) { noted(address, bytes, cuda_on_cpu::Access::read); } \
    void __tsan_unaligned_write##bytes(void* address) { noted(address, bytes, cuda_on_cpu::Access::write); }

extern "C" {
HASHZOO_NOTED(1)
HASHZOO_NOTED(2)
HASHZOO_NOTED(4)
HASHZOO_NOTED(8)
HASHZOO_NOTED(16)
void __tsan_read_range(void* address, unsigned long bytes) { noted(address, bytes, cuda_on_cpu::Access::read); }
void __tsan_write_range(void* address, unsigned long bytes) { noted(address, bytes, cuda_on_cpu::Access::write); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
}
