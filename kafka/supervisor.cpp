#include "kafka/supervisor.hpp"

#include <algorithm>

namespace headrace::kafka {

namespace {

std::string seconds_text(std::chrono::steady_clock::duration d) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count()) + " s";
}

constexpr std::chrono::seconds pause_min{1}, pause_max{64};

}  // namespace

bool replace_pause::failed(clock::time_point now, const std::string& why) {
    const bool tell = pause_.count() == 0 || why != why_;
    pause_ = std::clamp(pause_ * 2, pause_min, pause_max);
    next_ = now + pause_;
    why_ = why;
    return tell;
}

bool replace_pause::settled(clock::time_point now) {
    if (pause_.count() == 0 || now < next_ + pause_) return false;
    pause_ = std::chrono::seconds(0);
    return true;
}

bool supervisor::held(const topic& to) const {
    return to.index < watched_topics && topics_[to.index].held.load(std::memory_order_relaxed);
}

bool supervisor::proven(const topic& to) const {
    return to.index >= watched_topics || topics_[to.index].proven.load(std::memory_order_relaxed);
}

void supervisor::acked(const topic& to, clock::time_point now) {
    progressed(now);
    if (to.index >= watched_topics) return;
    topic_state& t = topics_[to.index];
    t.progress_at = now;
    if (!t.proven.load(std::memory_order_relaxed)) t.proven.store(true, std::memory_order_relaxed);
    if (!t.held.load(std::memory_order_relaxed)) return;
    t.held.store(false, std::memory_order_relaxed);
    t.told = false;
    const bool other = std::any_of(topics_.begin(), topics_.end(), [](const topic_state& s) {
        return s.held.load(std::memory_order_relaxed);
    });
    if (!other) {
        const std::lock_guard lock(mutex_);
        held_reason_.clear();
    }
    if (log_)
        log_(
            log_level::info,
            "topic " + to.name + " is written again after " + seconds_text(now - t.held_since)
        );
}

void supervisor::refused(const topic& to, clock::time_point now, const std::string& why) {
    if (to.index >= watched_topics) return;
    topic_state& t = topics_[to.index];
    t.told = true;
    if (!held(to)) return hold(to, now, why);
    const std::string line = "records of topic " + to.name + " stay in the spool: " + why;
    {
        const std::lock_guard lock(mutex_);
        held_reason_ = line;
    }
    if (log_) log_(log_level::warn, line);
}

bool supervisor::heard(const topic& to) const {
    return to.index >= watched_topics || (held(to) && topics_[to.index].told);
}

void supervisor::answered(clock::time_point now) { progressed(now); }

void supervisor::unanswered(clock::time_point now) {
    if (late_)
        fall_sick(
            now,
            "no record was acknowledged for " + std::to_string(ack_timeout_.count()) +
                " ms and no broker answers"
        );
}

void supervisor::progressed(clock::time_point now) {
    progress_at_ = now;
    late_ = false;
    if (!proven_.load(std::memory_order_relaxed)) proven_.store(true, std::memory_order_relaxed);
    if (!sick()) return;
    sick_.store(false, std::memory_order_relaxed);
    {
        const std::lock_guard lock(mutex_);
        sick_reason_.clear();
    }
    if (log_) log_(log_level::info, "Kafka answers again after " + seconds_text(now - sick_since_));
}

void supervisor::brokers_down(clock::time_point now, const std::string& why) {
    fall_sick(now, "no broker can be reached (" + why + ")");
}

void supervisor::check(clock::time_point now, std::span<const topic_load> loads) {
    bool waiting = false, only_held = true, any_held = false;
    for (const auto& [to, outstanding] : loads) {
        if (outstanding > 0) waiting = true;
        if (to->index >= watched_topics) {
            only_held &= outstanding <= 0;
            continue;
        }
        topic_state& t = topics_[to->index];
        if (outstanding <= 0 || t.progress_at == clock::time_point{})
            t.progress_at = now;
        else if (now - t.progress_at > ack_timeout_)
            hold(
                *to,
                now,
                "no record of it was acknowledged for " + std::to_string(ack_timeout_.count()) +
                    " ms"
            );
        const bool is_held = t.held.load(std::memory_order_relaxed);
        any_held |= is_held;
        only_held &= is_held || outstanding <= 0;
    }
    if (!waiting || progress_at_ == clock::time_point{}) progress_at_ = now;
    late_ = waiting && now - progress_at_ > ack_timeout_;
    doubt_.store(late_ || any_held, std::memory_order_relaxed);
    stuck_.store(waiting && only_held, std::memory_order_relaxed);
}

void supervisor::replaced(const std::string& why) {
    if (log_) log_(log_level::error, "Kafka producer replaced after a fatal error: " + why);
}

void supervisor::settled() {
    if (log_) log_(log_level::info, "no Kafka producer failed again");
}

void supervisor::hold(const topic& to, clock::time_point now, const std::string& why) {
    if (to.index >= watched_topics) return;
    topic_state& t = topics_[to.index];
    if (t.held.load(std::memory_order_relaxed)) return;
    t.held_since = now;
    const std::string line = "records of topic " + to.name + " go to the spool: " + why;
    {
        const std::lock_guard lock(mutex_);
        held_reason_ = line;
    }
    t.held.store(true, std::memory_order_relaxed);
    if (log_) log_(log_level::warn, line);
}

void supervisor::fall_sick(clock::time_point now, const std::string& why) {
    if (sick()) return;
    sick_since_ = now;
    {
        const std::lock_guard lock(mutex_);
        sick_reason_ = why;
    }
    sick_.store(true, std::memory_order_relaxed);
    if (log_) log_(log_level::warn, "Kafka is sick, records go to the spool: " + why);
}

std::string supervisor::reason() const {
    const std::lock_guard lock(mutex_);
    return sick_reason_.empty() ? held_reason_ : sick_reason_;
}

}  // namespace headrace::kafka
