#pragma once
// Kafka's murmur2 over a record key, as the Java client computes it (kafka-ops.md 1.4).
// librdkafka chooses the partition; this copy chooses the producer instance, so that all records
// of a key leave through the same one. Pure; any thread.
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace headrace::kafka {

std::uint32_t murmur2(std::string_view key);

// The partition that murmur2_random gives to a key that is not null.
inline std::uint32_t murmur2_partition(std::string_view key, std::uint32_t partitions) {
    return (murmur2(key) & 0x7fffffffu) % partitions;
}

// Which of `instances` producers carries records of this key. Uses other bits than the partition,
// so that each instance serves all partitions. Null keys go to the first.
inline std::size_t producer_of(std::string_view key, std::size_t instances) {
    if (instances < 2 || key.data() == nullptr) return 0;
    return (murmur2(key) >> 16) % instances;
}

}  // namespace headrace::kafka
