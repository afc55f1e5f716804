#include "server/proxy_protocol.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace headrace::server {

namespace {

constexpr std::string_view v1_start = "PROXY ";
constexpr std::size_t v1_max = 107;   // with CRLF
constexpr std::string_view v2_start{"\r\n\r\n\0\r\nQUIT\n", 12};

bool is_port(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value <= 65'535;
}

// PROXY TCP4 source destination sourceport destinationport
proxy_state parse_v1(std::string_view bytes, proxy_header& out) {
    const std::size_t end = bytes.substr(0, v1_max).find("\r\n");
    if (end == std::string_view::npos) return bytes.size() < v1_max ? proxy_state::need_more : proxy_state::bad;
    std::string_view line = bytes.substr(v1_start.size(), end - v1_start.size());
    out.size = end + 2;
    if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return proxy_state::done;
    std::array<std::string_view, 5> words;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::size_t space = line.find(' ');
        if ((space == std::string_view::npos) != (i + 1 == words.size())) return proxy_state::bad;
        words[i] = line.substr(0, space);
        line.remove_prefix(std::min(line.size(), words[i].size() + 1));
    }
    out.source = ingest::parse_ip(words[1]);
    const bool family = words[0] == "TCP4" || words[0] == "TCP6";
    const bool agrees = out.source && out.source->is_v4() == (words[0] == "TCP4");
    if (!family || !agrees || !ingest::parse_ip(words[2]) || !is_port(words[3]) || !is_port(words[4]))
        return proxy_state::bad;
    return proxy_state::done;
}

proxy_state parse_v2(std::string_view bytes, proxy_header& out) {
    if (bytes.size() < 16) return proxy_state::need_more;
    const auto at = [&bytes](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const std::size_t length = static_cast<std::size_t>(at(14)) << 8 | at(15);
    const unsigned version = at(12) >> 4, command = at(12) & 15, family = at(13) >> 4;
    if (version != 2 || command > 1 || family > 3) return proxy_state::bad;
    if (bytes.size() < 16 + length) return proxy_state::need_more;
    out.size = 16 + length;
    if (command == 0) return proxy_state::done;   // LOCAL: a health check of the proxy itself
    ingest::ip_address source;
    if (family == 1) {
        if (length < 12) return proxy_state::bad;
        source.bytes[10] = source.bytes[11] = 0xff;
        for (std::size_t i = 0; i < 4; ++i) source.bytes[12 + i] = at(16 + i);
        out.source = source;
    } else if (family == 2) {
        if (length < 36) return proxy_state::bad;
        for (std::size_t i = 0; i < 16; ++i) source.bytes[i] = at(16 + i);
        out.source = source;
    }
    return proxy_state::done;
}

}  // namespace

proxy_state parse_proxy_header(std::string_view bytes, proxy_header& out) {
    out = {};
    const auto begins = [bytes](std::string_view start) {
        return bytes.substr(0, start.size()) == start.substr(0, std::min(bytes.size(), start.size()));
    };
    if (begins(v1_start)) return bytes.size() < v1_start.size() ? proxy_state::need_more : parse_v1(bytes, out);
    if (begins(v2_start)) return bytes.size() < v2_start.size() ? proxy_state::need_more : parse_v2(bytes, out);
    return proxy_state::bad;
}

}  // namespace headrace::server
