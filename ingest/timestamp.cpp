#include "ingest/timestamp.hpp"

#include "ingest/civil.hpp"
#include "ingest/loose_time.hpp"

#include <array>
#include <cstring>

namespace headrace::ingest {
namespace {

constexpr std::int32_t ns_per_second = 1'000'000'000;
constexpr std::string_view minus_sign = "\xE2\x88\x92";  // U+2212, which RFC 3339 parsers allow

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Two digits at `p`; `bad` collects errors of all fields, so that there is one branch at the end.
int two_digits(const char* p, unsigned& bad) {
    const unsigned high = static_cast<unsigned char>(p[0]) - unsigned{'0'};
    const unsigned low = static_cast<unsigned char>(p[1]) - unsigned{'0'};
    bad |= static_cast<unsigned>(high > 9) | static_cast<unsigned>(low > 9);
    return static_cast<int>(high * 10 + low);
}

// Fraction digits from `at` on: nine count, the others are skipped. No digit is an error.
bool take_fraction(std::string_view text, std::size_t& at, int& nanoseconds) {
    const std::size_t start = at;
    std::int32_t value = 0;
    std::int32_t unit = ns_per_second;
    for (; at < text.size() && is_digit(text[at]); ++at) {
        if (unit > 1) {
            unit /= 10;
            value += (text[at] - '0') * unit;
        }
    }
    nanoseconds = value;
    return at != start;
}

// A sign, two digits of hours, `:` (needed, or allowed), two digits of minutes; at the text's end.
std::optional<std::int32_t> offset_seconds(std::string_view text, bool need_colon) {
    bool negative = false;
    if (text.starts_with(minus_sign)) {
        negative = true;
        text.remove_prefix(minus_sign.size());
    } else if (text.starts_with('+') || text.starts_with('-')) {
        negative = text[0] == '-';
        text.remove_prefix(1);
    } else {
        return std::nullopt;
    }
    const bool colon = text.size() == 5 && text[2] == ':';
    if (!colon && (need_colon || text.size() != 4)) return std::nullopt;
    unsigned bad = 0;
    const int hours = two_digits(text.data(), bad);
    const int minutes = two_digits(text.data() + (colon ? 3 : 2), bad);
    if (bad != 0 || hours > 23 || minutes > 59) return std::nullopt;
    const std::int32_t seconds = hours * 3'600 + minutes * 60;
    return negative ? -seconds : seconds;
}

// RFC 3339 as chrono takes it: `T`, `t` or a space, `Z` or `z`, any number of fraction digits.
std::optional<instant> parse_rfc3339(std::string_view text) {
    if (text.size() < 20) return std::nullopt;
    const char* p = text.data();
    if (p[4] != '-' || p[7] != '-' || p[13] != ':' || p[16] != ':') return std::nullopt;
    if (p[10] != 'T' && p[10] != 't' && p[10] != ' ') return std::nullopt;
    unsigned bad = 0;
    civil_time t;
    t.year = two_digits(p, bad) * 100 + two_digits(p + 2, bad);
    t.month = two_digits(p + 5, bad);
    t.day = two_digits(p + 8, bad);
    t.hour = two_digits(p + 11, bad);
    t.minute = two_digits(p + 14, bad);
    t.second = two_digits(p + 17, bad);
    if (bad != 0) return std::nullopt;
    std::size_t at = 19;
    if (text[at] == '.' && !take_fraction(text, ++at, t.nanosecond)) return std::nullopt;
    const std::string_view zone = text.substr(at);
    if (zone == "Z" || zone == "z") return to_instant(t, 0);
    const auto offset = offset_seconds(zone, true);
    return offset ? to_instant(t, *offset) : std::nullopt;
}

// Step (a): YYYY-MM-DDTHH:MM:SS[.f{1,9}]±HH. Returns the text with `:00` appended in `buffer`,
// or the text itself.
std::string_view complete_offset(std::string_view text, char (&buffer)[40]) {
    const std::size_t n = text.size();
    if (n < 22 || n > 32 || n == 23 || text[10] != 'T') return text;
    if ((text[n - 3] != '+' && text[n - 3] != '-') || !is_digit(text[n - 2]) ||
        !is_digit(text[n - 1])) {
        return text;
    }
    if (n > 22 && text[19] != '.') return text;
    std::memcpy(buffer, text.data(), n);
    std::memcpy(buffer + n, ":00", 3);
    return {buffer, n + 3};
}

// ISO 8601 date-time in the extended or the basic spelling, one spelling per text.
struct iso_reader {
    std::string_view text;
    std::size_t at = 0;
    bool extended = false;

