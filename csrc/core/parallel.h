// Work in numbered blocks, claimed by the calling thread and by threads that wait in a pool between calls.
#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>

namespace hashzoo {

struct Control {
    unsigned threads;       // at least 1, the calling thread included
    bool (*interrupted)();  // asked now and then, on the calling thread only
};

struct Interrupted {};  // thrown on the calling thread once every other thread has stopped

class Blocks {
public:
    Blocks(std::size_t count, bool (*interrupted)());
    bool next(std::size_t& block);  // claims a block; false when none is left or the work was cancelled
    void cancel() { cancelled_ = true; }
    bool was_interrupted() const { return interrupted_seen_; }

private:
    bool poll();

    const std::size_t count_;
    bool (*const interrupted_)();
    const std::thread::id caller_ = std::this_thread::get_id();
    std::chrono::steady_clock::time_point polled_ = std::chrono::steady_clock::now();
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> cancelled_{false};
    bool interrupted_seen_ = false;
};

// Runs `work` once on the calling thread and on up to control.threads - 1 others; it loops over blocks.next(). Which thread takes which block must not matter.
void run_blocks(std::size_t count, const Control& control, const std::function<void(Blocks&)>& work);

}  // namespace hashzoo
