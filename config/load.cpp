#include "config/load.hpp"

#include "config/names.hpp"
#include "config/source.hpp"

#include <fmt/format.h>

#include <algorithm>

extern char** environ;

namespace headrace::config {
namespace {

constexpr std::size_t shown_max = 200;

// One line, whatever the value holds.
std::string in_quotes(std::string_view value) {
    std::string out = "\"";
    for (char c : value.substr(0, shown_max)) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(byte));
        } else {
            out += c;
        }
    }
    return out + (value.size() > shown_max ? "...\"" : "\"");
}

// Applies values from the weakest to the strongest.
class applier {
public:
    explicit applier(loaded& out) : out_(out) {}

    void apply(const given& one) {
        auto name = setting_name(one);
        auto before = current(one);
        auto bad = set(one);
        if (bad && one.alias && bad->limit) {
            auto clamped = one;
            clamped.text = std::to_string(*bad->limit);
            bad = set(clamped);
            if (!bad) warn_clamped(one, name);
        }
        if (bad) {
            report(
                problem::level::error, one, name, std::move(bad->reason), std::move(bad->remedy)
            );
            return;
        }
        auto last = seen_.find(name);
        bool same_layer = last != seen_.end() && last->second.from == one.from;
        if (same_layer && before != current(one)) warn(one, name, last->second);
        seen_.insert_or_assign(name, one);
        out_.origins[name] = one.origin;
    }

private:
    std::optional<fault> set(const given& one) {
        if (one.target) return assign(*one.target, out_.settings, one.text, one.how);
        if (one.property.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._") !=
            std::string::npos) {
            return fault{
                "this is no name of a librdkafka property",
                "Names have lower case letters, digits and dots."};
        }
        out_.settings.kafka.librdkafka[one.property] = std::string(trim(one.text));
        return std::nullopt;
    }

    std::string current(const given& one) const {
        if (one.target) return plain(*one.target, out_.settings);
        auto found = out_.settings.kafka.librdkafka.find(one.property);
        return found == out_.settings.kafka.librdkafka.end() ? std::string{} : found->second;
    }

    void warn(const given& winner, const std::string& name, const given& loser) {
        report(
            problem::level::warning,
            winner,
            name,
            fmt::format("{} says {}, which is not used", loser.origin, in_quotes(shown_value(loser))),
            "Remove one of the two."
        );
    }

    void warn_clamped(const given& one, const std::string& name) {
        report(
            problem::level::warning,
            one,
            name,
            fmt::format("the value is out of range, {} is used", current(one)),
            fmt::format("Set {} instead.", environment_name(name))
        );
    }

    void report(
        problem::level severity,
        const given& one,
        const std::string& name,
        std::string reason,
        std::string remedy
    ) {
        out_.problems.push_back(
            {.severity = severity,
             .setting = name,
             .value = shown_value(one),
             .origin = one.origin,
             .reason = std::move(reason),
             .remedy = std::move(remedy)}
        );
    }

    loaded& out_;
    std::map<std::string, given> seen_;
};

// PostHog waits for Kafka much longer than we do, so its linger may be longer than our wait.
void clamp_linger(loaded& out) {
    auto& kafka = out.settings.kafka;
    auto origin = out.origins.at("kafka.linger");
    auto names = aliases_of("kafka.linger");
    bool alias = std::find(names.begin(), names.end(), origin) != names.end();
    if (!alias || kafka.linger < kafka.ack_timeout) return;
    auto given_value = plain(*find("kafka.linger"), out.settings);
    kafka.linger = kafka.ack_timeout / 4;
    out.problems.push_back(
        {.severity = problem::level::warning,
         .setting = "kafka.linger",
         .value = std::move(given_value),
         .origin = std::move(origin),
         .reason = fmt::format(
             "it is not shorter than kafka.ack_timeout, {} is used",
             plain(*find("kafka.linger"), out.settings)
         ),
         .remedy = "Set HEADRACE_KAFKA_LINGER instead."}
    );
}

}  // namespace

bool loaded::has_errors() const {
    return std::any_of(problems.begin(), problems.end(), [](const problem& one) {
        return one.severity == problem::level::error;
    });
}

std::string to_string(const problem& one) {
    auto out = fmt::format(
        "{}: {}", one.severity == problem::level::error ? "error" : "warning", one.setting
    );
    if (!one.value.empty()) out += ": " + in_quotes(one.value);
    if (!one.origin.empty() && one.origin != one.setting) {
        out += one.origin == "default" ? " (the default)" : fmt::format(" (from {})", one.origin);
    }
    return fmt::format("{}: {}. {}", out, one.reason, one.remedy);
}

loaded load(const sources& from) {
    loaded out;
    for (const auto& one : catalog()) out.origins[std::string(one.key)] = "default";
    auto file = from.file;
    if (file.empty()) {
        auto named = from.environment.find("HEADRACE_CONFIG");
        if (named != from.environment.end()) file = named->second;
    }
    std::vector<given> values;
    if (!file.empty()) read_file(file, values, out.problems);
    read_environment(from.environment, values, out.problems);
    read_flags(from.flags, values, out.problems);
    applier apply(out);
    for (const auto& one : values) apply.apply(one);
    clamp_linger(out);
    return out;
}

void refuse_unknown(std::vector<problem>& problems) {
    for (auto& one : problems) {
        if (one.unknown_variable) one.severity = problem::level::error;
    }
}

std::map<std::string, std::string> current_environment() {
    std::map<std::string, std::string> out;
    for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
        std::string_view line(*each);
        auto equals = line.find('=');
        if (equals == std::string_view::npos) continue;
        out.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
    return out;
}

flag_kind kind_of_flag(std::string_view name) {
    if (name.starts_with("kafka-librdkafka-")) return flag_kind::value;
    auto found = resolve_flag(name);
    if (found.target == nullptr) return flag_kind::unknown;
    bool alone = type_name(*found.target) == "boolean";
    return alone ? flag_kind::boolean : flag_kind::value;
}

}  // namespace headrace::config