    bool number(std::size_t digits, int& out) {
        if (text.size() - at < digits) return false;
        out = 0;
        for (std::size_t i = 0; i < digits; ++i, ++at) {
            if (!is_digit(text[at])) return false;
            out = out * 10 + (text[at] - '0');
        }
        return true;
    }
    bool literal(char c) {
        if (at >= text.size() || text[at] != c) return false;
        ++at;
        return true;
    }
    bool separator(char c) { return !extended || literal(c); }
    std::size_t digits_ahead() const {
        std::size_t n = 0;
        while (at + n < text.size() && is_digit(text[at + n])) ++n;
        return n;
    }

    // YYYY-MM-DD, YYYY-DDD, YYYY-Www-D or the same without hyphens.
    bool date(civil_time& t) {
        int year = 0;
        if (!number(4, year)) return false;
        t.year = year;
        extended = literal('-');
        if (literal('W')) return week_date(t);
        if (digits_ahead() == 3) {
            int ordinal = 0;
            number(3, ordinal);
            if (ordinal < 1 || ordinal > (is_leap_year(year) ? 366 : 365)) return false;
            set_date(t, days_since_epoch(year, 1, 1) + ordinal - 1);
            return true;
        }
        return number(2, t.month) && separator('-') && number(2, t.day);
    }
    bool week_date(civil_time& t) {
        int week = 0;
        int weekday = 0;
        if (!number(2, week) || !separator('-') || !number(1, weekday)) return false;
        // Week 1 is the week of 4 January; 1970-01-01 was a Thursday.
        const auto first_monday = [](std::int64_t year) {
            const std::int64_t fourth = days_since_epoch(year, 1, 4);
            return fourth - ((fourth + 3) % 7 + 7) % 7;
        };
        const std::int64_t start = first_monday(t.year);
        const std::int64_t weeks = (first_monday(t.year + 1) - start) / 7;
        if (week < 1 || week > weeks || weekday < 1 || weekday > 7) return false;
        set_date(t, start + (week - 1) * 7 + weekday - 1);
        return true;
    }
    static void set_date(civil_time& t, std::int64_t days) {
        const civil_time date = date_of_days(days);
        t.year = date.year;
        t.month = date.month;
        t.day = date.day;
    }

