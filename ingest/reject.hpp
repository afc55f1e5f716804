#pragma once
// Why a request or a single event is not accepted: one table from reason to status, fixed text and
// metric label. Statuses and texts: http-v0.md 4.2; order of checks: 4.3.
#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::ingest {

enum class reason : std::uint8_t {
    bad_query,              // 400 "Failed to deserialize query string: ..."
    bad_encoding,           // 400 "failed to decode request: ..."
    bad_json,               // 400 "failed to parse request: ..."
    hydration,              // 400 non-engage request missing event name attribute
    empty_batch,            // 400
    empty_payload,          // 400
    no_event_name,          // 400 "event submitted with an empty event name"
    no_distinct_id,         // 400
    invalid_cookieless_mode,// 400
    no_token,               // 401
    multiple_tokens,        // 401
    invalid_token,          // 401 "API key is not valid: ..."
    body_timeout,           // 408
    body_too_big,           // 413 wire limit
    inflated_too_big,       // 413
    event_too_big,          // 413 one record over the sink's limit
    ai_event_too_big,       // 413
    broken_body,            // 400 "failed to decode request: Error reading request body: ..."
    too_many_events,        // 413 our own cap on events per request
    no_memory,              // 503
    unavailable,            // 503 "transient error, please retry"
    invalid_event,          // salvage: one event of the batch has a wrong shape (400 when alone)
    count_                  // number of reasons
};

struct reject_info {
    std::uint16_t status;
    std::string_view label;     // metric label `cause` and dead-letter `reason`
    std::string_view text;      // complete body, or the prefix to which a detail is appended
};

const reject_info& describe(reason);

// A refusal with its detail (appended to the table's text).
struct reject {
    ingest::reason reason = reason::bad_json;
    std::string detail;
    std::string text() const;   // the response body
    std::uint16_t status() const { return describe(reason).status; }
};

}  // namespace headrace::ingest
