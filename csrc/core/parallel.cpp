#include "core/parallel.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <system_error>
#include <vector>

namespace hashzoo {

Blocks::Blocks(std::size_t count, bool (*interrupted)()) : count_(count), interrupted_(interrupted) {}

bool Blocks::next(std::size_t& block) {
    if (std::this_thread::get_id() == caller_ && poll()) cancel();
    if (cancelled_) return false;
    block = next_++;
    return block < count_;
}

bool Blocks::poll() {
    constexpr std::chrono::milliseconds kBetween{50};  // asking takes the interpreter's lock
    const auto now = std::chrono::steady_clock::now();
    if (now - polled_ < kBetween) return false;
    polled_ = now;
    interrupted_seen_ = interrupted_seen_ || interrupted_();
    return interrupted_seen_;
}

void run_blocks(std::size_t count, const Control& control, const std::function<void(Blocks&)>& work) {
    Blocks blocks(count, control.interrupted);
    std::exception_ptr failure;
    std::mutex failure_lock;
    const auto guarded = [&] {
        try {
            work(blocks);
        } catch (...) {
            blocks.cancel();
            const std::lock_guard<std::mutex> hold(failure_lock);
            if (!failure) failure = std::current_exception();
        }
    };

    const std::size_t wanted = std::min<std::size_t>(control.threads, count);
    std::vector<std::thread> others;
    others.reserve(wanted);
    try {
        while (others.size() + 1 < wanted) others.emplace_back(guarded);
    } catch (const std::system_error&) {
        // The system grants no more threads: those that started, and this one, do the work.
    }
    guarded();
    for (std::thread& other : others) other.join();
    if (failure) std::rethrow_exception(failure);
    if (blocks.was_interrupted()) throw Interrupted{};
}

}  // namespace hashzoo
