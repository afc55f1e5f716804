#pragma once
// Calendar arithmetic on the proleptic Gregorian calendar, shared by the time parsers. Pure.
#include "ingest/timestamp.hpp"

#include <cstdint>
#include <optional>

namespace headrace::ingest {

// A date and a time of day without a zone, not yet checked.
struct civil_time {
    std::int64_t year = 1970;
    int month = 1;
    int day = 1;
    int hour = 0;
    int minute = 0;
    int second = 0;  // 60 is a leap second
    int nanosecond = 0;
};

constexpr std::int64_t seconds_per_day = 86'400;
// The years that the contract's implementation can hold (chrono's range).
constexpr std::int64_t year_min = -262'143;
constexpr std::int64_t year_max = 262'142;

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    return a / b - ((a % b != 0 && (a % b < 0) != (b < 0)) ? 1 : 0);
}

constexpr bool is_leap_year(std::int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

constexpr int days_in_month(std::int64_t year, int month) {
    constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

// Days since 1970-01-01. The year starts in March here, so that the leap day is its last day.
constexpr std::int64_t days_since_epoch(std::int64_t year, int month, int day) {
    const std::int64_t shifted = year - (month <= 2 ? 1 : 0);
    const std::int64_t era = floor_div(shifted, 400);
    const std::int64_t year_of_era = shifted - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const std::int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + day_of_era - 719'468;
}

// The inverse of days_since_epoch; only the date fields are set.
constexpr civil_time date_of_days(std::int64_t days) {
    const std::int64_t shifted = days + 719'468;
    const std::int64_t era = floor_div(shifted, 146'097);
    const auto day_of_era = static_cast<std::uint32_t>(shifted - era * 146'097);
    const std::uint32_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::uint32_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::uint32_t month_index = (5 * day_of_year + 2) / 153;
    civil_time out;
    out.day = static_cast<int>(day_of_year - (153 * month_index + 2) / 5 + 1);
    out.month = static_cast<int>(month_index < 10 ? month_index + 3 : month_index - 9);
    out.year = year_of_era + era * 400 + (out.month <= 2 ? 1 : 0);
    return out;
}

// The instant of a civil time at an offset east of UTC; nothing for fields out of range.
constexpr std::optional<instant> to_instant(const civil_time& t, std::int64_t offset_seconds) {
    if (t.year < year_min || t.year > year_max || t.month < 1 || t.month > 12 || t.day < 1 ||
        t.day > days_in_month(t.year, t.month) || t.hour < 0 || t.hour > 23 || t.minute < 0 ||
        t.minute > 59 || t.second < 0 || t.second > 60) {
        return std::nullopt;
    }
    const std::int64_t seconds = days_since_epoch(t.year, t.month, t.day) * seconds_per_day +
                                 t.hour * 3'600 + t.minute * 60 + t.second - offset_seconds;
    return instant{seconds, t.nanosecond};
}

// Date and time of day of an instant, in UTC.
constexpr civil_time to_civil(instant at) {
    const std::int64_t days = floor_div(at.seconds, seconds_per_day);
    const auto of_day = static_cast<int>(at.seconds - days * seconds_per_day);
    civil_time out = date_of_days(days);
    out.hour = of_day / 3'600;
    out.minute = of_day / 60 % 60;
    out.second = of_day % 60;
    out.nanosecond = at.nanoseconds;
    return out;
}

}  // namespace headrace::ingest
