#pragma once
// The text forms of addresses: listeners, networks, brokers. Pure functions, any thread.
#include "config/units.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headrace::config {

struct listener {
    std::string host;        // without brackets; "" for a unix socket
    std::uint16_t port = 0;  // 0: any free one
    std::string path;        // of a unix socket; at most 107 bytes
};

// "host:port", "[::]:port", "unix:/path".
std::optional<fault> parse_listener(std::string_view text, listener& out);
bool is_loopback(const listener&);  // unix sockets count

// "10.0.0.0/8", "2001:db8::/32", or one address.
std::optional<fault> check_network(std::string_view text);
// "host", "host:port", "[v6]:port"; without a port Kafka's 9092 is meant.
std::optional<fault> check_broker(std::string_view text);
// "redis://[user:password@]host[:port][/db]", "rediss://", "unix:///path".
std::optional<fault> check_redis_url(std::string_view text);

}  // namespace headrace::config
