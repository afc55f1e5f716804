#pragma once
// Ships the spool's backlog to Kafka: one thread, a bounded window of copies in flight, sent in
// the spool's order. Private to kafka/. What this means for the order of a key: kafka/README.md.
//
// A topic that is held, or from which nothing was acknowledged since the start, has a gate: its
// first record is the scout, the only one that is sent, again and again with a back-off of 100 ms
// to 5 s; its other records are parked in the spool until the scout is acknowledged. So no topic
// holds up another. Errors that are of no topic hold up the whole drain for as long.
#include "kafka/delivery.hpp"
#include "kafka/producer.hpp"
#include "kafka/spool.hpp"
#include "kafka/supervisor.hpp"
#include "kafka/topics.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace headrace::kafka {

using stored_id = std::pair<std::uint32_t, std::uint64_t>;  // instance, sequence

// A stored record that outlives the reader's buffer.
struct kept_record {
    stored_id id;
    std::string key, value;
    bool null_key = false;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
    stored_record view() const;
};

class drain final : public drain_reports {
public:
    static constexpr std::size_t window_records = 2'000;
    static constexpr std::size_t window_bytes = 8 << 20;

    // `probed` is called with the number of brokers that a probe of Kafka found; 0: no answer.
    drain(
        producer_pool& pool,
        spool& store,
        topic_table& topics,
        supervisor& judge,
        std::function<void(std::uint32_t)> probed,
        log_function log
    );
    ~drain() override;

    void start();
    // Joins the thread; within one probe (500 ms).
    void stop();
    // After stop() and the last report: tells the spool what still arrived.
    void finish();

    std::uint64_t shipped() const { return shipped_.load(std::memory_order_relaxed); }

    void drain_report(void* opaque, rd_kafka_resp_err_t error) noexcept override;
    void backlog_grew() noexcept override;

private:
    using clock = std::chrono::steady_clock;
    struct slot {
        stored_id id;
        const topic* to;
        std::size_t bytes;
        bool alone;
        bool scout;
    };
    struct gate {
        const topic* to = nullptr;
        std::optional<kept_record> scout;
        bool out = false;  // the scout is in flight
        std::chrono::milliseconds backoff{0};
        clock::time_point resume_at{};
    };
    struct result {
        slot* which;
        rd_kafka_resp_err_t error;
    };

    void run();
    void take_results(clock::time_point now);
    void settle(slot& s, rd_kafka_resp_err_t error, clock::time_point now);
    void settle_failed(slot& s, rd_kafka_resp_err_t error, clock::time_point now);
    void put_back(slot& s);
    void too_large(slot& s);
    bool send_some(clock::time_point now);
    void send_scouts(clock::time_point now);
    bool gated(const stored_record& r, std::uint32_t instance, const topic& to);
    void send(
        const stored_record& r, stored_id id, const topic& to, bool scout, clock::time_point now
    );
    void back_off(std::chrono::milliseconds& wait, clock::time_point& until, clock::time_point now);
    clock::time_point next_look(clock::time_point now) const;
    void probe(clock::time_point now);

    producer_pool& pool_;
    spool& spool_;
    topic_table& topics_;
    supervisor& supervisor_;
    std::function<void(std::uint32_t)> probed_;
    log_function log_;

    std::mutex mutex_;  // guards results_, grew_, stopping_
    std::condition_variable wake_;
    std::vector<result> results_;
    bool grew_ = false;
    bool stopping_ = false;

    // The drain's thread alone.
    std::vector<result> taken_;
    std::set<stored_id> lone_;     // refused in a batch for their size
    std::set<stored_id> refused_;  // refused alone for their size: parked until the next start
    std::unordered_map<std::uint16_t, gate> gates_;
    std::size_t in_flight_ = 0, in_flight_bytes_ = 0;
    bool paused_ = false;
    std::chrono::milliseconds backoff_{0};
    clock::time_point resume_at_{}, next_probe_{};

    std::atomic<std::uint64_t> shipped_{0};
    std::thread thread_;
};

}  // namespace headrace::kafka
