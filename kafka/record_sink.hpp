#pragma once
// Where a worker hands its batches: Kafka with the spool behind it, or the spool alone
// (standalone). Interface only, free of any client library's types. Implementations:
// kafka/kafka_sink.hpp, kafka/spool_sink.hpp. Built by server/app alone.
#include <chrono>
#include <cstddef>
#include <string>

#include "kafka/record.hpp"

namespace headrace::kafka {

// Can a 200 be honest right now, and why not. For readiness (D22) and the admin JSON.
struct sink_health {
    bool kafka_configured = false;
    bool kafka_ok = false;           // at least one broker up and records progress
    bool spool_ok = false;           // the spool accepts and syncs
    std::string reason;              // plain sentence when something is not ok, else empty
    bool honest_200_possible() const { return kafka_ok || spool_ok; }
};

struct sink_stats {
    std::uint64_t produced = 0, acked = 0, produce_errors = 0, spooled = 0, shipped = 0;
    std::uint64_t queue_messages = 0, queue_bytes = 0, queue_messages_max = 0, queue_bytes_max = 0;
    std::uint64_t spool_events = 0, spool_bytes = 0, spool_max_bytes = 0;
    std::uint64_t dead_letters_stored = 0;
    double spool_oldest_seconds = 0;
    std::uint32_t brokers_up = 0, brokers_known = 0;
};

class record_sink {
public:
    virtual ~record_sink() = default;

    // Worker threads; never blocks on I/O. False: no room for so many records and bytes, nothing
    // was taken, answer 503 (D1: room for the whole request before its first record).
    virtual bool submit(batch&) noexcept = 0;

    // Worker threads: the ack deadline has passed (D21); whatever is still pending goes to the
    // spool. The batch comes back through its completions as usual. At most once per batch.
    virtual void expire(batch&) noexcept = 0;

    // Largest record (key + value + headers, bytes) that this sink can take.
    virtual std::size_t record_bytes_max() const noexcept = 0;

    virtual sink_health health() const = 0;   // any thread
    virtual sink_stats stats() const = 0;     // any thread

    // Main thread, after the last submit(). Everything undecided is acked or spooled, the spool is
    // synced, threads are joined. Returns the number of records whose fate is neither by `deadline`.
    virtual std::size_t stop(std::chrono::steady_clock::time_point deadline) = 0;
};

}  // namespace headrace::kafka
