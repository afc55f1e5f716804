#include "ingest/client_ip.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace headrace::ingest {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

ip_address from_v4(const void* four_bytes) {
    ip_address out;
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), out.bytes.begin());
    std::memcpy(out.bytes.data() + mapped_prefix.size(), four_bytes, 4);
    return out;
}

const ip_address loopback = from_v4("\x7F\0\0\x01");
const ip_address unspecified = from_v4("\0\0\0\0");

std::string_view trim(std::string_view text) {
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

bool same_word(std::string_view text, std::string_view lower_case) {
    const auto equal = [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
    };
    return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(), equal);
}

std::optional<unsigned> number(std::string_view text, unsigned greatest) {
    unsigned out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc{} || end != text.data() + text.size() || out > greatest) {
        return std::nullopt;
    }
    return out;
}

ip_address masked(ip_address address, unsigned bits) {
    for (unsigned i = 0; i < address.bytes.size(); ++i) {
        const unsigned kept = bits > i * 8 ? std::min(bits - i * 8, 8U) : 0;
        address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xFF00U >> kept));
    }
    return address;
}

using entry_form = ip_resolver::entry_form;

// Takes the first or the last element of a list. With `quotes` a separator within double quotes
// does not count.
std::string_view take_first(std::string_view& list, char separator, bool quotes) {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < list.size() && (quoted || list[end] != separator); ++end) {
        if (quotes && list[end] == '"') quoted = !quoted;
    }
    const std::string_view out = trim(list.substr(0, end));
    list.remove_prefix(std::min(list.size(), end + 1));
    return out;
}

std::string_view take_last(std::string_view& list, bool quotes) {
    bool quoted = false;
    std::size_t begin = list.size();
    for (; begin > 0 && (quoted || list[begin - 1] != ','); --begin) {
        if (quotes && list[begin - 1] == '"') quoted = !quoted;
    }
    const std::string_view out = trim(list.substr(begin));
    list = list.substr(0, begin == 0 ? 0 : begin - 1);
    return out;
}

// The address of the `for` parameter of one element of a Forwarded header.
std::optional<ip_address> forwarded_for(std::string_view element) {
    while (!element.empty()) {
        const std::string_view pair = take_first(element, ';', true);
        const std::size_t equals = pair.find('=');
        if (equals == std::string_view::npos || !same_word(trim(pair.substr(0, equals)), "for")) {
            continue;
        }
        std::string_view value = trim(pair.substr(equals + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
            value = value.substr(1, value.size() - 2);
        }
        return parse_ip_and_port(value);
    }
    return std::nullopt;
}

std::optional<ip_address> before_last_colon(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    return parse_ip(trim(text.substr(0, colon)));
}

std::optional<ip_address> parse_entry(std::string_view entry, entry_form form) {
    switch (form) {
        case entry_form::address:
            return parse_ip(entry);
        case entry_form::address_and_port:
            return parse_ip_and_port(entry);
        case entry_form::forwarded:
            return forwarded_for(entry);
        case entry_form::viewer:
            return before_last_colon(entry);
    }
    return std::nullopt;
}

std::optional<ip_address> leftmost(const header_lines& lines, entry_form form) {
    for (std::size_t i = 0; i < lines.size(); ++i) {
        for (std::string_view list = lines[i]; !list.empty();) {
            const auto entry = take_first(list, ',', form == entry_form::forwarded);
            if (const auto ip = parse_entry(entry, form)) return ip;
        }
    }
    return std::nullopt;
}

entry_form form_of(std::string_view header) {
    if (same_word(header, "forwarded")) return entry_form::forwarded;
    if (same_word(header, "cloudfront-viewer-address")) return entry_form::viewer;
    return entry_form::address_and_port;
}

// Where the longest run of at least two zero groups begins, and its length.
std::pair<int, int> longest_zero_run(const std::array<unsigned, 8>& groups) {
    std::pair<int, int> best{-1, 1};
    for (int i = 0; i < 8;) {
        int end = i;
        while (end < 8 && groups[static_cast<std::size_t>(end)] == 0) ++end;
        if (end - i > best.second) best = {i, end - i};
        i = std::max(end, i + 1);
    }
    return best;
}

char* put(unsigned value, int base, char* out) {
    return std::to_chars(out, out + 4, value, base).ptr;
}

char* put_v6(const ip_address& address, char* out) {
    std::array<unsigned, 8> groups{};
    for (std::size_t i = 0; i < 8; ++i) {
        groups[i] = unsigned{address.bytes[2 * i]} << 8 | address.bytes[2 * i + 1];
    }
    const auto [start, length] = longest_zero_run(groups);
    for (int i = 0; i < 8; ++i) {
        if (i == start) {
            *out++ = ':';
            *out++ = ':';
            i += length - 1;
            continue;
        }
        const bool behind_run = start >= 0 && i == start + length;
        if (i != 0 && !behind_run) *out++ = ':';
        out = put(groups[static_cast<std::size_t>(i)], 16, out);
    }
    return out;
}

}  // namespace

bool ip_address::is_v4() const {
    return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin());
}

std::optional<ip_address> parse_ip(std::string_view text) {
    char literal[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof literal) return std::nullopt;
    if (text.find('\0') != std::string_view::npos) return std::nullopt;
    std::memcpy(literal, text.data(), text.size());
    literal[text.size()] = '\0';
    if (text.find(':') == std::string_view::npos) {
        in_addr v4{};
        if (inet_pton(AF_INET, literal, &v4) != 1) return std::nullopt;
        return from_v4(&v4);
    }
    ip_address out;
    if (inet_pton(AF_INET6, literal, out.bytes.data()) != 1) return std::nullopt;
    return out;
}

