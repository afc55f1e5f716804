#pragma once
// One worker: a thread with its own event loop, connections, parser, buffers, batches and counters.
// Workers share nothing mutable on the request path (design.md section 4). Everything here runs on
// the worker's thread unless its comment says otherwise.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>

#include "config/settings.hpp"
#include "ingest/client_ip.hpp"
#include "ingest/pipeline.hpp"
#include "ingest/uuid.hpp"
#include "kafka/record_sink.hpp"
#include "server/buffers.hpp"
#include "server/health.hpp"
#include "server/metrics.hpp"

namespace headrace::server {

class session;
using session_ptr = boost::intrusive_ptr<session>;
using steady = std::chrono::steady_clock;

// 503 with the contract's text.
ingest::reply unavailable_reply();

// What all workers read and nobody changes after start.
struct shared_state {
    const config::settings& settings;
    const ingest::lanes& lanes;
    const ingest::ip_resolver& ips;
    kafka::record_sink& sink;
    memory_budget& memory;
    server::health& health;
    std::function<std::string()> metrics_text;   // for EXPORT_PROMETHEUS; called by one worker at a time
};

// A request whose records are with the sink. Pooled; refers to its session until answered.
struct flight : boost::intrusive::list_base_hook<> {
    kafka::batch batch;
    session_ptr requester;               // null once answered
    ingest::outcome result;
    steady::time_point started;          // last body byte
    std::uint64_t charged = 0;           // bytes of the memory lease
    std::size_t index = 0;               // in worker::flights_
    bool expired = false;                // handed to the spool for lateness
    bool counted = false;                // its fate is in the metrics
};

// Deadlines of one constant length each: a FIFO per kind, so only the front is ever looked at.
enum class wait_kind : std::uint8_t { idle, park, head, body, discard, linger, write, count_ };

class worker final : public kafka::completions {
public:
    worker(const shared_state&, std::size_t index);
    ~worker() override;

    // Own thread: until stop() and the last connection.
    void run();

    // Acceptor thread: takes over a connected, non-blocking descriptor.
    struct connection {
        int descriptor = -1;
        bool tcp = true;
        bool proxy_protocol = false;
        std::optional<ingest::ip_address> peer;
    };
    void adopt(connection);
    std::uint32_t connections() const { return open_.load(std::memory_order_relaxed); }

    // Any thread: batches whose answers may go out, or whose memory is free again.
    void push(kafka::batch* first) noexcept override;

    // Any thread: `reply` is called on this worker's thread with its counters.
    void snapshot(std::function<void(const worker_metrics&)> reply);

    // Any thread: answer what is in flight with Connection: close, close what is idle.
    void drain();
    // Any thread: leave run() now.
    void stop();
    // Requests not answered yet; any thread, for the drain's progress.
    std::uint32_t unanswered() const { return unanswered_.load(std::memory_order_relaxed); }

    // --- for sessions ---
    const shared_state& shared() const { return shared_; }
    const config::settings& settings() const { return shared_.settings; }
    boost::asio::io_context& context() { return context_; }
    buffer_pool& buffers() { return buffers_; }
    memory_lease& memory() { return memory_; }
    ingest::pipeline& pipeline() { return pipeline_; }
    worker_metrics& metrics() { return metrics_; }
    ingest::random_source& random() { return random_; }
    bool draining() const { return draining_; }
    std::string_view date() const { return date_; }
    std::string& scratch() { return scratch_; }

    flight* take_flight();
    void recycle(flight*);
    // Hands the flight's batch to the sink; false: no room, nothing was taken.
    bool launch(flight*);

    void wait(session&, wait_kind);      // (re)arms the session's only deadline
    void forget(session&);               // disarms it
    void opened(session&);
    void closed(session&);

private:
    struct waiters;

    void tick();
    void check_flights(steady::time_point now);
    void check_deadlines(steady::time_point now);
    void collect();                      // what push() queued

    // worker_fates.cpp: what the sink decided
    enum class fates : std::uint8_t { good, some_too_large, undecided };
    void land(flight*);                  // count, answer
    void count_fates(flight&, fates);
    void refuse_too_large(flight&, session_ptr, std::uint32_t count, bool all);
    std::chrono::milliseconds length_of(wait_kind) const;

    const shared_state& shared_;
    const std::size_t index_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    boost::asio::steady_timer ticker_;
    memory_lease memory_;
    buffer_pool buffers_;
    ingest::pipeline pipeline_;
    ingest::random_source random_;
    worker_metrics metrics_;
    std::unique_ptr<waiters> waiters_;
    std::vector<std::unique_ptr<flight>> flights_;  // all
    boost::intrusive::list<flight> in_flight_;      // by start of the request
    std::vector<flight*> free_flights_;
    std::size_t kept_bytes_ = 0;                    // arenas of free flights
    std::string date_;
    std::int64_t date_second_ = 0;
    std::string scratch_;
    bool draining_ = false;

    std::mutex completed_mutex_;
    kafka::batch* completed_ = nullptr;
    std::atomic<std::uint32_t> open_{0}, unanswered_{0};
};

}  // namespace headrace::server
