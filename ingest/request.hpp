#pragma once
// One HTTP request as ingestion sees it: views and numbers, nothing of the HTTP library.
// Built by server/session on the worker thread; all views live until pipeline::process returns.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::ingest {

// Bytes that must be readable after every JSON text handed to the parser (simdjson's padding).
constexpr std::size_t json_padding = 64;

// Matched analytics route (http-v0.md 1.1). The route changes only the second base64 unwrap
// (legacy), the engage fallback, and metric labels.
enum class route : std::uint8_t { i_v0_e, batch, e, capture, track, engage, ai_batch, black_hole };

constexpr bool is_legacy(route r) {
    return r == route::e || r == route::capture || r == route::track || r == route::engage;
}

// Nanoseconds since 1970-01-01T00:00:00Z, UTC. Taken once per request.
using wall_ns = std::int64_t;

struct request {
    ingest::route route = route::i_v0_e;
    std::string_view path;               // as received, for dead letters and logs
    std::string_view query;              // after '?', still encoded; empty if none
    std::string_view content_type;       // exact header value, empty if absent
    std::string_view content_encoding;   // exact header value, empty if absent
    std::string_view request_id;         // D24, always set
    std::string_view ip;                 // client address, rendered canonically, privacy applied
    char* body = nullptr;                // may be rewritten in place; json_padding bytes readable after it
    std::size_t body_size = 0;
    wall_ns now = 0;
};

// What to send back. Successful bodies are constants; error texts are built.
struct reply {
    std::uint16_t status = 200;
    bool json = true;                    // application/json, else text/plain; charset=utf-8
    bool retry_after = false;            // 503: the server adds Retry-After with jitter
    std::string body;                    // empty with 204
};

}  // namespace headrace::ingest
