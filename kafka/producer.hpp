#pragma once
// One librdkafka producer, and the pool of those in use. Private to kafka/.
//
// Threads: produce() any; everything else as said at each member. Reports, errors and statistics
// are events on each instance's queue; an event makes the pool's wake-up descriptor readable.
// Values are not copied: their owner keeps them until the report with the opaque pointer arrives.
#include "kafka/client_handles.hpp"
#include "kafka/librdkafka_conf.hpp"
#include "kafka/record.hpp"
#include "kafka/supervisor.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace headrace::kafka {

// Counts the destructions under way. A client with a broker that does not answer may take long to
// go, so each goes on a thread of its own that nobody has to wait for.
class background {
public:
    void add();
    void done();
    // False: some are still running at `deadline`; they hold what they need.
    bool wait_until(std::chrono::steady_clock::time_point deadline);

private:
    std::mutex mutex_;
    std::condition_variable idle_;
    std::uint32_t running_ = 0;
};

class producer;

// A topic as one producer uses it; the opaque pointer of its librdkafka handle.
struct opened_topic {
    producer* by = nullptr;
    const topic* to = nullptr;
    rd_kafka_topic_t* handle = nullptr;
    std::atomic<std::int64_t> sent{0};  // records queued
    std::int64_t reported = 0;          // reports seen; delivery thread
};

class producer {
public:
    // `wake`: an eventfd that outlives destroy(), or -1.
    producer(client_ptr client, std::shared_ptr<client_log> log, int wake);

    // Queues one record; `opaque` comes back with its report. With `copy` the value is copied, else
    // it must stay until then. Never blocks. Not NO_ERROR: nothing was queued, no report comes.
    rd_kafka_resp_err_t produce(
        const topic& to,
        std::string_view key,
        std::string_view value,
        std::span<const header> headers,
        void* opaque,
        bool copy
    ) noexcept;

    rd_kafka_t* client() const { return client_.get(); }
    // Null after destroy().
    rd_kafka_queue_t* events() const { return events_.get(); }

    // Delivery thread: adds what is without a report, per topic.
    void add_loads(std::vector<topic_load>& to) const;

    // Gives the client to a thread that destroys it. No produce() is running or follows.
    void destroy(std::shared_ptr<background> where);
    // After destroy(): the same object with a fresh client. Counts go on, topics are kept.
    void start_again(client_ptr client);

    std::atomic<std::int64_t> sent{0};   // records queued
    std::int64_t reported = 0;           // reports seen; delivery thread
    std::atomic<std::int32_t> users{0};  // threads between acquire() and release()

private:
    opened_topic* topic_for(const topic& to) noexcept;
    opened_topic* open_topic(const topic& to) noexcept;

    static constexpr std::size_t cached_topics = 256;

    const int wake_;
    std::shared_ptr<client_log> log_;
    client_ptr client_;
    queue_ptr events_;
    std::array<std::atomic<opened_topic*>, cached_topics> topics_{};
    mutable std::mutex mutex_;  // guards what follows; entries stay until the producer ends
    std::unordered_map<std::uint16_t, opened_topic> opened_;
};

class producer_pool {
public:
    // Throws std::runtime_error when the settings allow no client at all.
    producer_pool(
        const config::kafka_settings& settings,
        std::uint64_t memory,
        log_function log,
        std::vector<std::string>& warnings
    );
    ~producer_pool();

    std::size_t size() const { return slots_.size(); }
    // Any thread: ends the delivery thread's wait.
    void wake() const noexcept;

    // Any thread. The producer stays usable until release(), which adds what was queued.
    producer& acquire(std::size_t slot) noexcept { return acquire_from(slots_[slot]); }
    // The one that sends each record in a request of its own; made at the first call. Where it
    // cannot be set up, an ordinary one.
    producer& acquire_alone() noexcept;
    static void release(producer& p, std::int64_t queued) noexcept {
        p.sent.fetch_add(queued, std::memory_order_relaxed);
        p.users.fetch_sub(1, std::memory_order_release);
    }

    // The rest: delivery thread only (or after it ended).

    // Waits until there may be events or wake() was called, at most so long.
    void wait(std::chrono::milliseconds limit) const noexcept;
    // The instances that may have events, those with a fatal error included.
    void active(std::vector<producer*>& to) const;
    // Puts a fresh producer in the place of each one with a fatal error. Returns the reasons.
    std::vector<std::string> replace_fatal();
    // Destroys replaced producers whose last report is in.
    void collect_retired();
    // Some thread is between acquire() and release().
    bool in_use() const;
    // Producers in use, retired or to be used again.
    std::size_t kept() const;
    std::int64_t outstanding() const;
    // The same per topic; one entry for each that was ever used.
    void loads(std::vector<topic_load>& to) const;
    std::int64_t sent_total() const;
    // Fails everything queued and in flight; the reports follow.
    void purge();
    // Destroys all but those in use; false: some are left to their threads.
    bool shut_down(std::chrono::steady_clock::time_point deadline);

    std::uint64_t queue_messages_max() const { return queue_messages_max_; }
    std::uint64_t queue_bytes_max() const { return queue_bytes_max_; }
    std::uint64_t message_max() const { return message_max_; }

private:
    client_ptr make(bool alone, std::vector<std::string>& warnings, std::string& error);
    static producer& acquire_from(std::atomic<producer*>& slot) noexcept;
    producer& keep(client_ptr made);
    bool replace(std::atomic<producer*>& slot, bool alone, std::string& why);

    config::kafka_settings settings_;
    std::uint64_t memory_;
    std::shared_ptr<client_log> log_;
    std::shared_ptr<background> background_ = std::make_shared<background>();
    const int wake_;                              // eventfd
    mutable std::mutex mutex_;                    // guards all_ and the making of alone_
    std::vector<std::unique_ptr<producer>> all_;  // addresses stay valid until the pool ends
    std::vector<std::atomic<producer*>> slots_;
    std::atomic<producer*> alone_{nullptr};
    std::vector<producer*> retired_;
    std::uint64_t queue_messages_max_ = 0, queue_bytes_max_ = 0, message_max_ = 0;
};

}  // namespace headrace::kafka