std::optional<ip_address> parse_ip_and_port(std::string_view text) {
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        port = text.substr(close + 1);
        text = text.substr(1, close - 1);
        if (text.find(':') == std::string_view::npos) return std::nullopt;
    } else if (std::count(text.begin(), text.end(), ':') == 1) {
        port = text.substr(text.find(':'));
        text = text.substr(0, text.find(':'));
    }
    if (!port.empty() && (port[0] != ':' || !number(port.substr(1), 65'535))) return std::nullopt;
    return parse_ip(text);
}

std::optional<ip_address> ip_of(const sockaddr* address) {
    if (address == nullptr) return std::nullopt;
    if (address->sa_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, address, sizeof v4);
        return from_v4(&v4.sin_addr);
    }
    if (address->sa_family != AF_INET6) return std::nullopt;
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    ip_address out;
    std::memcpy(out.bytes.data(), &v6.sin6_addr, out.bytes.size());
    return out;
}

std::string_view render_ip(const ip_address& address, char* out) {
    char* end = out;
    if (address.is_v4()) {
        for (std::size_t i = 12; i < 16; ++i) {
            if (i != 12) *end++ = '.';
            end = put(address.bytes[i], 10, end);
        }
    } else {
        end = put_v6(address, end);
    }
    return {out, static_cast<std::size_t>(end - out)};
}

std::optional<cidr> parse_cidr(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = parse_ip(text.substr(0, slash));
    if (!address) return std::nullopt;
    if (slash == std::string_view::npos) return cidr{*address, 128};
    const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
    const auto bits = number(text.substr(slash + 1), v4 ? 32 : 128);
    if (!bits) return std::nullopt;
    const unsigned prefix = v4 ? *bits + 96 : *bits;
    return cidr{masked(*address, prefix), prefix};
}

std::optional<std::vector<cidr>> parse_cidrs(
    const std::vector<std::string>& texts, std::string& bad
) {
    std::vector<cidr> out;
    for (const std::string& text : texts) {
        const auto parsed = parse_cidr(text);
        if (!parsed) {
            bad = text;
            return std::nullopt;
        }
        out.push_back(*parsed);
    }
    return out;
}

bool contains(const cidr& network, const ip_address& address) {
    if (network.prefix < 96 && address.is_v4()) return false;
    return masked(address, network.prefix) == network.network;
}

bool contains(const std::vector<cidr>& networks, const ip_address& address) {
    return std::any_of(networks.begin(), networks.end(), [&](const cidr& network) {
        return contains(network, address);
    });
}

void header_lines::add(std::string_view line) {
    if (count_ == lines_max) {
        const auto newer_half = lines_.begin() + lines_max / 2;
        std::copy(newer_half + 1, lines_.end(), newer_half);
        --count_;
    }
    lines_[count_++] = line;
}

ip_resolver::ip_resolver(
    std::vector<cidr> trusted, std::string named_header, config::ip_policy policy
)
    : trusted_(std::move(trusted)),
      named_header_(std::move(named_header)),
      named_form_(form_of(named_header_)),
      policy_(policy) {}

std::optional<ip_address> ip_resolver::by_contract(const ip_headers& headers) const {
    if (!named_header_.empty()) {
        if (const auto ip = leftmost(headers.named, named_form_)) return ip;
    }
    if (const auto ip = leftmost(headers.x_forwarded_for, entry_form::address)) return ip;
    if (const auto ip = leftmost(headers.forwarded, entry_form::forwarded)) return ip;
    for (const std::string_view single :
         {headers.x_real_ip,
          headers.fly_client_ip,
          headers.true_client_ip,
          headers.cf_connecting_ip}) {
        if (const auto ip = parse_ip(trim(single))) return ip;
    }
    return before_last_colon(headers.cloudfront_viewer_address);
}

std::optional<ip_address> ip_resolver::from_right(const header_lines& lines, entry_form form)
    const {
    std::optional<ip_address> hop;
    for (std::size_t i = lines.size(); i-- > 0;) {
        for (std::string_view list = lines[i]; !list.empty();) {
            const auto entry = take_last(list, form == entry_form::forwarded);
            if (entry.empty()) continue;
            const auto ip = parse_entry(entry, form);
            if (!ip) return hop;
            hop = ip;
            if (!contains(trusted_, *ip)) return hop;
        }
    }
    return hop;
}

ip_address ip_resolver::find(const ip_headers& headers, const std::optional<ip_address>& peer)
    const {
    std::optional<ip_address> client;
    if (trusted_.empty()) {
        client = by_contract(headers);
    } else if (!peer || contains(trusted_, *peer)) {
        client = named_header_.empty()
                     ? from_right(headers.x_forwarded_for, entry_form::address_and_port)
                     : from_right(headers.named, named_form_);
    }
    return client ? *client : peer.value_or(loopback);
}

std::string_view ip_resolver::resolve(
    const ip_headers& headers, const std::optional<ip_address>& peer, char (&buffer)[64]
) const {
    if (policy_ == config::ip_policy::drop) return render_ip(unspecified, buffer);
    ip_address client = find(headers, peer);
    if (policy_ == config::ip_policy::truncate) client = masked(client, client.is_v4() ? 120 : 48);
    return render_ip(client, buffer);
}

}  // namespace headrace::ingest
