#include "config/units.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <span>

namespace headrace::config {
namespace {

struct unit {
    std::string_view name;
    std::uint64_t factor;
};

// From small to large.
constexpr unit sizes[] = {{"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}};
constexpr unit durations[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};

struct number {
    std::uint64_t value = 0;
    std::string_view rest;  // what follows the digits, without the blanks between
};

std::optional<fault> read_number(std::string_view text, std::string_view example, number& out) {
    auto hint = fmt::format("Write a whole number such as {}.", example);
    if (text.empty()) return fault{"the value is empty", std::move(hint)};
    if (text.front() == '-') return fault{"a negative value makes no sense here", std::move(hint)};
    const auto* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, out.value);
    if (error == std::errc::result_out_of_range) {
        return fault{"the number is too large", "Write a smaller number."};
    }
    if (error != std::errc{}) return fault{"this is not a number", std::move(hint)};
    if (stop != end && *stop == '.') return fault{"fractions are not accepted", std::move(hint)};
    out.rest = trim({stop, static_cast<std::size_t>(end - stop)});
    return std::nullopt;
}

std::optional<fault> multiply(std::uint64_t value, std::uint64_t factor, std::uint64_t& out) {
    if (value > std::numeric_limits<std::int64_t>::max() / factor) {
        return fault{"the number is too large", "Write a smaller number."};
    }
    out = value * factor;
    return std::nullopt;
}

std::optional<fault> parse_with(
    std::string_view text,
    std::span<const unit> units,
    std::string_view what,
    std::string_view example,
    std::string_view choices,
    std::uint64_t& out
) {
    number found;
    if (auto bad = read_number(trim(text), example, found)) return bad;
    if (found.rest.empty()) {
        if (found.value != 0) {
            std::string forms;
            for (const auto& each : units) {
                bool last = each.name == units.back().name;
                forms += fmt::format(
                    "{}{}{}",
                    forms.empty() ? ""
                    : last        ? " or "
                                  : ", ",
                    found.value,
                    each.name
                );
            }
            return fault{fmt::format("a {} needs a unit", what), fmt::format("Write {}.", forms)};
        }
        out = 0;
        return std::nullopt;
    }
    for (const auto& each : units) {
        if (found.rest == each.name) return multiply(found.value, each.factor, out);
    }
    return fault{
        "the unit is not known", fmt::format("Use one of {}, for example {}.", choices, example)};
}

std::string format_with(std::uint64_t value, std::span<const unit> units) {
    if (value == 0) return "0";
    auto best = units.front();
    for (const auto& each : units) {
        if (value % each.factor == 0) best = each;
    }
    return fmt::format("{}{}", value / best.factor, best.name);
}

}  // namespace

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (auto& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

std::optional<fault> parse_size(std::string_view text, std::uint64_t& out) {
    return parse_with(text, sizes, "size", "20MiB", "KiB, MiB, GiB (or B)", out);
}

std::optional<fault> parse_duration(std::string_view text, std::uint64_t& out) {
    return parse_with(text, durations, "duration", "5s", "ms, s, m, h", out);
}

std::optional<fault> parse_count(std::string_view text, std::uint64_t& out) {
    number found;
    if (auto bad = read_number(trim(text), "100", found)) return bad;
    if (!found.rest.empty()) {
        return fault{"a plain number is expected here", "Write the number without a unit."};
    }
    return multiply(found.value, 1, out);
}

std::optional<fault> parse_bool(std::string_view text, bool& out) {
    auto word = lower(trim(text));
    if (word != "true" && word != "false") {
        return fault{"this is neither true nor false", "Write true or false."};
    }
    out = word == "true";
    return std::nullopt;
}

std::vector<std::string> parse_list(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        auto comma = text.find(',');
        auto entry = trim(text.substr(0, comma));
        if (!entry.empty()) out.emplace_back(entry);
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    }
    return out;
}

std::string format_size(std::uint64_t bytes) { return format_with(bytes, sizes); }

std::string format_duration(std::uint64_t milliseconds) {
    return format_with(milliseconds, durations);
}

std::string format_list(const std::vector<std::string>& list) {
    return fmt::format("{}", fmt::join(list, ","));
}

}  // namespace headrace::config
