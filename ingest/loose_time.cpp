#include "ingest/loose_time.hpp"

#include "ingest/civil.hpp"
#include "ingest/loose_format.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>

namespace headrace::ingest {
namespace {

using namespace loose;

using formats = std::initializer_list<std::string_view>;

// The first format that reads the whole text as an existing time; `start` gives the fields that
// the formats do not read. Its offset is subtracted unless the format reads one.
std::optional<instant> first_of(formats list, std::string_view text, const fields& start) {
    for (const std::string_view format : list) {
        fields out = start;
        if (!read(format, text, out)) continue;
        if (const auto at = to_instant(out.at, out.offset)) return at;
    }
    return std::nullopt;
}

// A zone that cannot be read ends the search.
struct verdict {
    bool decided = false;
    std::optional<instant> at{};
};
verdict decide(std::optional<instant> at) { return {at.has_value(), at}; }

// Today at midnight, and now itself, as fields at an offset.
fields today(instant now, std::int32_t offset = 0) {
    fields out{.at = to_civil({now.seconds + offset, 0}), .offset = offset};
    out.at.hour = out.at.minute = out.at.second = 0;
    return out;
}
fields time_of(instant now, std::int32_t offset = 0) {
    const instant local{now.seconds + offset, now.nanoseconds};
    return {.at = to_civil(local), .offset = offset};
}

std::optional<instant> unix_time(std::string_view text) {
    const std::size_t n = text.size();
    if ((n != 10 && n != 13 && n != 19) || !std::all_of(text.begin(), text.end(), is_digit)) {
        return std::nullopt;
    }
    std::int64_t value = 0;
    for (const char c : text) {
        if (__builtin_mul_overflow(value, 10, &value)) return std::nullopt;
        if (__builtin_add_overflow(value, c - '0', &value)) return std::nullopt;
    }
    if (n == 10) return instant{value, 0};
    return n == 13 ? from_ms(value) : from_ns(value);
}

// Nested comments in brackets behind an RFC 2822 date, to the end of the text.
bool only_comments(std::string_view text) {
    while (!text.empty()) {
        skip_space(text);
        if (!text.starts_with('(')) return false;
        std::size_t depth = 0;
        do {
            if (text.empty()) return false;
            if (text[0] == '(') ++depth;
            if (text[0] == ')') --depth;
            if (text[0] == '\\') text.remove_prefix(1);
            if (!text.empty()) text.remove_prefix(1);
        } while (depth != 0);
    }
    return true;
}

bool take_mandatory_space(std::string_view& text) {
    const std::size_t before = text.size();
    skip_space(text);
    return text.size() != before;
}

bool take_exactly_two(std::string_view& text, int& out) {
    std::int64_t value = 0;
    if (text.size() < 2 || !is_digit(text[1]) || !take_number(text, 2, value)) return false;
    out = static_cast<int>(value);
    return true;
}

// Years of two digits turn at 50, of three count from 1900.
bool take_rfc2822_year(std::string_view& text, std::int64_t& year) {
    const std::size_t before = text.size();
    if (!take_number(text, 9, year)) return false;
    const std::size_t digits = before - text.size();
    if (digits == 2) year += year < 50 ? 2000 : 1900;
    if (digits == 3) year += 1900;
    return digits >= 2;
}

bool take_rfc2822_zone(std::string_view& text, std::int32_t& offset) {
    const std::string_view name = take_letters(text);
    if (name.empty()) return take_offset(text, false, false, offset);
    const bool military = name.size() == 1 && !same_word(name, "j");
    const auto seconds = military ? std::optional<std::int32_t>{0} : zone_offset(name);
    offset = seconds.value_or(0);
    return seconds.has_value();
}

std::optional<instant> rfc2822(std::string_view text) {
    constexpr std::array<std::string_view, 7> weekdays{
        "thu", "fri", "sat", "sun", "mon", "tue", "wed"  // 1970-01-01 was a Thursday
    };
    skip_space(text);
    const auto weekday = std::find_if(weekdays.begin(), weekdays.end(), [&](std::string_view w) {
        return same_word(text.substr(0, 3), w);
    });
    if (weekday != weekdays.end()) {
        if (text.size() < 4 || text[3] != ',') return std::nullopt;
        text.remove_prefix(4);
    }
    fields f;
    if (!take_field(text, f.at.day) || !take_mandatory_space(text) ||
        !take_month(text, false, f.at.month) || !take_mandatory_space(text) ||
        !take_rfc2822_year(text, f.at.year) || !take_mandatory_space(text) ||
        !take_exactly_two(text, f.at.hour)) {
        return std::nullopt;
    }
    skip_space(text);
    if (!text.starts_with(':')) return std::nullopt;
    text.remove_prefix(1);
    skip_space(text);
    if (!take_exactly_two(text, f.at.minute)) return std::nullopt;
    std::string_view ahead = text;
    skip_space(ahead);
    if (ahead.starts_with(':')) {
        text = ahead.substr(1);
        if (!take_exactly_two(text, f.at.second)) return std::nullopt;
    }
    if (!take_mandatory_space(text) || !take_rfc2822_zone(text, f.offset)) return std::nullopt;
    if (!only_comments(text)) return std::nullopt;
    const auto at = to_instant(f.at, f.offset);
    if (!at || weekday == weekdays.end()) return at;
    const std::int64_t days = days_since_epoch(f.at.year, f.at.month, f.at.day);
    return days - floor_div(days, 7) * 7 == weekday - weekdays.begin() ? at : std::nullopt;
}

// Year first, joined by hyphens.
verdict year_month_day(std::string_view text, instant now) {
    if (!fits("D44-D22", text, false)) return {};
    if (fits("D44-D22-D22SD22:D22(:D22)(.D19)P", text)) {
        const auto at = first_of(
            {"%Y-%m-%d %H:%M:%S%O", "%Y-%m-%d %H:%M:%S%f%O", "%Y-%m-%d %H:%M%O"}, text, {}
        );
        if (at) return decide(at);
    }
    if (fits("D44-D22-D22SD22:D22(:D22)(.D19)sM", text)) {
        const auto at = first_of(
            {"%Y-%m-%d %H:%M:%S",
             "%Y-%m-%d %H:%M",
             "%Y-%m-%d %H:%M:%S%f",
             "%Y-%m-%d %I:%M:%S %P",
             "%Y-%m-%d %I:%M %P"},
            text,
            {}
        );
        if (at) return decide(at);
    }
    if (const auto zone = zone_in("D44-D22-D22SD22:D22(:D22)(.D19)sZ", text)) {
        const auto offset = parse_zone(*zone);
        if (!offset) return {true};
        const auto at = first_of(
            {"%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M %Z", "%Y-%m-%d %H:%M:%S%f %Z"},
            text,
            {.offset = *offset}
        );
        if (at) return decide(at);
    }
    if (fits("D44-D22-D22", text)) return decide(first_of({"%Y-%m-%d"}, text, time_of(now)));
    if (const auto zone = zone_in("D44-D22-D22sZ", text)) {
        const auto offset = parse_zone(*zone);
        if (!offset) return {true};
        return decide(first_of({"%Y-%m-%d %Z"}, text, time_of(now, *offset)));
    }
    return {};
}

// A time of day, today.
verdict hour_minute(std::string_view text, instant now) {
    if (fits("D12:D22(:D22)sM", text)) {
        const auto at =
            first_of({"%H:%M:%S", "%H:%M", "%I:%M:%S %P", "%I:%M %P"}, text, today(now));
        if (at) return decide(at);
    }
    if (const auto zone = zone_in("D12:D22(:D22)sMSZ", text)) {
        const auto offset = parse_zone(*zone);
        if (!offset) return {true};
        return decide(first_of(
            {"%H:%M:%S %Z", "%H:%M %Z", "%I:%M:%S %P %Z", "%I:%M %P %Z"}, text, today(now, *offset)
        ));
    }
    return {};
}

// Copies `text` without the byte `dropped` in front of each space.
std::size_t drop_before_space(char dropped, std::string_view text, char* out) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == dropped && i + 1 < text.size() && text[i + 1] == ' ') continue;
        out[n++] = text[i];
    }
    return n;
}

