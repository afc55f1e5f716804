#pragma once
// The client's address of a request: http-v0.md 5.2 and design decision D11. Pure; a resolver is
// built once and may then be used by any thread. No allocation per request.
#include "config/settings.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sockaddr;

namespace headrace::ingest {

// IPv6, or IPv4 in its mapped form ::ffff:a.b.c.d, in network order.
struct ip_address {
    std::array<std::uint8_t, 16> bytes{};
    bool is_v4() const;
    bool operator==(const ip_address&) const = default;
};

// A literal without port, brackets, zone or spaces.
std::optional<ip_address> parse_ip(std::string_view);
// The same with an optional port: 1.2.3.4:55, [::1], [::1]:55.
std::optional<ip_address> parse_ip_and_port(std::string_view);
// Nothing for other families (unix sockets).
std::optional<ip_address> ip_of(const sockaddr*);
// IPv4 dotted, IPv6 compressed in lower case. Needs room for 46 bytes.
std::string_view render_ip(const ip_address&, char* out);

struct cidr {
    ip_address network;     // host bits are zero
    unsigned prefix = 128;  // bits of `network`; an IPv4 prefix counts from bit 96
};
// ADDRESS or ADDRESS/BITS; host bits may be set and are ignored.
std::optional<cidr> parse_cidr(std::string_view);
// All of a list; nothing, and the offending entry in `bad`, if one does not parse.
std::optional<std::vector<cidr>> parse_cidrs(const std::vector<std::string>&, std::string& bad);
// An IPv6 network that is wider than the mapped range does not contain IPv4 addresses.
bool contains(const cidr&, const ip_address&);
bool contains(const std::vector<cidr>&, const ip_address&);

// The lines of one header in the order of arrival. Beyond 16 the middle ones are dropped: both
// ends, which decide, are kept.
class header_lines {
public:
    void add(std::string_view line);
    std::size_t size() const { return count_; }
    std::string_view operator[](std::size_t i) const { return lines_[i]; }

private:
    static constexpr std::size_t lines_max = 16;
    std::array<std::string_view, lines_max> lines_{};
    std::size_t count_ = 0;
};

// Empty views for absent headers.
struct ip_headers {
    header_lines x_forwarded_for;
    header_lines forwarded;
    std::string_view x_real_ip;
    std::string_view fly_client_ip;
    std::string_view true_client_ip;
    std::string_view cf_connecting_ip;
    std::string_view cloudfront_viewer_address;
    header_lines named;  // the header of the setting client_ip_header
};

// Without trusted proxies: the named header if the setting is given, then the contract's order,
// then the peer. With them: an untrusted peer is the client; behind a trusted one the named
// header, else X-Forwarded-For, is read from the right past trusted hops; what is not an address
// ends the walk at the hop that reported it. A peer without an address (unix socket) is trusted;
// if nothing gives an address the client is 127.0.0.1.
// Privacy: `truncate` keeps /24 of IPv4 and /48 of IPv6; `drop` gives 0.0.0.0, because consumers
// of the records expect an address that parses.
class ip_resolver {
public:
    // How the entries of a header are spelled: an address, one with an optional port, RFC 7239,
    // or an address and always a port without brackets (CloudFront-Viewer-Address).
    enum class entry_form : std::uint8_t { address, address_and_port, forwarded, viewer };

    ip_resolver(std::vector<cidr> trusted, std::string named_header, config::ip_policy);

    // The result lies in `buffer`.
    std::string_view resolve(
        const ip_headers&, const std::optional<ip_address>& peer, char (&buffer)[64]
    ) const;

    // The header whose lines belong into ip_headers::named; empty: none.
    const std::string& named_header() const { return named_header_; }

private:
    std::optional<ip_address> by_contract(const ip_headers&) const;
    std::optional<ip_address> from_right(const header_lines&, entry_form) const;
    ip_address find(const ip_headers&, const std::optional<ip_address>& peer) const;

    std::vector<cidr> trusted_;
    std::string named_header_;
    entry_form named_form_;
    config::ip_policy policy_;
};

}  // namespace headrace::ingest
