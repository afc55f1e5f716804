#include "ingest/reject.hpp"

#include "tests/support/catch.hpp"

#include <set>
#include <string>

using namespace headrace::ingest;

TEST_CASE("Every reason has a status, a unique label and a text") {
    std::set<std::string> labels;
    for (std::size_t i = 0; i < static_cast<std::size_t>(reason::count_); ++i) {
        const reject_info& info = describe(static_cast<reason>(i));
        INFO(i);
        CHECK(info.status >= 400);
        CHECK(info.status < 600);
        CHECK(!info.text.empty());
        CHECK(labels.insert(std::string(info.label)).second);
    }
}

TEST_CASE("Statuses and texts are the contract's") {
    struct row {
        reason why;
        int status;
        const char* detail;
        const char* text;
    };
    const row rows[] = {
        {reason::bad_query, 400, "x", "Failed to deserialize query string: x"},
        {reason::bad_encoding, 400, "x", "failed to decode request: x"},
        {reason::bad_json, 400, "x", "failed to parse request: x"},
        {reason::hydration,
         400,
         "",
         "failed to hydrate events from request: non-engage request missing event name attribute"},
        {reason::empty_batch, 400, "", "request holds no event"},
        {reason::empty_payload, 400, "", "request missing data payload"},
        {reason::no_event_name, 400, "", "event submitted with an empty event name"},
        {reason::no_distinct_id, 400, "", "event submitted without a distinct_id"},
        {reason::invalid_cookieless_mode, 400, "", "event submitted with invalid cookieless mode"},
        {reason::no_token, 401, "", "event submitted without an api_key"},
        {reason::multiple_tokens, 401, "", "batch submitted with inconsistent api_key values"},
        {reason::invalid_token, 401, "empty", "API key is not valid: empty"},
        {reason::body_timeout, 408, "", "client stopped sending data"},
        {reason::body_too_big, 413, "x", "maximum event size exceeded: x"},
        {reason::inflated_too_big, 413, "x", "maximum event size exceeded: x"},
        {reason::event_too_big, 413, "x", "maximum event size exceeded: x"},
        {reason::ai_event_too_big, 413, "x", "maximum event size exceeded: x"},
        {reason::broken_body, 400, "x", "failed to decode request: Error reading request body: x"},
        {reason::too_many_events, 413, "x", "maximum event size exceeded: x"},
        {reason::unavailable, 503, "", "transient error, please retry"},
        {reason::no_memory, 503, "", "transient error, please retry"},
        {reason::invalid_event, 400, "x", "failed to parse request: x"},
    };
    for (const row& r : rows) {
        const reject made{r.why, r.detail};
        CHECK(made.status() == r.status);
        CHECK(made.text() == r.text);
    }
}