// A text without its ", " and ". " (replaced by the space), in `buffer`.
std::string_view without_stops(std::string_view text, char (&buffer)[loose_time_max]) {
    char without_commas[loose_time_max];
    const std::size_t n = drop_before_space(',', text, without_commas);
    return {buffer, drop_before_space('.', {without_commas, n}, buffer)};
}

// A text without any comma, then without any "at", in `buffer`.
std::string_view without_at(std::string_view text, char (&buffer)[loose_time_max]) {
    std::size_t commaless = 0;
    for (const char c : text) {
        if (c != ',') buffer[commaless++] = c;
    }
    std::size_t n = 0;
    for (std::size_t i = 0; i < commaless; ++i) {
        if (buffer[i] == 'a' && i + 1 < commaless && buffer[i + 1] == 't') {
            ++i;
        } else {
            buffer[n++] = buffer[i];
        }
    }
    return {buffer, n};
}

// Month by name, then day.
verdict month_day(std::string_view text, instant now) {
    char buffer[loose_time_max];
    if (fits("A39SD12", text, false) || fits("A39.SD12", text, false)) {
        if (fits("A33SD12s(at)SD12:D22(:D22)sM", text)) {
            const auto at = first_of({"%b %d at %I:%M %P", "%b %d %H:%M:%S"}, text, today(now));
            if (at) return decide(at);
        }
        if (fits("A39(.)SD12,SD24(,)SD12:D22(:D22)sM", text)) {
            const auto at = first_of(
                {"%B %d %Y %H:%M:%S",
                 "%B %d %Y %H:%M",
                 "%B %d %Y %I:%M:%S %P",
                 "%B %d %Y %I:%M %P"},
                without_stops(text, buffer),
                {}
            );
            if (at) return decide(at);
        }
        if (const auto zone = zone_in("A39SD12(,)SD44s(,)(at)SD22:D22(:D22)sMSZ", text)) {
            const auto offset = parse_zone(*zone);
            if (!offset) return {true};
            const auto at = first_of(
                {"%B %d %Y %H:%M:%S %Z",
                 "%B %d %Y %H:%M %Z",
                 "%B %d %Y %I:%M:%S %P %Z",
                 "%B %d %Y %I:%M %P %Z"},
                without_at(text, buffer),
                {.offset = *offset}
            );
            if (at) return decide(at);
        }
        if (fits("A39(.)SD12,SD24", text)) {
            return decide(
                first_of({"%B %d %y", "%B %d %Y"}, without_stops(text, buffer), time_of(now))
            );
        }
    }
    return {};
}

