#include "config/source.hpp"

#include "config/names.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace headrace::config {
namespace {

constexpr std::string_view own_prefix = "HEADRACE_";
constexpr std::string_view property_prefix = "HEADRACE_KAFKA_LIBRDKAFKA_";
constexpr std::string_view property_flag = "kafka-librdkafka-";

// Names of librdkafka's properties are lower case with dots.
std::string property_name(std::string_view text) {
    auto out = lower(text);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '_' || c == '-'; }, '.'
    );
    return out;
}

// What Kubernetes sets in every pod for a Service called headrace or headrace-something.
bool from_kubernetes(std::string_view variable) {
    if (variable.ends_with("_SERVICE_HOST") || variable.ends_with("_PORT")) return true;
    if (variable.find("_SERVICE_PORT") != std::string_view::npos) return true;
    for (auto at = variable.find("_PORT_"); at != std::string_view::npos;
         at = variable.find("_PORT_", at + 1)) {
        auto rest = variable.substr(at + 6);
        auto digits = rest.find_first_not_of("0123456789");
        if (digits != 0 && digits != std::string_view::npos && rest[digits] == '_') return true;
    }
    return false;
}

// Turns "..._FILE" of a secret property into its content.
bool resolve_property(given& one, std::vector<problem>& problems) {
    constexpr std::string_view suffix = ".file";
    if (!one.property.ends_with(suffix)) return true;
    auto base = one.property.substr(0, one.property.size() - suffix.size());
    if (!secret_property(base)) return true;
    one.property = base;
    return load_secret(one, problems);
}

void own_variable(
    const std::string& name,
    const std::string& text,
    std::vector<given>& out,
    std::vector<problem>& problems
) {
    given one{.text = text, .origin = name, .from = layer::environment};
    if (name.size() > property_prefix.size() && name.starts_with(property_prefix)) {
        one.property = property_name(std::string_view(name).substr(property_prefix.size()));
        if (resolve_property(one, problems)) out.push_back(std::move(one));
        return;
    }
    auto found = resolve_variable(name);
    one.target = found.target;
    if (found.target != nullptr) {
        if (!found.from_file || load_secret(one, problems)) out.push_back(std::move(one));
        return;
    }
    if (from_kubernetes(name)) return;
    auto near = nearest(name, all_variables());
    problems.push_back(
        {.severity = problem::level::warning,
         .setting = name,
         .origin = name,
         .reason = "there is no such variable, it has no effect",
         .remedy = near.empty() ? "Remove it." : fmt::format("Did you mean {}?", near),
         .unknown_variable = true}
    );
}

}  // namespace

std::string setting_name(const given& one) {
    return one.target ? std::string(one.target->key) : "kafka.librdkafka." + one.property;
}

std::string shown_value(const given& one) {
    if (one.target) return masked(*one.target, one.text);
    return secret_property(one.property) && !one.text.empty() ? "***" : one.text;
}

void read_environment(
    const std::map<std::string, std::string>& environment,
    std::vector<given>& out,
    std::vector<problem>& problems
) {
    read_posthog(environment, out, problems);
    for (const auto& [name, text] : environment) {
        // Compose files pass variables that are not set as empty ones.
        if (!name.starts_with(own_prefix) || name == "HEADRACE_CONFIG" || text.empty()) continue;
        own_variable(name, text, out, problems);
    }
}

void read_flags(
    const std::vector<std::pair<std::string, std::string>>& flags,
    std::vector<given>& out,
    std::vector<problem>& problems
) {
    for (const auto& [name, text] : flags) {
        given one{.text = text, .origin = "--" + name, .from = layer::flags};
        if (name.size() > property_flag.size() && name.starts_with(property_flag)) {
            one.property = property_name(std::string_view(name).substr(property_flag.size()));
            if (resolve_property(one, problems)) out.push_back(std::move(one));
            continue;
        }
        auto found = resolve_flag(name);
        one.target = found.target;
        if (found.target == nullptr) {
            auto near = nearest_flag(name);
            problems.push_back(
                {.setting = "--" + name,
                 .origin = "--" + name,
                 .reason = "there is no such flag",
                 .remedy = near.empty() ? "Remove it." : fmt::format("Did you mean --{}?", near)}
            );
            continue;
        }
        if (text.empty() && type_name(*found.target) == "boolean") one.text = "true";
        if (!found.from_file || load_secret(one, problems)) out.push_back(std::move(one));
    }
}

std::string nearest_flag(std::string_view unknown) { return nearest(unknown, all_flags()); }

}  // namespace headrace::config
