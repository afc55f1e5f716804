#pragma once
// From a complete request to records: decode, parse, token, events, envelopes, dead letters. The
// stages in the order of http-v0.md 4.3. One pipeline per worker thread; not thread-safe, no I/O,
// no clock: `now` comes with the request. Steady state: no heap allocation for valid plain events.
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "config/settings.hpp"
#include "ingest/reject.hpp"
#include "ingest/request.hpp"
#include "kafka/record.hpp"
#include "kafka/topics.hpp"

namespace headrace::ingest {

// The lanes that events are routed to (kafka-ops.md 1.1-1.3), interned once at start.
struct lanes {
    const kafka::topic* analytics_main;
    const kafka::topic* analytics_overflow;
    const kafka::topic* analytics_historical;
    const kafka::topic* heatmaps;
    const kafka::topic* client_warnings;
    const kafka::topic* error_tracking;
    const kafka::topic* dlq;
    const kafka::topic* ai_main;
    const kafka::topic* ai_overflow;      // may be null
    const kafka::topic* dead_letters;
};
lanes intern_lanes(kafka::topic_table&, const config::topic_settings&);

// Events dropped with a 200 on purpose, by cause (D19 `dropped(reason)`).
// dead_letter_refused: Kafka took neither the record nor its dead letter.
enum class drop_cause : std::uint8_t {
    performance_event,
    dead_letter_cap,
    dead_letter_refused,
    black_hole,
    count_
};
std::string_view label(drop_cause);

// Counts of one request, in client events. received = to_write + dropped + refused + dead_lettered
// once the answer is decided (D19).
struct event_counts {
    std::uint32_t received = 0;       // client events of a parsed request
    std::uint32_t to_write = 0;       // have records of kind `event` in the batch
    std::uint32_t dead_lettered = 0;  // have records of kind `dead_letter` in the batch, answer is a success
    std::array<std::uint32_t, static_cast<std::size_t>(drop_cause::count_)> dropped{};
    std::array<std::uint32_t, static_cast<std::size_t>(reason::count_)> refused{};
    std::uint32_t historical_rerouted = 0;
    std::uint32_t heatmaps_split = 0;
};

struct outcome {
    reply answer;             // what to send once the batch is decided well (or at once, see below)
    bool refused = false;     // answer is an error; `why` says which. Records may be dead letters only.
    reason why = reason::bad_json;
    event_counts counts;
    std::size_t decoded_bytes = 0;   // JSON text size after decompression, for metrics
    // Submit the batch if it has records; answer when it is decided. No records: answer at once.
};

class pipeline {
public:
    // `record_bytes_max`: largest key + value + headers the sink takes.
    pipeline(const config::settings&, const lanes&, std::size_t record_bytes_max);
    ~pipeline();
    pipeline(const pipeline&) = delete;
    pipeline& operator=(const pipeline&) = delete;

    // Fills `out` (empty on entry) and says what to answer.
    outcome process(request&, kafka::batch& out);

    // The broker refused `large` for its size although process() had let it pass: adds its dead
    // letter (raw: the record's value) to `out`. Of `where` path, ip, request_id and now are read.
    // False: over a cap.
    bool letter_for(const kafka::record& large, const request& where, kafka::batch& out);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace headrace::ingest
