#pragma once
// Ships the spool's backlog to Kafka: one thread, a bounded window of copies in flight, sent in
// the spool's order. Failed records go back in line and the whole drain backs off, 100 ms to 5 s.
// Private to kafka/. What this means for the order of a key: kafka/README.md.
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
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace headrace::kafka {

class drain final : public drain_reports {
public:
    static constexpr std::size_t window_records = 2'000;
    static constexpr std::size_t window_bytes = 8 << 20;

    // `answered` is called with the number of brokers when a probe of Kafka succeeds.
    drain(
        producer_pool& pool,
        spool& store,
        topic_table& topics,
        supervisor& judge,
        std::function<void(std::uint32_t)> answered
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
        std::uint32_t instance;
        std::uint64_t sequence;
        std::size_t bytes;
        bool alone;
    };
    struct result {
        slot* which;
        rd_kafka_resp_err_t error;
    };

    void run();
    void take_results(clock::time_point now);
    void settle(slot& s, rd_kafka_resp_err_t error, clock::time_point now);
    bool send_some(clock::time_point now);
    rd_kafka_resp_err_t send(const stored_record& r, slot* s);
    void probe(clock::time_point now);

    producer_pool& pool_;
    spool& spool_;
    topic_table& topics_;
    supervisor& supervisor_;
    std::function<void(std::uint32_t)> answered_;

    std::mutex mutex_;  // guards results_, grew_, stopping_
    std::condition_variable wake_;
    std::vector<result> results_;
    bool grew_ = false;
    bool stopping_ = false;

    // The drain's thread alone.
    std::vector<result> taken_;
    std::set<std::pair<std::uint32_t, std::uint64_t>> lone_;  // refused in a batch for their size
    std::size_t in_flight_ = 0, in_flight_bytes_ = 0;
    std::chrono::milliseconds backoff_{0};
    clock::time_point resume_at_{}, next_probe_{};

    std::atomic<std::uint64_t> shipped_{0};
    std::thread thread_;
};

}  // namespace headrace::kafka
