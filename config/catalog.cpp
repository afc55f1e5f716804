#include "config/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

namespace headrace::config {
namespace {

// The names of each enumeration, in the order of its values.
std::vector<std::string_view> names(ingest_mode) { return {"salvage", "strict"}; }
std::vector<std::string_view> names(capture_mode) { return {"events"}; }
std::vector<std::string_view> names(overflow_mode) { return {"g3", "g2"}; }
std::vector<std::string_view> names(ip_policy) { return {"keep", "truncate", "drop"}; }
std::vector<std::string_view> names(ack_mode) { return {"kafka", "disk", "enqueued"}; }
std::vector<std::string_view> names(log_format) { return {"json", "text"}; }
std::vector<std::string_view> names(log_level) { return {"debug", "info", "warn", "error"}; }

fault not_a_choice(const std::vector<std::string_view>& choices) {
    std::string list;
    for (const auto& each : choices) {
        list += list.empty() ? "" : &each == &choices.back() ? " or " : ", ";
        list += each;
    }
    return {"the value is not known", fmt::format("Use {}.", list)};
}

// Position of `text` among the choices, letter case aside; their count if it is none of them.
std::size_t choice_index(const std::vector<std::string_view>& choices, std::string_view text) {
    auto word = lower(trim(text));
    auto same = [&](std::string_view choice) { return lower(choice) == word; };
    auto found = std::find_if(choices.begin(), choices.end(), same);
    return static_cast<std::size_t>(found - choices.begin());
}

bool unprintable(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
}

std::optional<fault> in_range(
    const entry& one, std::uint64_t value, std::string (*show)(std::uint64_t)
) {
    if (value == 0 && !one.automatic.empty()) return std::nullopt;
    if (value >= one.min && value <= one.max) return std::nullopt;
    return fault{
        "the value is out of range",
        fmt::format("Write a value from {} to {}.", show(one.min), show(one.max)),
        std::clamp(value, one.min, one.max)};
}

std::string show_count(std::uint64_t value) { return std::to_string(value); }

// Sets one field from a text.
struct setter {
    const entry& one;
    std::string_view text;
    scale how;

    std::optional<fault> operator()(std::string* out) const {
        auto value = trim(text);
        if (!one.choices.empty() && !value.empty()) {
            auto index = choice_index(one.choices, value);
            if (index == one.choices.size()) return not_a_choice(one.choices);
            *out = one.choices[index];
            return std::nullopt;
        }
        if (unprintable(one.secret ? text : value)) {
            return fault{"the value contains control characters", "Remove them."};
        }
        *out = one.secret ? text : value;
        return std::nullopt;
    }

    std::optional<fault> operator()(std::vector<std::string>* out) const {
        if (unprintable(trim(text))) {
            return fault{"the value contains control characters", "Remove them."};
        }
        *out = parse_list(text);
        return std::nullopt;
    }

    std::optional<fault> operator()(bool* out) const { return parse_bool(text, *out); }

    std::optional<fault> operator()(std::uint32_t* out) const {
        std::uint64_t value = 0;
        if (auto bad = parse_count(text, value)) return bad;
        if (auto bad = in_range(one, value, show_count)) return bad;
        *out = static_cast<std::uint32_t>(value);
        return std::nullopt;
    }

    std::optional<fault> operator()(std::uint64_t* out) const {
        std::uint64_t value = 0;
        auto bad = how == scale::own ? parse_size(text, value) : parse_count(text, value);
        if (!bad) bad = in_range(one, value, format_size);
        if (!bad) *out = value;
        return bad;
    }

    std::optional<fault> read_duration(std::uint64_t& value) const {
        auto bad = how == scale::own ? parse_duration(text, value) : parse_count(text, value);
        return bad ? bad : in_range(one, value, format_duration);
    }

    std::optional<fault> operator()(milliseconds* out) const {
        std::uint64_t value = 0;
        auto bad = read_duration(value);
        if (!bad) *out = milliseconds(value);
        return bad;
    }

    std::optional<fault> operator()(std::chrono::hours* out) const {
        constexpr std::uint64_t hour = 3'600'000;
        std::uint64_t value = 0;
        if (auto bad = read_duration(value)) return bad;
        if (value % hour != 0)
            return fault{"only whole hours count here", "Write 24h, for example."};
        *out = std::chrono::hours(value / hour);
        return std::nullopt;
    }

