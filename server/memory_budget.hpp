#pragma once
// One byte budget for sockets, bodies, inflate and records (design.md section 4). The total is
// shared by all workers; each worker draws on it in steps, so that the request path normally
// touches worker-local numbers only. Never waits: no room means a 503 now.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace headrace::server {

class memory_budget {
public:
    explicit memory_budget(std::uint64_t bytes) : limit_(bytes) {}

    bool take(std::uint64_t bytes) {
        std::uint64_t used = used_.load(std::memory_order_relaxed);
        do {
            if (bytes > limit_ - std::min(used, limit_)) return false;
        } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
        return true;
    }
    void give(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

    std::uint64_t limit() const { return limit_; }

private:
    const std::uint64_t limit_;
    std::atomic<std::uint64_t> used_{0};   // granted to workers
};

// A worker's share. Worker thread only.
class memory_lease {
public:
    explicit memory_lease(memory_budget& budget) : budget_(budget) {}
    ~memory_lease() { budget_.give(granted_); }
    memory_lease(const memory_lease&) = delete;
    memory_lease& operator=(const memory_lease&) = delete;

    bool take(std::uint64_t bytes) {
        if (used_ + bytes > granted_) {
            const std::uint64_t missing = used_ + bytes - granted_;
            const std::uint64_t wanted = std::max(missing, step);
            if (budget_.take(wanted))
                granted_ += wanted;
            else if (missing < wanted && budget_.take(missing))
                granted_ += missing;
            else
                return false;
        }
        used_ += bytes;
        return true;
    }

    void give(std::uint64_t bytes) {
        used_ -= bytes;
        if (granted_ - used_ > 2 * step) {
            const std::uint64_t back = granted_ - used_ - step;
            granted_ -= back;
            budget_.give(back);
        }
    }

    std::uint64_t used() const { return used_; }

private:
    static constexpr std::uint64_t step = 1 << 20;
    memory_budget& budget_;
    std::uint64_t granted_ = 0, used_ = 0;
};

}  // namespace headrace::server
