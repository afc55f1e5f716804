// What is printed from the table: the file of `init`, the effective values, the reference, --help.
#include "config/load.hpp"
#include "config/source.hpp"

#include <fmt/format.h>

namespace headrace::config {
namespace {

std::string_view section_of(std::string_view key) { return key.substr(0, key.rfind('.')); }
std::string_view name_of(std::string_view key) { return key.substr(key.rfind('.') + 1); }

// "2s", or in words what an empty or zero value means.
std::string default_text(const entry& one) {
    static const settings defaults;
    auto text = plain(one, defaults);
    if (!one.automatic.empty() && (text.empty() || text == "0")) return std::string(one.automatic);
    return text;
}

std::string choices_text(const entry& one) {
    auto choices = choices_of(one);
    return choices.empty() ? std::string{} : fmt::format("{}", fmt::join(choices, ", "));
}

// TOML comments end at the line.
std::string comment(std::string_view text) {
    std::string out = "# ";
    for (char c : text) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    return out;
}

// Calls `each` for every setting, and `open` before the first one of a section.
template <typename Open, typename Each>
void walk(Open open, Each each) {
    std::string_view section;
    for (const auto& one : catalog()) {
        if (section_of(one.key) != section) {
            section = section_of(one.key);
            open(section);
        }
        each(one);
    }
}

}  // namespace

std::string commented_defaults() {
    static const settings defaults;
    std::string out =
        "# headrace. Every setting with its default; take the # away to change one.\n"
        "# Sizes: KiB MiB GiB. Durations: ms s m h. The environment and flags win over this file:\n"
        "# [kafka] brokers is HEADRACE_KAFKA_BROKERS and --kafka-brokers.\n";
    walk(
        [&](std::string_view section) { out += fmt::format("\n[{}]\n", section); },
        [&](const entry& one) {
            auto text = plain(one, defaults);
            bool is_automatic = !one.automatic.empty() && (text.empty() || text == "0");
            out += fmt::format("# {}.", one.help);
            if (is_automatic) out += fmt::format(" Unset: {}.", one.automatic);
            if (auto choices = choices_text(one); !choices.empty()) {
                out += fmt::format(" One of {}.", choices);
            }
            if (one.secret) out += fmt::format(" Better {}_file = \"/path\".", name_of(one.key));
            out += fmt::format("\n#{} = {}\n", name_of(one.key), toml(one, defaults));
        }
    );
    return out +
           "\n# Any property of librdkafka; it wins over the settings above.\n"
           "[kafka.librdkafka]\n"
           "#\"statistics.interval.ms\" = 10000\n";
}

std::string print(const loaded& in) {
    std::string out = "# Effective settings of headrace, each with its origin.\n";
    auto origin = [&](const std::string& key) {
        auto found = in.origins.find(key);
        return comment(found == in.origins.end() ? "default" : found->second);
    };
    walk(
        [&](std::string_view section) { out += fmt::format("\n[{}]\n", section); },
        [&](const entry& one) {
            out += fmt::format(
                "{} = {}  {}\n",
                name_of(one.key),
                toml(one, in.settings),
                origin(std::string(one.key))
            );
        }
    );
    if (in.settings.kafka.librdkafka.empty()) return out;
    out += "\n[kafka.librdkafka]\n";
    for (const auto& [name, value] : in.settings.kafka.librdkafka) {
        bool hide = secret_property(name) && !value.empty();
        out += fmt::format(
            "{} = {}  {}\n",
            toml_text(name),
            toml_text(hide ? "***" : value),
            origin("kafka.librdkafka." + name)
        );
    }
    return out;
}

std::string reference() {
    std::string out =
        "| key | environment | PostHog's names | default | meaning |\n"
        "| --- | --- | --- | --- | --- |\n";
    for (const auto& one : catalog()) {
        std::string aliases;
        for (const auto& name : aliases_of(one.key)) {
            aliases += fmt::format("{}`{}`", aliases.empty() ? "" : ", ", name);
        }
        auto shown = default_text(one);
        if (shown.empty()) shown = "empty";
        auto meaning = std::string(one.help);
        if (auto choices = choices_text(one);
            !choices.empty() && one.help.find(';') == one.help.npos) {
            meaning += fmt::format(" ({})", choices);
        }
        out += fmt::format(
            "| `{}` | `{}`{} | {} | {} | {} |\n",
            one.key,
            environment_name(one.key),
            one.secret ? ", `..._FILE`" : "",
            aliases,
            shown,
            meaning
        );
    }
    return out;
}

std::string flag_help() {
    std::string out;
    for (const auto& one : catalog()) {
        auto flag = std::string(one.short_flag.empty() ? flag_name(one.key) : one.short_flag);
        auto value = type_name(one) == "boolean" ? "" : fmt::format(" {}", type_name(one));
        auto shown = default_text(one);
        out += fmt::format("  --{}{}\n      {}", flag, value, one.help);
        out += shown.empty() ? "\n" : fmt::format(" [{}]\n", shown);
    }
    return out + "  --kafka-librdkafka-<property> text\n      Any property of librdkafka\n";
}

}  // namespace headrace::config
