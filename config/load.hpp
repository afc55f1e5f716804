#pragma once
// From a file, the environment and the command line to typed settings. design.md section 2.
// Main thread only, at start (and for `check`). Never throws for bad input: it lists problems.
#include "config/settings.hpp"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headrace::config {

// One thing that is wrong (or odd) in the configuration, with what the operator should do.
struct problem {
    enum class level { error, warning };
    level severity = level::error;
    std::string setting{};  // own name: "kafka.brokers"
    std::string value{};    // as given; "***" for secrets
    std::string
        origin{};  // "HEADRACE_KAFKA_BROKERS", "--kafka-brokers", "headrace.toml:12", "default"
    std::string reason{};           // no full stop at its end
    std::string remedy{};           // whole sentences
    bool unknown_variable = false;  // HEADRACE_* that is no setting (refuse_unknown)
};

// "error: kafka.linger: "5" (from HEADRACE_KAFKA_LINGER): a duration needs a unit. Write 5ms, ..."
std::string to_string(const problem&);

struct loaded {
    config::settings settings;
    std::map<std::string, std::string> origins;  // own name -> origin, every setting
    std::vector<problem> problems;               // errors and warnings, in a stable order
    bool has_errors() const;
};

struct sources {
    std::string file;                                // --config; empty: HEADRACE_CONFIG, else none
    std::map<std::string, std::string> environment;  // whole environment
    std::vector<std::pair<std::string, std::string>>
        flags;  // {"kafka-brokers", "a:9092"}, in order
};

loaded load(const sources&);

// `check --strict`: warnings about unknown HEADRACE_* variables become errors.
void refuse_unknown(std::vector<problem>&);

std::map<std::string, std::string> current_environment();

// `headrace init`: a commented file with every setting and its default.
std::string commented_defaults();
// `headrace serve --print-config`: effective values with their origins, secrets masked, as TOML.
std::string print(const loaded&);
// Table rows for config/README.md: key, environment name, aliases, default, meaning (Markdown).
std::string reference();
// Table rows for `headrace --help`: every flag with its meaning and default.
std::string flag_help();
// Nearest known name, or "" when none is near.
std::string nearest_flag(std::string_view unknown);
// What the command line must know to split its words: "listen", "kafka-brokers", without dashes.
// load() refuses unknown names with the nearest one.
enum class flag_kind { unknown, value, boolean };  // a boolean flag may stand alone: pass ""
flag_kind kind_of_flag(std::string_view name);

}  // namespace headrace::config
