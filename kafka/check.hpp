#pragma once
// `headrace check`: connects to Kafka step by step and names the step that fails, why, and what
// to change. Free of librdkafka's types. Blocks for some seconds at most per broker; main thread.
// Details never hold a password.
#include "config/settings.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace headrace::kafka {

enum class check_verdict { ok, warning, failure };

struct check_step {
    std::string name;  // "dns kafka:9092", "tcp ...", "tls ...", "sasl", "metadata", "topic x"
    check_verdict verdict = check_verdict::ok;
    std::string detail;  // what was found
    std::string remedy;  // empty when ok: the setting to change, or the command that mends it
};

struct check_options {
    bool create_topics = false;
    std::int32_t partitions = 8;               // of created topics
    std::int32_t replication = 0;              // 0: min(3, number of brokers)
    std::chrono::milliseconds timeout{5'000};  // of each step
};

using step_function = std::function<void(const check_step&)>;

// All steps in order; each is also given to `emit` (may be empty) as soon as it is known. Steps
// that need a failed one are left out.
std::vector<check_step> check_kafka(
    const config::kafka_settings& settings, const check_options& options, const step_function& emit
);

// True when no step failed; warnings are fine.
bool passed(const std::vector<check_step>& steps);

}  // namespace headrace::kafka
