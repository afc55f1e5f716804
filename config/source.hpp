#pragma once
// What the file, the environment and the flags say, before it is turned into typed values.
// Main thread only. Limits: a file of 1 MiB, a secret of 64 KiB. Bad input becomes a problem.
#include "config/catalog.hpp"
#include "config/load.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace headrace::config {

enum class layer { file, environment, flags };

// One value for one setting, or for one property of librdkafka.
struct given {
    const entry* target = nullptr;  // null: a property
    std::string property{};         // "linger.ms"
    std::string text{};
    std::string origin{};
    layer from = layer::file;
    scale how = scale::own;
    bool alias = false;  // one of PostHog's variables: what is out of range is clamped
};

// Each appends what it finds, the weaker values of its layer first, and what is wrong.
void read_file(const std::string& path, std::vector<given>&, std::vector<problem>&);
void read_environment(const std::map<std::string, std::string>&, std::vector<given>&, std::vector<problem>&);
void read_flags(const std::vector<std::pair<std::string, std::string>>&, std::vector<given>&, std::vector<problem>&);

// PostHog's variables (posthog.cpp): aliases of both generations, refusals, one line for the rest.
void read_posthog(const std::map<std::string, std::string>&, std::vector<given>&, std::vector<problem>&);
// The variables of PostHog that set it, the newer ones first.
std::vector<std::string> aliases_of(std::string_view key);

// "kafka.librdkafka.linger.ms"
std::string setting_name(const given&);
// The value as a message may show it.
std::string shown_value(const given&);

}  // namespace headrace::config
