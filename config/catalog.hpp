#pragma once
// The one table that describes every setting. Names in the file, the environment and on the
// command line, ranges, help and the reference all come from it. Read-only after the first use;
// any thread may read it.
#include "config/settings.hpp"
#include "config/units.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace headrace::config {

// Where a setting lives. Its type decides how it is read: uint64 is a size in bytes, uint32 a
// count, milliseconds and hours are durations, an enumeration is one of its names.
using field = std::variant<
    std::string*,
    std::vector<std::string>*,
    bool*,
    std::uint32_t*,
    std::uint64_t*,
    milliseconds*,
    std::chrono::hours*,
    ingest_mode*,
    capture_mode*,
    overflow_mode*,
    ip_policy*,
    ack_mode*,
    log_format*,
    log_level*>;

struct entry {
    std::string_view key;  // "kafka.brokers"
    field (*at)(settings&);
    std::string_view help;
    std::string_view automatic{};  // what an empty or zero value means; "" if it means nothing
    std::uint64_t min = 0;         // bytes, milliseconds or a count; a zero with `automatic` passes
    std::uint64_t max = std::numeric_limits<std::uint32_t>::max();
    std::vector<std::string_view> choices{};  // of a text; enumerations know theirs
    std::string_view short_flag{};            // "--listen" beside "--server-listen"
    bool secret = false;                      // also as <NAME>_FILE; never printed
    bool url = false;                         // user and password inside are masked
};

// In the order of the reference and of the file that `init` writes.
const std::vector<entry>& catalog();
const entry* find(std::string_view key);  // nullptr: no such setting

std::string environment_name(std::string_view key);  // "HEADRACE_KAFKA_BROKERS"
std::string flag_name(std::string_view key);         // "kafka-brokers"

// How the text of a value is to be understood: with our units, or as PostHog's bare number of bytes
// or milliseconds.
enum class scale { own, bare };

std::optional<fault> assign(const entry&, settings&, std::string_view text, scale how = scale::own);
std::string plain(const entry&, const settings&);         // as in the environment
std::string toml(const entry&, const settings&);          // as in the file, quoted where needed
std::string toml_text(std::string_view text);             // one quoted TOML string
std::string masked(const entry&, std::string_view text);  // for messages and print()
std::string_view type_name(const entry&);                 // "size", "duration", "list", ...
std::vector<std::string_view> choices_of(const entry&);

// Properties of librdkafka that hold a password or a key.
bool secret_property(std::string_view property);

// The nearest of `known`, or "" when none is near.
std::string nearest(std::string_view unknown, std::span<const std::string> known);

}  // namespace headrace::config
