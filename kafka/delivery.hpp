#pragma once
// The one thread that changes the fate of lent batches. It reads all delivery reports, spool
// results and requests of the workers in bulk, and hands each worker one list per round.
// Private to kafka/.
//
// A record is in one of these places: with a producer (attempt), in an append job of the spool
// (job), or both. Each place, and each note about a batch under way to this thread, is one of
// batch::references; the batch is released when none is left. Rules: design.md D1, D5, D21.
#include "config/settings.hpp"
#include "kafka/client_stats.hpp"
#include "kafka/error_fate.hpp"
#include "kafka/producer.hpp"
#include "kafka/record.hpp"
#include "kafka/spool.hpp"
#include "kafka/supervisor.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace headrace::kafka {

// Bits of record::state while the sink holds the record.
struct place {
    static constexpr std::uint8_t attempt = 1;      // with a producer, its report is outstanding
    static constexpr std::uint8_t job = 2;          // in an append job
    static constexpr std::uint8_t alone = 4;        // the attempt is one of the lone producer
    static constexpr std::uint8_t in_spool = 8;     // synced, spool_sequence is valid
    static constexpr std::uint8_t acked = 16;       // an attempt succeeded
    static constexpr std::uint8_t spool_room = 32;  // first record: charged to the spool's room
};

// Upper bounds of what is lent at one time. Any thread.
class room {
public:
    room(std::uint64_t messages, std::uint64_t bytes)
        : messages_max_(messages), bytes_max_(bytes) {}
    bool take(std::uint64_t messages, std::uint64_t bytes) noexcept;
    void give(std::uint64_t messages, std::uint64_t bytes) noexcept;
    std::uint64_t messages() const { return messages_.load(std::memory_order_relaxed); }
    std::uint64_t bytes() const { return bytes_.load(std::memory_order_acquire); }
    std::uint64_t messages_max() const { return messages_max_; }
    std::uint64_t bytes_max() const { return bytes_max_; }

private:
    const std::uint64_t messages_max_, bytes_max_;
    std::atomic<std::uint64_t> messages_{0}, bytes_{0};
};

// The drain's end of its reports; called on the delivery thread.
class drain_reports {
public:
    virtual ~drain_reports() = default;
    // `opaque` as given to produce(), without the drain's tag bit.
    virtual void drain_report(void* opaque, rd_kafka_resp_err_t error) noexcept = 0;
    virtual void backlog_grew() noexcept = 0;
};

// Tag of a drain's opaque pointer; records are aligned to more than that.
inline constexpr std::uintptr_t drain_tag = 1;

// Published by the delivery thread for any.
struct delivery_figures {
    std::atomic<std::uint64_t> produced{0}, acked{0}, errors{0}, spooled{0}, late_acks{0};
    std::atomic<std::uint64_t> undecided{0};   // records lent without a fate
    std::atomic<std::int64_t> outstanding{0};  // records with a producer, the drain's included
    std::atomic<std::uint32_t> brokers_up{0}, brokers_known{0};
};

class delivery {
public:
    using clock = std::chrono::steady_clock;

    delivery(
        const config::kafka_settings& settings,
        producer_pool& pool,
        spool& store,
        supervisor& judge,
        drain_reports& drain,
        room& live,
        room& spooling
    );
    ~delivery();

    void start();
    // Workers.
    void expire(batch& b);                               // takes a reference of its own
    void spool_all(batch& b);                            // references already holds the note
    void hand_back(batch& b);                            // decided at submit, same
    void spool_rest(batch& b);                           // same, but only what has no attempt
    void refused(record& r, rd_kafka_resp_err_t error);  // its attempt ended in produce()
    // Any thread: how many brokers the answer to the drain's probe named; 0: no answer.
    void probed(std::uint32_t brokers);

    // Main thread. Waits for reports until `soft`, then fails all attempts; the thread ends when
    // everything is settled, at `hard` at the latest.
    void stop(clock::time_point soft, clock::time_point hard);
    // After stop() and the spool's end: settles what was still under way.
    void finish();

    const delivery_figures& figures() const { return figures_; }
    delivery_figures& figures() { return figures_; }

private:
    struct spool_job final : append_job {
        explicit spool_job(delivery& d) : home(d) {}
        void synced(bool ok) noexcept override;
        delivery& home;
        std::vector<record*> list;
        std::size_t bytes = 0;
        bool bound = false;  // all have an attempt outstanding
    };
    enum class note_kind : std::uint8_t {
        expire,
        spool_all,
        spool_rest,
        hand_back,
        refused,
        spooled,
        probe
    };
    struct note {
        note_kind kind;
        bool ok = false;
        rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
        batch* about = nullptr;
        record* one = nullptr;
        spool_job* job = nullptr;
        std::uint32_t brokers = 0;
    };

    void run();
    void add(const note& n, bool wake = true);
    void collect_events(clock::time_point now);
    void on_event(rd_kafka_event_t* event, clock::time_point now);
    void on_reports(rd_kafka_event_t* event, clock::time_point now);
    void on_report(record& r, rd_kafka_resp_err_t error);
    void attempt_failed(record& r, rd_kafka_resp_err_t error, bool local);
    void topic_refused(const topic& to, rd_kafka_resp_err_t error, clock::time_point now);
    void on_probe(std::uint32_t brokers, clock::time_point now);
    void on_error(
        rd_kafka_resp_err_t error, bool fatal, const std::string& text, clock::time_point now
    );
    void take_notes(clock::time_point now);
    void on_note(const note& n, clock::time_point now);
    void on_spooled(spool_job& job, bool ok);
    void to_spool(record& r);
    void flush_jobs();
    void flush_job(std::unique_ptr<spool_job>& open);
    bool send_again(record& r, producer& by, std::uint8_t extra);
    void decide(record& r, fate f);
    void drop(batch& b);
    void push_completions();
    void tick(clock::time_point now);
    bool stop_round(clock::time_point now);

    const config::kafka_settings& settings_;
    producer_pool& pool_;
    spool& spool_;
    supervisor& supervisor_;
    drain_reports& drain_;
    room& live_;
    room& spooling_;
    delivery_figures figures_;

    std::mutex mutex_;  // guards notes_
    std::vector<note> notes_;
    std::vector<note> taken_;
    std::vector<std::pair<completions*, batch*>> back_;
    std::unique_ptr<spool_job> open_plain_, open_bound_;
    std::unordered_map<spool_job*, std::unique_ptr<spool_job>> jobs_;  // appended, not synced
    std::vector<const rd_kafka_message_t*> messages_;
    std::vector<topic_load> loads_;
    clock::time_point next_tick_{}, next_purge_{}, next_try_{};
    replace_pause replacing_;
    std::vector<producer*> active_;
    bool more_ = false;  // events are left to read
    bool grew_ = false;

    std::atomic<bool> stopping_{false};
    clock::time_point stop_soft_{}, stop_hard_{};  // written before stopping_
    std::thread thread_;
};

}  // namespace headrace::kafka
