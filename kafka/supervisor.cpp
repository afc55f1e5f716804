#include "kafka/supervisor.hpp"

namespace headrace::kafka {

void supervisor::progressed(clock::time_point now) {
    progress_at_ = now;
    if (!proven_.load(std::memory_order_relaxed)) proven_.store(true, std::memory_order_relaxed);
    if (!sick()) return;
    sick_.store(false, std::memory_order_relaxed);
    {
        const std::lock_guard lock(mutex_);
        reason_.clear();
    }
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now - sick_since_).count();
    if (log_)
        log_(log_level::info, "Kafka acknowledges again after " + std::to_string(seconds) + " s");
}

void supervisor::brokers_down(clock::time_point now, const std::string& why) {
    fall_sick(now, "no broker can be reached (" + why + ")");
}

void supervisor::check(clock::time_point now, std::int64_t outstanding) {
    if (outstanding <= 0 || progress_at_ == clock::time_point{}) {
        progress_at_ = now;
        return;
    }
    if (now - progress_at_ <= ack_timeout_) return;
    fall_sick(
        now, "no record was acknowledged for " + std::to_string(ack_timeout_.count()) + " ms"
    );
}

void supervisor::replaced(const std::string& why) {
    if (log_) log_(log_level::error, "Kafka producer replaced after a fatal error: " + why);
}

void supervisor::fall_sick(clock::time_point now, const std::string& why) {
    if (sick()) return;
    sick_since_ = now;
    {
        const std::lock_guard lock(mutex_);
        reason_ = why;
    }
    sick_.store(true, std::memory_order_relaxed);
    if (log_) log_(log_level::warn, "Kafka is sick, records go to the spool: " + why);
}

std::string supervisor::reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
}

}  // namespace headrace::kafka
