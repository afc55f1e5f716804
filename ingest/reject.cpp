#include "ingest/reject.hpp"

#include <array>

namespace headrace::ingest {
namespace {

// In the order of `reason`. A text that ends with ": " is a prefix.
constexpr std::array<reject_info, static_cast<std::size_t>(reason::count_)> table{{
    {400, "bad_query", "Failed to deserialize query string: "},
    {400, "bad_encoding", "failed to decode request: "},
    {400, "bad_json", "failed to parse request: "},
    {400,
     "missing_event_name",
     "failed to hydrate events from request: non-engage request missing event name attribute"},
    {400, "empty_batch", "request holds no event"},
    {400, "empty_payload", "request missing data payload"},
    {400, "no_event_name", "event submitted with an empty event name"},
    {400, "no_distinct_id", "event submitted without a distinct_id"},
    {400, "invalid_cookieless_mode", "event submitted with invalid cookieless mode"},
    {401, "no_token", "event submitted without an api_key"},
    {401, "multiple_tokens", "batch submitted with inconsistent api_key values"},
    {401, "invalid_token", "API key is not valid: "},
    {408, "body_timeout", "client stopped sending data"},
    {413, "body_too_big", "maximum event size exceeded: "},
    {413, "inflated_too_big", "maximum event size exceeded: "},
    {413, "event_too_big", "maximum event size exceeded: "},
    {413, "ai_event_too_big", "maximum event size exceeded: "},
    {400, "broken_body", "failed to decode request: Error reading request body: "},
    {413, "too_many_events", "maximum event size exceeded: "},
    {503, "no_memory", "transient error, please retry"},
    {503, "unavailable", "transient error, please retry"},
    {400, "invalid_event", "failed to parse request: "},
}};

}  // namespace

const reject_info& describe(reason r) { return table[static_cast<std::size_t>(r)]; }

std::string reject::text() const {
    std::string out(describe(reason).text);
    out += detail;
    return out;
}

}  // namespace headrace::ingest
