#include "kafka/partitioner.hpp"

namespace headrace::kafka {

namespace {

constexpr std::uint32_t multiplier = 0x5bd1e995u;
constexpr std::uint32_t seed = 0x9747b28cu;

std::uint32_t byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

}  // namespace

std::uint32_t murmur2(std::string_view key) {
    std::uint32_t hash = seed ^ static_cast<std::uint32_t>(key.size());
    std::size_t at = 0;
    for (; key.size() - at >= 4; at += 4) {
        std::uint32_t word = byte_at(key, at) | byte_at(key, at + 1) << 8 |
                             byte_at(key, at + 2) << 16 | byte_at(key, at + 3) << 24;
        word *= multiplier;
        word ^= word >> 24;
        word *= multiplier;
        hash = hash * multiplier ^ word;
    }
    const std::size_t rest = key.size() - at;
    if (rest == 3) hash ^= byte_at(key, at + 2) << 16;
    if (rest >= 2) hash ^= byte_at(key, at + 1) << 8;
    if (rest >= 1) hash = (hash ^ byte_at(key, at)) * multiplier;
    hash ^= hash >> 13;
    hash *= multiplier;
    return hash ^ hash >> 15;
}

}  // namespace headrace::kafka