    // HH:MM, HH:MM:SS, fraction behind the seconds only.
    bool time(civil_time& t) {
        if (!number(2, t.hour) || !separator(':') || !number(2, t.minute)) return false;
        const bool has_seconds = extended ? literal(':') : digits_ahead() != 0;
        if (!has_seconds) return true;
        if (!number(2, t.second) || t.second > 59) return false;
        if (literal('.') || literal(',')) return take_fraction(text, at, t.nanosecond);
        return true;
    }
};

// Step (d): civil date-time with T and no zone.
std::optional<instant> parse_civil(std::string_view text) {
    iso_reader in{text};
    civil_time t;
    if (!in.date(t) || !(in.literal('T') || in.literal('t')) || !in.time(t)) return std::nullopt;
    if (in.at != text.size()) return std::nullopt;
    return to_instant(t, 0);
}

constexpr std::array<std::array<char, 2>, 100> decimal_pairs = [] {
    std::array<std::array<char, 2>, 100> out{};
    for (std::size_t i = 0; i < 100; ++i) {
        out[i] = {static_cast<char>('0' + i / 10), static_cast<char>('0' + i % 10)};
    }
    return out;
}();

template <int digits>
char* put(char* out, int value) {
    auto rest = static_cast<unsigned>(value);
    int at = digits;
#pragma GCC unroll 4
    for (; at >= 2; at -= 2, rest /= 100) {
        std::memcpy(out + at - 2, decimal_pairs[rest % 100].data(), 2);
    }
    if (at == 1) out[0] = static_cast<char>('0' + rest);
    return out + digits;
}

char* put_fraction(char* out, int nanoseconds, int digits) {
    *out++ = '.';
    if (digits == 3) return put<3>(out, nanoseconds / 1'000'000);
    if (digits == 6) return put<6>(out, nanoseconds / 1'000);
    put<9>(out, nanoseconds);
    return out + digits;
}

// Date, `T`, time of day and `fraction` digits of `at`, without a zone.
char* put_date_time(char* out, instant at, int fraction) {
    const civil_time t = to_civil(at);
    out = put<4>(out, static_cast<int>(t.year));
    *out++ = '-';
    out = put<2>(out, t.month);
    *out++ = '-';
    out = put<2>(out, t.day);
    *out++ = 'T';
    out = put<2>(out, t.hour);
    *out++ = ':';
    out = put<2>(out, t.minute);
    *out++ = ':';
    out = put<2>(out, t.second);
    return fraction == 0 ? out : put_fraction(out, t.nanosecond, fraction);
}

constexpr std::int64_t first_second = days_since_epoch(0, 1, 1) * seconds_per_day;
constexpr std::int64_t last_second = days_since_epoch(10'000, 1, 1) * seconds_per_day - 1;

instant clamp_to_four_digits(instant at) {
    if (at.seconds < first_second) return {first_second, 0};
    if (at.seconds > last_second) return {last_second, ns_per_second - 1};
    return at;
}

instant add(instant a, std::int64_t seconds, std::int32_t nanoseconds) {
    instant out{a.seconds + seconds, a.nanoseconds + nanoseconds};
    if (out.nanoseconds >= ns_per_second) {
        out.nanoseconds -= ns_per_second;
        ++out.seconds;
    } else if (out.nanoseconds < 0) {
        out.nanoseconds += ns_per_second;
        --out.seconds;
    }
    return out;
}

// now - offset, if the result can be held.
std::optional<instant> minus_ms(instant now, std::int64_t offset_ms) {
    constexpr std::int64_t lowest = days_since_epoch(year_min, 1, 1) * seconds_per_day;
    constexpr std::int64_t highest = days_since_epoch(year_max + 1, 1, 1) * seconds_per_day - 1;
    const instant offset = from_ms(offset_ms);
    const instant out = add(now, -offset.seconds, -offset.nanoseconds);
    if (out.seconds < lowest || out.seconds > highest) return std::nullopt;
    return out;
}

}  // namespace

instant from_ns(std::int64_t ns) {
    const std::int64_t seconds = floor_div(ns, ns_per_second);
    const std::int64_t rest = ns % ns_per_second;
    return {seconds, static_cast<std::int32_t>(rest < 0 ? rest + ns_per_second : rest)};
}

instant from_ms(std::int64_t ms) {
    const std::int64_t seconds = floor_div(ms, 1'000);
    const std::int64_t rest = ms % 1'000;
    return {seconds, static_cast<std::int32_t>(rest < 0 ? rest + 1'000 : rest) * 1'000'000};
}

std::int64_t floor_ms(instant at) { return at.seconds * 1'000 + at.nanoseconds / 1'000'000; }

std::optional<sent_at_time> parse_sent_at(std::string_view text) {
    iso_reader in{text};
    civil_time t;
    if (!in.date(t) || !in.literal('T') || !in.time(t)) return std::nullopt;
    const std::string_view zone = text.substr(in.at);
    std::int32_t offset = 0;
    if (zone != "Z") {
        const auto parsed = offset_seconds(zone, false);
        if (!parsed || zone.starts_with(minus_sign)) return std::nullopt;
        if (!in.extended && zone.size() == 6) return std::nullopt;  // +02:00 behind a basic date
        offset = *parsed;
    }
    const auto at = to_instant(t, offset);
    if (!at) return std::nullopt;
    return sent_at_time{*at, offset};
}

std::optional<sent_at_time> sent_at_from_ms(std::int64_t ms) {
    constexpr std::int64_t first = days_since_epoch(2021, 1, 1) * seconds_per_day;
    const instant at = from_ms(ms);
    if (at.seconds < first || at.seconds > last_second) return std::nullopt;
    return sent_at_time{at, 0};
}

std::optional<instant> parse_timestamp(std::string_view text, instant now) {
    if (const auto at = parse_rfc3339(text)) return at;
    if (text.size() > loose_time_max) return std::nullopt;
    // No loose form of this length has its T here, so that step (d) may come first.
    if (text.size() >= 19 && text[10] == 'T') {
        if (const auto at = parse_civil(text)) return at;
    }
    char buffer[40];
    const std::string_view completed = complete_offset(text, buffer);
    if (completed.size() != text.size()) {
        if (const auto at = parse_rfc3339(completed)) return at;
    }
    if (const auto at = parse_loose_time(completed, now)) return at;
    return parse_civil(completed);
}

instant event_time(
    instant now,
    std::optional<std::string_view> timestamp,
    const std::optional<sent_at_time>& sent_at,
    bool ignore_sent_at,
    std::optional<std::int64_t> offset_ms
) {
    instant out = now;
    if (timestamp) {
        if (const auto parsed = parse_timestamp(*timestamp, now)) {
            out = *parsed;
            if (sent_at && !ignore_sent_at) {
                out = add(out, now.seconds, now.nanoseconds);
                out = add(out, -sent_at->at.seconds, -sent_at->at.nanoseconds);
            }
        }
    }
    if (offset_ms) {
        if (const auto moved = minus_ms(now, *offset_ms)) out = *moved;
    }
    // Strictly more than 23 h in whole milliseconds.
    const instant ahead = add(out, -now.seconds, -now.nanoseconds);
    if (ahead.seconds >= 0 && floor_ms(ahead) > 23 * 3'600 * std::int64_t{1'000}) out = now;
    if (out.seconds < first_second || out.seconds > last_second) return {};
    return out;
}

std::size_t render_utc(instant at, char* out) {
    at = clamp_to_four_digits(at);
    int fraction = 9;
    if (at.nanoseconds == 0) {
        fraction = 0;
    } else if (at.nanoseconds % 1'000'000 == 0) {
        fraction = 3;
    } else if (at.nanoseconds % 1'000 == 0) {
        fraction = 6;
    }
    char* end = put_date_time(out, at, fraction);
    *end++ = 'Z';
    return static_cast<std::size_t>(end - out);
}

std::size_t render_sent_at(const sent_at_time& sent_at, char* out) {
    const instant local = clamp_to_four_digits(add(sent_at.at, sent_at.offset_seconds, 0));
    int fraction = local.nanoseconds == 0 ? 0 : 9;
    for (std::int32_t rest = local.nanoseconds; rest != 0 && rest % 10 == 0; rest /= 10) --fraction;
    char* end = put_date_time(out, local, fraction);
    if (sent_at.offset_seconds == 0) {
        *end++ = 'Z';
    } else {
        const std::int32_t offset = sent_at.offset_seconds;
        const std::int32_t minutes = (offset < 0 ? -offset : offset) / 60;
        *end++ = offset < 0 ? '-' : '+';
        end = put<2>(end, minutes / 60);
        *end++ = ':';
        end = put<2>(end, minutes % 60);
    }
    return static_cast<std::size_t>(end - out);
}

std::size_t render_millis(instant at, char* out) {
    char* end = put_date_time(out, clamp_to_four_digits(at), 3);
    *end++ = 'Z';
    return static_cast<std::size_t>(end - out);
}

}  // namespace headrace::ingest
