#pragma once
// Response heads as bytes: status line, CORS and other headers of http-v0.md 1.3 and section 4.
// Appends to a string that the caller reuses; no allocation once it has grown.
#include <cstdint>
#include <string>
#include <string_view>

#include "server/head_parser.hpp"

namespace headrace::server {

// Headers that depend on the request alone: CORS and X-Request-Id. Copied while the request's
// buffer is still there, used when the answer is known.
void append_request_headers(std::string& out, const request_head&, std::string_view request_id);

struct response {
    unsigned status = 200;
    std::string_view content_type;          // empty: none
    std::string_view body;
    std::string_view extra;                 // complete header lines, each ended by CRLF
    bool close = false;
    bool http10_keep_alive = false;
    bool head_only = false;                 // HEAD: Content-Length of the body, without it
};

void append_response(
    std::string& out, const response&, std::string_view request_headers, std::string_view date
);

std::string_view reason_phrase(unsigned status);

// "Sat, 21 Nov 2026 13:31:18 GMT"
std::string http_date(std::int64_t unix_seconds);

// Request id to use: the incoming one if it is at most 64 visible ASCII characters (D24).
bool usable_request_id(std::string_view);

}  // namespace headrace::server
