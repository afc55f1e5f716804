#pragma once
// One event to its one or two records: checks of http-v0.md 4.3's last part, computed values
// (section 5), special names and the heatmap split (5.5). One per pipeline.
#include "config/settings.hpp"
#include "ingest/classify.hpp"
#include "ingest/envelope.hpp"
#include "ingest/event.hpp"
#include "ingest/reject.hpp"
#include "ingest/timestamp.hpp"
#include "kafka/record.hpp"

#include <optional>
#include <string>

namespace headrace::ingest {

// What all events of a request share.
struct event_context {
    request_facts facts;
    instant now;
    std::optional<sent_at_time> sent_at;
    bool historical_migration = false;
};

struct written {
    std::optional<reject> refused;  // then no record was added
    bool sink_limit = false;        // refused for its size, which is checked last (4.3)
    bool rerouted = false;          // historical by age
    bool split = false;             // a companion record follows
};

class event_writer {
public:
    event_writer(const config::ingest_settings&, const lanes&, std::size_t record_bytes_max);

    written write(const raw_event&, std::uint32_t index, const event_context&, kafka::batch&);

private:
    // The name, the ids and the flags of the event as the client sent it.
    std::optional<reject> resolve(const raw_event&, const event_context&, kafka::arena&, envelope&);
    bool
    companion(const raw_event&, const envelope& original, std::uint32_t index, const event_context&, kafka::batch&);
    std::optional<reject> check_size(const kafka::record&, const envelope&, std::string_view data);
    instant time_of(const raw_event&, const event_context&, bool ignore_sent_at);

    const config::ingest_settings& settings_;
    const lanes& lanes_;
    std::size_t record_bytes_max_;
    envelope_writer writer_;
    random_source random_;
    std::string scratch_, properties_, companion_properties_, companion_id_;
};

}  // namespace headrace::ingest
