#include "server/response.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace headrace::server {

void append_request_headers(
    std::string& out, const request_head& head, std::string_view request_id
) {
    out.append(
        "vary: origin, access-control-request-method, access-control-request-headers\r\n"
        "access-control-allow-credentials: true\r\n"
    );
    if (!head.origin.empty()) {
        out.append("access-control-allow-origin: ").append(head.origin).append("\r\n");
    }
    if (head.method == boost::beast::http::verb::options) {
        out.append("access-control-allow-methods: GET,POST,OPTIONS\r\n");
        if (!head.request_headers.empty()) {
            out.append("access-control-allow-headers: ").append(head.request_headers).append("\r\n");
        }
    }
    out.append("x-request-id: ").append(request_id).append("\r\n");
}

void append_response(
    std::string& out, const response& r, std::string_view request_headers, std::string_view date
) {
    out.append("HTTP/1.1 ");
    const char digits[] = {
        static_cast<char>('0' + r.status / 100),
        static_cast<char>('0' + r.status / 10 % 10),
        static_cast<char>('0' + r.status % 10),
        ' '};
    out.append(digits, 4).append(reason_phrase(r.status)).append("\r\n");
    if (!r.content_type.empty()) out.append("content-type: ").append(r.content_type).append("\r\n");
    if (r.status != 204) {
        fmt::format_to(std::back_inserter(out), "content-length: {}\r\n", r.body.size());
    }
    out.append(request_headers).append(r.extra);
    if (r.close) {
        out.append("connection: close\r\n");
    } else if (r.http10_keep_alive) {
        out.append("connection: keep-alive\r\n");
    }
    out.append("date: ").append(date).append("\r\n\r\n");
    if (!r.head_only) out.append(r.body);
}

std::string_view reason_phrase(unsigned status) {
    switch (status) {
        case 200: return "OK";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 413: return "Payload Too Large";
        case 414: return "URI Too Long";
        case 417: return "Expectation Failed";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 503: return "Service Unavailable";
        case 505: return "HTTP Version Not Supported";
        default: return "Status";
    }
}

std::string http_date(std::int64_t unix_seconds) {
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t t = unix_seconds;
    std::tm tm{};
    gmtime_r(&t, &tm);
    return fmt::format(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
        tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec
    );
}

bool usable_request_id(std::string_view id) {
    return !id.empty() && id.size() <= 64 &&
           std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace headrace::server
