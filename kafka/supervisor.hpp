#pragma once
// Judges from progress whether records should go to Kafka or straight to the spool (design.md D3).
// One state per topic, one for the whole sink. Told by the delivery thread; read by any.
//
// A topic is held when records of it wait and none was acknowledged for ack_timeout, or when Kafka
// says that it cannot be written; the next acknowledgement of the topic ends that. The whole sink
// is sick when nothing is acknowledged and no broker answers a metadata request either, or when
// all brokers are down; any acknowledgement or answer ends that.
#include "kafka/log.hpp"
#include "kafka/record.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

namespace headrace::kafka {

// How many records of a topic are without a report.
struct topic_load {
    const topic* to = nullptr;
    std::int64_t outstanding = 0;
};

// When failed producers may be replaced: at once, then after a pause that doubles from a second to
// about a minute, until none failed for twice as long. Delivery thread.
class replace_pause {
public:
    using clock = std::chrono::steady_clock;
    bool due(clock::time_point now) const { return now >= next_; }
    // True: the first failure, or the first of this reason since; one log line.
    bool failed(clock::time_point now, const std::string& why);
    // Called while none has failed. True: that is so for long enough, once.
    bool settled(clock::time_point now);

private:
    std::chrono::seconds pause_{0};
    clock::time_point next_{};
    std::string why_;
};

class supervisor {
public:
    using clock = std::chrono::steady_clock;
    // Topics with a higher index have no state of their own.
    static constexpr std::size_t watched_topics = 256;

    supervisor(std::chrono::milliseconds ack_timeout, log_function log)
        : ack_timeout_(ack_timeout), log_(std::move(log)) {}

    // Delivery thread: a record of this topic was acknowledged.
    void acked(const topic& to, clock::time_point now);
    // Kafka cannot write this topic; `why` for people. Needed only if heard() is false.
    void refused(const topic& to, clock::time_point now, const std::string& why);
    // The topic is held, and why Kafka refuses it was told.
    bool heard(const topic& to) const;
    // A broker answered a metadata request, or none did.
    void answered(clock::time_point now);
    void unanswered(clock::time_point now);
    // All configured or known brokers are unreachable.
    void brokers_down(clock::time_point now, const std::string& why);
    // Called at least every 100 ms with every topic that was ever used.
    void check(clock::time_point now, std::span<const topic_load> loads);
    // A producer ended with a fatal error and was replaced.
    void replaced(const std::string& why);
    // None did for a while.
    void settled();

    bool sick() const { return sick_.load(std::memory_order_relaxed); }
    bool held(const topic& to) const;
    bool accepts(const topic& to) const { return !sick() && !held(to); }
    // Some record of the topic was acknowledged since the start.
    bool proven(const topic& to) const;
    // Some record or metadata request was answered since the start.
    bool proven() const { return proven_.load(std::memory_order_relaxed); }
    // A metadata request would tell something.
    bool in_doubt() const { return sick() || !proven() || doubt_.load(std::memory_order_relaxed); }
    // What waits will not be acknowledged soon: all of it is of held topics, or the sink is sick.
    bool stuck() const { return sick() || stuck_.load(std::memory_order_relaxed); }
    std::string reason() const;

private:
    struct topic_state {
        std::atomic<bool> held{false}, proven{false};
        bool told = false;  // why Kafka refuses it
        clock::time_point held_since{};
        clock::time_point progress_at{};  // last ack, or last time that nothing waited
    };

    void progressed(clock::time_point now);
    void hold(const topic& to, clock::time_point now, const std::string& why);
    void fall_sick(clock::time_point now, const std::string& why);

    const std::chrono::milliseconds ack_timeout_;
    log_function log_;
    std::atomic<bool> sick_{false}, proven_{false}, doubt_{false}, stuck_{false};
    std::array<topic_state, watched_topics> topics_;
    clock::time_point sick_since_{};
    clock::time_point progress_at_{};  // last ack or answer, or last time that nothing waited
    bool late_ = false;                // nothing progressed for ack_timeout though records wait
    mutable std::mutex mutex_;
    std::string sick_reason_;  // under mutex_, as what follows
    std::string held_reason_;  // of the topic that was held last; empty: none is held
};

}  // namespace headrace::kafka