// Day, then month by name.
verdict day_month(std::string_view text, instant now) {
    char buffer[loose_time_max];
    if (fits("D12SA39SD24(,)SD12:D22(:D22)(.D19)", text)) {
        const std::string_view commaless{buffer, drop_before_space(',', text, buffer)};
        const auto at =
            first_of({"%d %B %Y %H:%M:%S", "%d %B %Y %H:%M", "%d %B %Y %H:%M:%S%f"}, commaless, {});
        if (at) return decide(at);
    }
    if (!fits("D12SA39SD24", text)) return {};
    return decide(first_of({"%d %B %y", "%d %B %Y"}, text, time_of(now)));
}

// Month/day/year and year/month/day.
verdict slashes(std::string_view text, instant now) {
    if (fits("D12/D12/D24SD12:D22(:D22)(.D19)sM", text)) {
        return decide(first_of(
            {"%m/%d/%y %H:%M:%S",
             "%m/%d/%y %H:%M",
             "%m/%d/%y %H:%M:%S%f",
             "%m/%d/%y %I:%M:%S %P",
             "%m/%d/%y %I:%M %P",
             "%m/%d/%Y %H:%M:%S",
             "%m/%d/%Y %H:%M",
             "%m/%d/%Y %H:%M:%S%f",
             "%m/%d/%Y %I:%M:%S %P",
             "%m/%d/%Y %I:%M %P"},
            text,
            {}
        ));
    }
    if (fits("D12/D12/D24", text)) {
        return decide(first_of({"%m/%d/%y", "%m/%d/%Y"}, text, time_of(now)));
    }
    if (fits("D44/D12/D12SD12:D22(:D22)(.D19)sM", text)) {
        return decide(first_of(
            {"%Y/%m/%d %H:%M:%S",
             "%Y/%m/%d %H:%M",
             "%Y/%m/%d %H:%M:%S%f",
             "%Y/%m/%d %I:%M:%S %P",
             "%Y/%m/%d %I:%M %P"},
            text,
            {}
        ));
    }
    if (fits("D44/D12/D12", text)) return decide(first_of({"%Y/%m/%d"}, text, time_of(now)));
    return {};
}

