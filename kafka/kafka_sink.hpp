#pragma once
// The record sink with brokers configured: records go to Kafka, and to the spool when Kafka is
// late, sick or refuses them (design.md D1, D3). Free of librdkafka's types.
//
// Threads: submit() and expire() any worker; stop() and the destructor the main thread. Owns one
// delivery thread, one drain thread and librdkafka's own.
#include "config/settings.hpp"
#include "kafka/log.hpp"
#include "kafka/record_sink.hpp"
#include "kafka/spool.hpp"
#include "kafka/topics.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace headrace::kafka {

class kafka_sink final : public record_sink {
public:
    // `memory`: bytes for records that are lent at one time; three quarters are for records on
    // their way to Kafka, the rest for those on their way to the spool. Connects in the
    // background. Throws std::runtime_error when the settings allow no client at all (a CA file
    // that is not there): configuration, exit 78.
    kafka_sink(
        const config::settings& settings,
        topic_table& topics,
        std::unique_ptr<spool> store,
        std::uint64_t memory,
        log_function log
    );
    ~kafka_sink() override;

    bool submit(batch& b) noexcept override;
    void expire(batch& b) noexcept override;
    std::size_t record_bytes_max() const noexcept override;
    sink_health health() const override;
    sink_stats stats() const override;
    std::size_t stop(std::chrono::steady_clock::time_point deadline) override;

    // What was ignored or clamped of the settings; one sentence each.
    const std::vector<std::string>& warnings() const;

    struct parts;
    // For tests of this folder, which see the private headers.
    parts& inside() { return *parts_; }

private:
    std::unique_ptr<parts> parts_;
};

}  // namespace headrace::kafka
