#include "config/listener.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>

namespace headrace::config {
namespace {

bool is_address(int family, std::string_view text) {
    unsigned char bytes[sizeof(in6_addr)];
    return inet_pton(family, std::string(text).c_str(), bytes) == 1;
}

bool is_v4(std::string_view text) { return is_address(AF_INET, text); }
bool is_v6(std::string_view text) { return is_address(AF_INET6, text.substr(0, text.find('%'))); }

bool is_host_name(std::string_view text) {
    auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
    };
    return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), fits);
}

bool is_number(std::string_view text, unsigned max, unsigned& out) {
    auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return !text.empty() && error == std::errc{} && stop == text.data() + text.size() && out <= max;
}

struct host_port {
    std::string_view host, port;
    bool bracketed = false, has_port = false;
};

// Splits at the colon before the port; false: brackets do not match.
bool split(std::string_view text, host_port& out) {
    if (text.starts_with('[')) {
        auto close = text.find(']');
        if (close == std::string_view::npos) return false;
        out.bracketed = true;
        out.host = text.substr(1, close - 1);
        text.remove_prefix(close + 1);
        if (!text.empty() && text.front() != ':') return false;
    } else {
        auto colon = std::min(text.rfind(':'), text.size());
        out.host = text.substr(0, colon);
        text.remove_prefix(colon);
    }
    out.has_port = !text.empty();
    if (out.has_port) out.port = text.substr(1);
    return true;
}

// The rules that listeners and brokers share.
std::optional<fault> check_host(const host_port& parts, std::string_view example) {
    if (!parts.bracketed && parts.host.find(':') != std::string_view::npos) {
        return fault{
            "an IPv6 address needs brackets",
            fmt::format("Write [{}]:{}.", parts.host, parts.port)};
    }
    bool good = parts.bracketed ? is_v6(parts.host) : is_host_name(parts.host);
    if (good) return std::nullopt;
    return fault{"the host is neither an address nor a name", fmt::format("Write {}.", example)};
}

}  // namespace

std::optional<fault> parse_listener(std::string_view text, listener& out) {
    constexpr std::string_view unix_prefix = "unix:";
    if (text.starts_with(unix_prefix)) {
        auto path = text.substr(unix_prefix.size());
        if (!path.starts_with('/')) {
            return fault{
                "the path of a unix socket is not absolute", "Write unix:/run/headrace.sock."};
        }
        if (path.size() >= sizeof(sockaddr_un::sun_path)) {
            return fault{
                fmt::format("the path of a unix socket has {} bytes", path.size()),
                "Use a path of at most 107 bytes."};
        }
        out = {.host = {}, .port = 0, .path = std::string(path)};
        return std::nullopt;
    }
    unsigned port = 0;
    if (is_number(text, 65'535, port)) {
        return fault{"a listener needs an address", fmt::format("Write [::]:{}.", text)};
    }
    host_port parts;
    if (text.find("://") != std::string_view::npos || !split(text, parts) || !parts.has_port) {
        return fault{
            "this is no listener", "Write host:port, [::]:port or unix:/path, without a scheme."};
    }
    if (!is_number(parts.port, 65'535, port)) {
        return fault{
            fmt::format("\"{}\" is no port", parts.port),
            "Write a port from 0 to 65535; 0 takes any free one."};
    }
    if (parts.host.empty()) {
        return fault{"a listener needs an address", fmt::format("Write [::]:{}.", port)};
    }
    if (auto bad = check_host(parts, "127.0.0.1:3000 or [::]:3000, for example")) return bad;
    out = {.host = std::string(parts.host), .port = static_cast<std::uint16_t>(port), .path = {}};
    return std::nullopt;
}

bool is_loopback(const listener& one) {
    if (!one.path.empty() || one.host == "localhost" || one.host == "::1") return true;
    return is_v4(one.host) && one.host.starts_with("127.");
}

std::optional<fault> check_network(std::string_view text) {
    auto slash = text.find('/');
    auto address = text.substr(0, slash);
    bool v4 = is_v4(address);
    if (!v4 && !is_address(AF_INET6, address)) {
        return fault{
            fmt::format("\"{}\" is no network", text),
            "Write networks such as 10.0.0.0/8 or 2001:db8::/32."};
    }
    unsigned bits = 0;
    unsigned most = v4 ? 32 : 128;
    if (slash == std::string_view::npos || is_number(text.substr(slash + 1), most, bits)) {
        return std::nullopt;
    }
    return fault{
        fmt::format("\"{}\" has no valid prefix length", text),
        fmt::format("Write a length from 0 to {} after the slash.", most)};
}

std::optional<fault> check_broker(std::string_view text) {
    auto scheme = text.find("://");
    if (scheme != std::string_view::npos) {
        return fault{
            fmt::format("\"{}\" is a URL, a broker is not", text),
            fmt::format("Write {}.", text.substr(scheme + 3))};
    }
    host_port parts;
    if (!split(text, parts)) {
        return fault{
            fmt::format("\"{}\" is no broker", text), "Write host:port, for example kafka:9092."};
    }
    unsigned port = 0;
    if (parts.has_port && (!is_number(parts.port, 65'535, port) || port == 0)) {
        return fault{
            fmt::format("\"{}\" has no valid port", text),
            "Write a port from 1 to 65535, for example kafka:9092."};
    }
    return check_host(parts, "host:port, for example kafka:9092");
}

std::optional<fault> check_redis_url(std::string_view text) {
    if (text.find(',') != std::string_view::npos) {
        return fault{
            "one Redis server is expected, not a list of them", "Write the URL of one server."};
    }
    auto end = text.find("://");
    auto scheme = lower(text.substr(0, end));
    if (end != std::string_view::npos && scheme.find("sentinel") != std::string::npos) {
        return fault{
            "Redis Sentinel is not supported",
            "Write redis://host:port of an address that follows the primary."};
    }
    if (end != std::string_view::npos && scheme.find("cluster") != std::string::npos) {
        return fault{
            "Redis Cluster is not supported",
            "Write redis://host:port of a server that is not in cluster mode."};
    }
    if (end == std::string_view::npos ||
        (scheme != "redis" && scheme != "rediss" && scheme != "unix")) {
        return fault{
            "this is no URL of a Redis server",
            "Write redis://host:port, rediss://host:port for TLS, or unix:///path."};
    }
    auto rest = text.substr(end + 3);
    if (scheme == "unix") {
        if (rest.size() > 1 && rest.starts_with('/')) return std::nullopt;
        return fault{"the path of the socket is not absolute", "Write unix:///run/redis.sock."};
    }
    auto authority = rest.substr(0, rest.find_first_of("/?"));
    auto at = authority.rfind('@');
    if (at != std::string_view::npos) authority.remove_prefix(at + 1);
    host_port parts;
    unsigned port = 0;
    bool good = split(authority, parts) && !check_host(parts, "") &&
                (!parts.has_port || is_number(parts.port, 65'535, port));
    if (good) return std::nullopt;
    return fault{"the URL names no valid host and port", "Write redis://host:6379, for example."};
}

}  // namespace headrace::config
