#pragma once
// Judges from progress whether records should go to Kafka or straight to the spool (design.md D3).
// One state for the whole sink. Told by the delivery thread; read by any.
#include "kafka/log.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace headrace::kafka {

class supervisor {
public:
    using clock = std::chrono::steady_clock;

    supervisor(std::chrono::milliseconds ack_timeout, log_function log)
        : ack_timeout_(ack_timeout), log_(std::move(log)) {}

    // A record was acknowledged, or (probe) a broker answered while nothing was under way.
    void progressed(clock::time_point now);
    // All configured or known brokers are unreachable.
    void brokers_down(clock::time_point now, const std::string& why);
    // Called at least every 100 ms with the number of records without a report.
    void check(clock::time_point now, std::int64_t outstanding);
    // A producer ended with a fatal error and was replaced.
    void replaced(const std::string& why);

    bool sick() const { return sick_.load(std::memory_order_relaxed); }
    // Some record or probe was answered since the start.
    bool proven() const { return proven_.load(std::memory_order_relaxed); }
    std::string reason() const;

private:
    void fall_sick(clock::time_point now, const std::string& why);

    const std::chrono::milliseconds ack_timeout_;
    log_function log_;
    std::atomic<bool> sick_{false};
    std::atomic<bool> proven_{false};
    clock::time_point sick_since_{};
    clock::time_point progress_at_{};  // last ack, or last time that nothing was outstanding
    mutable std::mutex mutex_;
    std::string reason_;  // under mutex_
};

}  // namespace headrace::kafka
