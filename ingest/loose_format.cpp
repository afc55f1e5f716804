#include "ingest/loose_format.hpp"

#include <algorithm>
#include <array>

namespace headrace::ingest::loose {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_offset_char(char c) { return c >= '+' && c <= ':'; }
bool is_zone_char(char c) { return is_offset_char(c) || is_letter(c); }

}  // namespace

bool same_word(std::string_view text, std::string_view lower_case) {
    return std::equal(
        text.begin(),
        text.end(),
        lower_case.begin(),
        lower_case.end(),
        [](char a, char b) { return lower(a) == b; }
    );
}

void skip_space(std::string_view& text) {
    while (!text.empty() && is_space(text[0])) text.remove_prefix(1);
}

namespace {

// Tries the longest run first and gives characters back, as regular expressions do.
struct shape_matcher {
    bool to_end = true;
    std::string_view zone{};

    bool match(std::string_view shape, std::string_view text) {
        if (shape.empty()) return !to_end || text.empty();
        const std::string_view rest = shape.substr(1);
        switch (shape[0]) {
            case 'D':
                return repeat(is_digit, figure(rest[0]), figure(rest[1]), rest.substr(2), text);
            case 'A':
                return repeat(is_letter, figure(rest[0]), figure(rest[1]), rest.substr(2), text);
            case 'S':
                return repeat(is_space, 1, text.size(), rest, text);
            case 's':
                return repeat(is_space, 0, text.size(), rest, text);
            case 'P':
                return repeat(is_offset_char, 3, 6, rest, text);
            case 'Z':
                if (!repeat(is_zone_char, 3, 6, rest, text)) return false;
                zone = text;
                return true;
            case 'M':
                for (const std::string_view word : {"am", "pm", "AM", "PM"}) {
                    if (text.starts_with(word) && match(rest, text.substr(2))) return true;
                }
                return match(rest, text);
            case '(':
                return match(rest, text) || match(rest.substr(rest.find(')') + 1), text);
            case ')':
                return match(rest, text);
            default:
                return text.starts_with(shape[0]) && match(rest, text.substr(1));
        }
    }

private:
    static std::size_t figure(char c) { return static_cast<std::size_t>(c - '0'); }

    bool repeat(
        bool (*belongs)(char),
        std::size_t least,
        std::size_t greatest,
        std::string_view rest,
        std::string_view text
    ) {
        std::size_t n = 0;
        while (n < greatest && n < text.size() && belongs(text[n])) ++n;
        for (; n + 1 > least; --n) {
            if (match(rest, text.substr(n))) return true;
            if (n == 0) break;
        }
        return false;
    }
};

}  // namespace

bool fits(std::string_view shape, std::string_view text, bool to_end) {
    return shape_matcher{.to_end = to_end}.match(shape, text);
}

std::optional<std::string_view> zone_in(std::string_view shape, std::string_view text) {
    shape_matcher matcher;
    if (!matcher.match(shape, text)) return std::nullopt;
    return matcher.zone;
}

bool take_number(std::string_view& text, std::size_t width, std::int64_t& out) {
    std::size_t n = 0;
    out = 0;
    while (n < width && n < text.size() && is_digit(text[n])) out = out * 10 + (text[n++] - '0');
    text.remove_prefix(n);
    return n != 0;
}

bool take_field(std::string_view& text, int& out) {
    skip_space(text);
    std::int64_t value = 0;
    if (!take_number(text, 2, value)) return false;
    out = static_cast<int>(value);
    return true;
}