// Month.day.year, year.month.day, and year.month on the day of `now`.
verdict dots(std::string_view text, instant now) {
    bool plausible = false;  // somewhere a digit, any character, two digits
    for (std::size_t i = 0; i + 3 < text.size() && !plausible; ++i) {
        plausible = is_digit(text[i]) && text[i + 1] != '\n' && is_digit(text[i + 2]) &&
                    is_digit(text[i + 3]);
    }
    if (!plausible) return {};
    const fields start = time_of(now);
    if (const auto at = first_of({"%m.%d.%y", "%m.%d.%Y", "%Y.%m.%d", "%Y.%m"}, text, start)) {
        return decide(at);
    }
    return {};
}

// The log of MySQL: YYMMDD HH:MM:SS.
verdict mysql_log(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (fits("D66SD22:D22:D22", text.substr(i), false)) {
            return decide(first_of({"%y%m%d %H:%M:%S"}, text, {}));
        }
    }
    return {};
}

verdict chinese(std::string_view text, instant now) {
    if (fits("D44年D22月D22日D22时D22分D22秒", text)) {
        return decide(first_of({"%Y年%m月%d日%H时%M分%S秒"}, text, {}));
    }
    if (!fits("D44年D22月D22日", text)) return {};
    return decide(first_of({"%Y年%m月%d日"}, text, time_of(now)));
}

verdict named_month_between_hyphens(std::string_view text, instant now) {
    if (!fits("D44-A39-D22", text)) return {};
    return decide(first_of({"%Y-%b-%d"}, text, time_of(now)));
}

}  // namespace

std::optional<instant> parse_loose_time(std::string_view text, instant now) {
    if (text.size() > loose_time_max) return std::nullopt;
    if (const auto at = unix_time(text)) return at;
    if (const auto at = rfc2822(text)) return at;
    if (const verdict v = year_month_day(text, now); v.decided) return v.at;
    if (const verdict v = hour_minute(text, now); v.decided) return v.at;
    if (const verdict v = named_month_between_hyphens(text, now); v.decided) return v.at;
    if (const verdict v = month_day(text, now); v.decided) return v.at;
    if (const verdict v = day_month(text, now); v.decided) return v.at;
    if (const verdict v = slashes(text, now); v.decided) return v.at;
    if (const verdict v = dots(text, now); v.decided) return v.at;
    if (const verdict v = mysql_log(text); v.decided) return v.at;
    return chinese(text, now).at;
}

}  // namespace headrace::ingest