    template <typename Enum>
    std::optional<fault> operator()(Enum* out) const {
        auto choices = names(*out);
        auto index = choice_index(choices, text);
        if (index == choices.size()) return not_a_choice(choices);
        *out = static_cast<Enum>(index);
        return std::nullopt;
    }
};

struct getter {
    std::string operator()(const std::string* in) const { return *in; }
    std::string operator()(const std::vector<std::string>* in) const { return format_list(*in); }
    std::string operator()(const bool* in) const { return *in ? "true" : "false"; }
    std::string operator()(const std::uint32_t* in) const { return std::to_string(*in); }
    std::string operator()(const std::uint64_t* in) const { return format_size(*in); }
    std::string operator()(const milliseconds* in) const {
        return format_duration(static_cast<std::uint64_t>(in->count()));
    }
    std::string operator()(const std::chrono::hours* in) const {
        return format_duration(static_cast<std::uint64_t>(in->count()) * 3'600'000);
    }
    template <typename Enum>
    std::string operator()(const Enum* in) const {
        return std::string(names(*in).at(static_cast<std::size_t>(*in)));
    }
};

std::size_t distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= left.size(); ++i) {
        auto corner = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            auto change = corner + (left[i - 1] == right[j - 1] ? 0 : 1);
            corner = row[j];
            row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

field at(const entry& one, const settings& all) {
    return one.at(const_cast<settings&>(all));  // getters and type queries only read
}

}  // namespace

const entry* find(std::string_view key) {
    for (const auto& one : catalog()) {
        if (one.key == key) return &one;
    }
    return nullptr;
}

std::string environment_name(std::string_view key) {
    std::string out = "HEADRACE_";
    for (char c : key) {
        auto upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        out += c == '.' ? '_' : upper;
    }
    return out;
}

std::string flag_name(std::string_view key) {
    std::string out(key);
    for (auto& c : out) {
        if (c == '.' || c == '_') c = '-';
    }
    return out;
}

std::optional<fault> assign(const entry& one, settings& all, std::string_view text, scale how) {
    return std::visit(setter{one, text, how}, one.at(all));
}

std::string plain(const entry& one, const settings& all) {
    return std::visit(getter{}, at(one, all));
}

std::string toml_text(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (unprintable({&c, 1})) {
            out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string toml(const entry& one, const settings& all) {
    auto where = at(one, all);
    if (std::holds_alternative<bool*>(where) || std::holds_alternative<std::uint32_t*>(where)) {
        return plain(one, all);
    }
    if (auto* list = std::get_if<std::vector<std::string>*>(&where)) {
        std::vector<std::string> quoted;
        for (const auto& each : **list) quoted.push_back(toml_text(each));
        return fmt::format("[{}]", fmt::join(quoted, ", "));
    }
    return toml_text(masked(one, plain(one, all)));
}

std::string masked(const entry& one, std::string_view text) {
    if (text.empty()) return {};
    if (one.secret) return "***";
    auto at_sign = text.rfind('@');
    if (!one.url || at_sign == std::string_view::npos) return std::string(text);
    auto scheme = text.find("://");
    auto start = scheme == std::string_view::npos || scheme > at_sign ? 0 : scheme + 3;
    return fmt::format("{}***{}", text.substr(0, start), text.substr(at_sign));
}

std::vector<std::string_view> choices_of(const entry& one) {
    static const settings defaults;
    if (!one.choices.empty()) return one.choices;
    return std::visit(
        [](auto* where) -> std::vector<std::string_view> {
            if constexpr (std::is_enum_v<std::remove_pointer_t<decltype(where)>>) {
                return names(*where);
            } else {
                return {};
            }
        },
        at(one, defaults)
    );
}

std::string_view type_name(const entry& one) {
    static const settings defaults;
    if (!choices_of(one).empty()) return "choice";
    constexpr std::string_view types[] = {
        "text", "list", "boolean", "count", "size", "duration", "duration"};
    return types[at(one, defaults).index()];
}

bool secret_property(std::string_view property) {
    for (std::string_view part : {"password", "secret", "pem", "oauthbearer.config", "key"}) {
        if (property.find(part) != std::string_view::npos) return true;
    }
    return false;
}

std::string nearest(std::string_view unknown, std::span<const std::string> known) {
    unknown = unknown.substr(0, 100);
    auto last = [](std::string_view name) { return name.substr(name.find_last_of(".-_") + 1); };
    const std::string* best = nullptr;
    auto best_distance = std::max<std::size_t>(2, unknown.size() / 4) + 1;
    for (const auto& name : known) {
        auto steps = distance(unknown, name);
        if (steps < best_distance) {
            best = &name;
            best_distance = steps;
        }
    }
    if (best != nullptr) return *best;
    // The right name in the wrong section.
    for (const auto& name : known) {
        if (last(unknown).size() > 2 && last(name) == last(unknown)) return name;
    }
    return {};
}

}  // namespace headrace::config
