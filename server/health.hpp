#pragma once
// Liveness and readiness (design.md D22). Written by the watcher on the admin thread and by the
// workers' ticks, read by any thread.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "kafka/record_sink.hpp"

namespace headrace::server {

enum class phase : std::uint8_t { starting, serving, draining };

class health {
public:
    using clock = std::chrono::steady_clock;

    explicit health(std::size_t workers) : heartbeats_(workers) {}

    // Worker thread, at each tick.
    void beat(std::size_t worker) {
        heartbeats_[worker].at.store(now_ms(), std::memory_order_relaxed);
    }

    void enter(server::phase p) { phase_.store(p); }
    server::phase phase() const { return phase_.load(); }

    // Admin thread, every half second: is a 200 still possible? Red after 5 s without.
    void watch(const kafka::sink_health& sink) {
        if (sink.honest_200_possible()) {
            dishonest_since_ms_ = 0;
        } else if (dishonest_since_ms_ == 0) {
            dishonest_since_ms_ = now_ms();
        }
        const bool red = dishonest_since_ms_ != 0 && now_ms() - dishonest_since_ms_ > 5'000;
        sink_red_.store(red);
        const std::lock_guard lock(mutex_);
        reason_ = sink.reason;
    }

    bool started() const { return phase() != phase::starting; }
    bool ready() const { return phase() == phase::serving && !sink_red_.load(); }

    // A worker's loop has not turned for 10 s. "" when live.
    std::string not_live_reason() const {
        const std::int64_t now = now_ms();
        for (std::size_t i = 0; i < heartbeats_.size(); ++i) {
            const std::int64_t last = heartbeats_[i].at.load(std::memory_order_relaxed);
            if (last != 0 && now - last > 10'000)
                return "worker " + std::to_string(i) + " has not turned for " +
                       std::to_string((now - last) / 1000) + " s";
        }
        return {};
    }
    bool live() const { return not_live_reason().empty(); }

    // What is not well although a 200 may be honest (Kafka away with a working spool), or "".
    std::string reason() const {
        const std::lock_guard lock(mutex_);
        return reason_;
    }

private:
    static std::int64_t now_ms() {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   clock::now().time_since_epoch()
        )
            .count();
    }

    struct alignas(64) heartbeat {
        std::atomic<std::int64_t> at{0};
    };
    std::deque<heartbeat> heartbeats_;
    std::atomic<server::phase> phase_{phase::starting};
    std::atomic<bool> sink_red_{false};
    std::int64_t dishonest_since_ms_ = 0;   // admin thread
    mutable std::mutex mutex_;
    std::string reason_;
};

}  // namespace headrace::server
