#pragma once
// Times as http-v0.md 5.4 and 5.1 want them. Pure functions on nanoseconds since the epoch (UTC).
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace headrace::ingest {

// Wide enough for years 0..9999 in nanoseconds: seconds and nanoseconds apart.
struct instant {
    std::int64_t seconds = 0;      // since the epoch, floor
    std::int32_t nanoseconds = 0;  // 0..999,999,999
    auto operator<=>(const instant&) const = default;
};
instant from_ns(std::int64_t ns);
instant from_ms(std::int64_t ms);
std::int64_t floor_ms(instant);

struct sent_at_time {
    instant at;
    std::int32_t offset_seconds = 0;  // the client's own offset, kept when rendered
};

// Batch `sent_at` string: ISO-8601 date-time with an offset (5.4's table), else nothing.
std::optional<sent_at_time> parse_sent_at(std::string_view);
// Query `_` / `sent_at` in milliseconds; used only if the UTC year is > 2020 and in range.
std::optional<sent_at_time> sent_at_from_ms(std::int64_t ms);

// Event `timestamp` string: 5.4 "Parsing timestamp" (a)-(d), dateparser's list included.
// `now` is needed by the forms without a date or without a time of day.
// A leap second (:60) is the first instant of the next minute. No allocation; the plain
// RFC 3339 forms take the short way, text over loose_time_max bytes is never a loose form.
std::optional<instant> parse_timestamp(std::string_view, instant now);

// Steps 1-7 of 5.4. An offset that would leave the years -262143..262142 counts as absent
// (http-v0.md 8 and 10.5).
instant event_time(
    instant now,
    std::optional<std::string_view> timestamp,
    const std::optional<sent_at_time>& sent_at,
    bool ignore_sent_at,
    std::optional<std::int64_t> offset_ms
);

// Writes RFC 3339 text, returns its length; `out` has room for 40 bytes. Instants outside the
// years 0000..9999 are rendered as the nearest one inside.
std::size_t render_utc(instant, char* out);  // Z, 0/3/6/9 fraction digits
std::size_t render_sent_at(
    const sent_at_time&, char* out
);                                              // client's offset, trailing zeros trimmed
std::size_t render_millis(instant, char* out);  // Z, exactly 3 fraction digits

}  // namespace headrace::ingest