namespace {

// Four digits, or any number of them behind a sign.
bool take_year(std::string_view& text, std::int64_t& out) {
    skip_space(text);
    const bool is_signed = text.starts_with('-') || text.starts_with('+');
    const bool negative = text.starts_with('-');
    if (is_signed) text.remove_prefix(1);
    if (!take_number(text, is_signed ? 9 : 4, out)) return false;
    if (is_signed && !text.empty() && is_digit(text[0])) return false;
    if (negative) out = -out;
    return true;
}

constexpr std::array<std::string_view, 12> month_names{
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december"};

}  // namespace

bool take_month(std::string_view& text, bool whole, int& month) {
    if (text.size() < 3) return false;
    for (std::size_t i = 0; i < month_names.size(); ++i) {
        const std::string_view name = month_names[i];
        if (!same_word(text.substr(0, 3), name.substr(0, 3))) continue;
        month = static_cast<int>(i) + 1;
        const bool long_name = whole && same_word(text.substr(0, name.size()), name);
        text.remove_prefix(long_name ? name.size() : 3);
        return true;
    }
    return false;
}

bool take_offset(std::string_view& text, bool colon, bool hours_only, std::int32_t& out) {
    if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
    const bool negative = text[0] == '-';
    text.remove_prefix(1);
    if (text.size() < 2 || !is_digit(text[0]) || !is_digit(text[1])) return false;
    std::int32_t seconds = ((text[0] - '0') * 10 + (text[1] - '0')) * 3'600;
    text.remove_prefix(2);
    while (colon && !text.empty() && (text[0] == ':' || is_space(text[0]))) text.remove_prefix(1);
    if (text.size() >= 2) {
        if (!is_digit(text[0]) || text[0] > '5' || !is_digit(text[1])) return false;
        seconds += ((text[0] - '0') * 10 + (text[1] - '0')) * 60;
        text.remove_prefix(2);
    } else if (!hours_only || !text.empty()) {
        return false;
    }
    if (seconds >= seconds_per_day) return false;
    out = negative ? -seconds : seconds;
    return true;
}

std::string_view take_letters(std::string_view& text) {
    std::size_t n = 0;
    while (n < text.size() && is_letter(text[n])) ++n;
    const std::string_view name = text.substr(0, n);
    text.remove_prefix(n);
    return name;
}

std::optional<std::int32_t> zone_offset(std::string_view name) {
    struct entry {
        std::string_view name;
        std::int32_t hours;
    };
    constexpr std::array<entry, 10> zones{
        {{"gmt", 0},
         {"ut", 0},
         {"edt", -4},
         {"est", -5},
         {"cdt", -5},
         {"cst", -6},
         {"mdt", -6},
         {"mst", -7},
         {"pdt", -7},
         {"pst", -8}}};
    for (const entry& e : zones) {
        if (same_word(name, e.name)) return e.hours * 3'600;
    }
    return std::nullopt;
}

std::optional<std::int32_t> parse_zone(std::string_view text) {
    std::int32_t offset = 0;
    const bool colon = text.find(':') != std::string_view::npos;
    skip_space(text);
    if (!colon && !text.empty() && is_letter(text[0])) {
        return zone_offset(take_letters(text)).value_or(0);
    }
    if (!take_offset(text, colon, false, offset)) return std::nullopt;
    return offset;
}

namespace {

bool take_fraction(std::string_view& text, int& nanoseconds) {
    int unit = 1'000'000'000;
    const std::size_t before = text.size();
    for (nanoseconds = 0; !text.empty() && is_digit(text[0]); text.remove_prefix(1)) {
        if (unit == 1) continue;
        unit /= 10;
        nanoseconds += (text[0] - '0') * unit;
    }
    return text.size() != before;
}

bool take_am_pm(std::string_view& text, bool& afternoon) {
    if (text.size() < 2 || lower(text[1]) != 'm') return false;
    afternoon = lower(text[0]) == 'p';
    if (!afternoon && lower(text[0]) != 'a') return false;
    text.remove_prefix(2);
    return true;
}

bool take_two_digit_year(std::string_view& text, std::int64_t& year) {
    int value = 0;
    if (!take_field(text, value)) return false;
    year = value + (value < 70 ? 2000 : 1900);
    return true;
}

bool take_conversion(char conversion, std::string_view& text, fields& out) {
    switch (conversion) {
        case 'Y':
            return take_year(text, out.at.year);
        case 'y':
            return take_two_digit_year(text, out.at.year);
        case 'm':
            return take_field(text, out.at.month);
        case 'd':
            return take_field(text, out.at.day);
        case 'H':
            return take_field(text, out.at.hour);
        case 'M':
            return take_field(text, out.at.minute);
        case 'S':
            return take_field(text, out.at.second);
        case 'I':
            return take_field(text, out.hour12) && out.hour12 >= 1 && out.hour12 <= 12;
        case 'P':
            return take_am_pm(text, out.afternoon);
        case 'b':
            return take_month(text, false, out.at.month);
        case 'B':
            return take_month(text, true, out.at.month);
        case 'Z':
            while (!text.empty() && !is_space(text[0])) text.remove_prefix(1);
            return true;
        case 'f':
            if (!text.starts_with('.')) return true;
            text.remove_prefix(1);
            return take_fraction(text, out.at.nanosecond);
        default:  // O
            skip_space(text);
            return take_offset(text, true, true, out.offset);
    }
}

}  // namespace

bool read(std::string_view format, std::string_view text, fields& out) {
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] == ' ') {
            skip_space(text);
        } else if (format[i] == '%') {
            if (!take_conversion(format[++i], text, out)) return false;
        } else {
            if (!text.starts_with(format[i])) return false;
            text.remove_prefix(1);
        }
    }
    if (!text.empty()) return false;
    if (out.hour12 != 0) out.at.hour = out.hour12 % 12 + (out.afternoon ? 12 : 0);
    return true;
}

}  // namespace headrace::ingest::loose
