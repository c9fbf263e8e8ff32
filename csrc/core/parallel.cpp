#include "core/parallel.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace hashzoo {
namespace {

struct Job {
    const std::function<void()>& work;
    std::size_t seats;  // threads that may still join
    std::size_t running = 0;
};

// Threads that help whoever calls. They are detached and the pool is never destroyed: the end of the process ends them,
// whatever they wait for.
class Pool {
public:
    // Runs `work`, which must not throw, here and on up to `helpers` threads; returns when it has returned everywhere.
    void run(std::size_t helpers, const std::function<void()>& work) {
        Job job{work, helpers};
        std::unique_lock<std::mutex> hold(lock_);
        grow_to(helpers);
        jobs_.push_back(&job);
        hold.unlock();
        for (std::size_t i = 0; i < helpers; ++i) wake_.notify_one();
        work();
        hold.lock();
        jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), &job), jobs_.end());
        finished_.wait(hold, [&job] { return job.running == 0; });
    }

private:
    void grow_to(std::size_t threads) {
        try {
            for (; threads_ < threads; ++threads_) std::thread([this] { serve(); }).detach();
        } catch (const std::system_error&) {
            // The system grants no more threads: those that started, and the caller, do the work.
        }
    }

    [[noreturn]] void serve() {
        std::unique_lock<std::mutex> hold(lock_);
        for (;;) {
            wake_.wait(hold, [this] { return !jobs_.empty(); });
            Job& job = *jobs_.front();
            if (--job.seats == 0) jobs_.pop_front();
            ++job.running;
            hold.unlock();
            job.work();
            hold.lock();
            if (--job.running == 0) finished_.notify_all();
        }
    }

    std::mutex lock_;
    std::condition_variable wake_, finished_;
    std::deque<Job*> jobs_;  // with seats left
    std::size_t threads_ = 0;
};

std::atomic<Pool*> pool_in_use{nullptr};

Pool& pool() {
#if defined(__unix__) || defined(__APPLE__)
    // A fork copies the calling thread alone: the child needs a pool of its own.
    static const int registered = pthread_atfork(nullptr, nullptr, [] { pool_in_use = nullptr; });
    static_cast<void>(registered);
#endif
    Pool* current = pool_in_use;
    if (current != nullptr) return *current;
    auto* made = new Pool;
    if (pool_in_use.compare_exchange_strong(current, made)) return *made;
    delete made;  // another thread was faster
    return *current;
}

}  // namespace

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
    if (wanted > 1) pool().run(wanted - 1, guarded);
    else guarded();
    if (failure) std::rethrow_exception(failure);
    if (blocks.was_interrupted()) throw Interrupted{};
}

}  // namespace hashzoo
