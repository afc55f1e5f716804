#include "kafka/client_stats.hpp"

#include <algorithm>

namespace headrace::kafka {

namespace {

constexpr std::string_view node_key = "\"nodeid\":";
constexpr std::string_view state_key = "\"state\":\"";
constexpr std::string_view source_key = "\"source\":\"";

// The text after `key` in `part`, up to `end`; empty when it is not there.
std::string_view field(std::string_view part, std::string_view key, std::string_view end) {
    const std::size_t at = part.find(key);
    if (at == std::string_view::npos) return {};
    part.remove_prefix(at + key.size());
    return part.substr(0, part.find_first_of(end));
}

}  // namespace

client_stats parse_client_stats(std::string_view json) {
    // Only broker objects have a node id; each begins with name, nodeid, nodename, source, state.
    std::uint32_t cluster = 0, configured = 0, up = 0;
    const std::size_t brokers = json.find("\"brokers\":");
    if (brokers == std::string_view::npos) return {};
    json.remove_prefix(brokers);
    for (std::size_t at = json.find(node_key); at != std::string_view::npos;) {
        const std::size_t next = json.find(node_key, at + node_key.size());
        const std::string_view part =
            json.substr(at, next == std::string_view::npos ? next : next - at);
        const std::string_view source = field(part, source_key, "\"");
        if (source == "learned" || !field(part, node_key, ",}").starts_with('-'))
            ++cluster;
        else if (source == "configured")
            ++configured;
        if (source != "internal" && source != "logical" && field(part, state_key, "\"") == "UP")
            ++up;
        at = next;
    }
    const std::uint32_t known = cluster != 0 ? cluster : configured;
    return {std::min(up, known), known};
}

}  // namespace headrace::kafka
