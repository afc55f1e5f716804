#include "ingest/client_ip.hpp"

#include "tests/support/catch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <vector>

using namespace headrace::ingest;
using headrace::config::ip_policy;

namespace {

std::string shown(std::optional<ip_address> ip) {
    char out[46];
    return ip ? std::string(render_ip(*ip, out)) : "none";
}

std::vector<cidr> networks(const std::vector<std::string>& texts) {
    std::string bad;
    auto out = parse_cidrs(texts, bad);
    REQUIRE(out);
    return *out;
}

std::string resolve(
    const ip_resolver& resolver, const ip_headers& headers, std::string_view peer = "192.0.2.1"
) {
    char buffer[64];
    return std::string(resolver.resolve(headers, parse_ip(peer), buffer));
}

ip_headers forwarded_for(const std::vector<std::string_view>& lines) {
    ip_headers out;
    for (const auto line : lines) out.x_forwarded_for.add(line);
    return out;
}

const ip_resolver contract({}, "", ip_policy::keep);

}  // namespace

TEST_CASE("client ip: addresses are parsed strictly and rendered canonically") {
    CHECK(shown(parse_ip("203.0.113.7")) == "203.0.113.7");
    CHECK(shown(parse_ip("2001:DB8:0:0:0:0:0:1")) == "2001:db8::1");
    CHECK(shown(parse_ip("::")) == "::");
    CHECK(shown(parse_ip("::1")) == "::1");
    CHECK(shown(parse_ip("1::")) == "1::");
    CHECK(shown(parse_ip("1:0:2:3:4:5:6:7")) == "1:0:2:3:4:5:6:7");
    CHECK(shown(parse_ip("1:0:0:2:0:0:0:3")) == "1:0:0:2::3");
    CHECK(shown(parse_ip("1:0:0:2:3:0:0:4")) == "1::2:3:0:0:4");
    CHECK(shown(parse_ip("0:0:1:2:3:4:5:6")) == "::1:2:3:4:5:6");
    CHECK(shown(parse_ip("1:2:3:4:5:6:0:0")) == "1:2:3:4:5:6::");
    CHECK(shown(parse_ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")).size() == 39);
    CHECK(shown(parse_ip("::ffff:192.0.2.9")) == "192.0.2.9");
    for (const std::string text :
         {"",
          "unknown",
          "1.2.3",
          "1.2.3.4.5",
          "256.1.1.1",
          "1.2.3.4:55",
          " 1.2.3.4",
          "fe80::1%eth0",
          "[::1]",
          "1:2:3:4:5:6:7:8:9",
          ":::",
          "_hidden"}) {
        INFO(text);
        CHECK(shown(parse_ip(text)) == "none");
    }
    CHECK(shown(parse_ip(std::string(5'000, '1'))) == "none");
    CHECK(shown(parse_ip(std::string_view("1.2.3.4\0", 8))) == "none");
}

TEST_CASE("client ip: ports and brackets are allowed where a form says so") {
    CHECK(shown(parse_ip_and_port("1.2.3.4:55")) == "1.2.3.4");
    CHECK(shown(parse_ip_and_port("1.2.3.4")) == "1.2.3.4");
    CHECK(shown(parse_ip_and_port("[2001:db8::1]:443")) == "2001:db8::1");
    CHECK(shown(parse_ip_and_port("[2001:db8::1]")) == "2001:db8::1");
    CHECK(shown(parse_ip_and_port("2001:db8::1")) == "2001:db8::1");
    for (const std::string text :
         {"[1.2.3.4]", "[::1", "[::1]x", "1.2.3.4:", "1.2.3.4:70000", "1.2.3.4:-1", ":", "[]"}) {
        INFO(text);
        CHECK(shown(parse_ip_and_port(text)) == "none");
    }
}

TEST_CASE("client ip: socket addresses convert and unix sockets have none") {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(0xCB007107);
    CHECK(shown(ip_of(reinterpret_cast<const sockaddr*>(&v4))) == "203.0.113.7");
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    CHECK(shown(ip_of(reinterpret_cast<const sockaddr*>(&v6))) == "::1");
    sockaddr_un local{};
    local.sun_family = AF_UNIX;
    CHECK(shown(ip_of(reinterpret_cast<const sockaddr*>(&local))) == "none");
    CHECK(shown(ip_of(nullptr)) == "none");
}

TEST_CASE("client ip: networks contain their addresses and no others") {
    const auto inside = [](std::string_view network, std::string_view address) {
        const auto parsed = parse_cidr(network);
        REQUIRE(parsed);
        return contains(*parsed, *parse_ip(address));
    };
    CHECK(inside("10.0.0.0/8", "10.255.255.255"));
    CHECK_FALSE(inside("10.0.0.0/8", "11.0.0.0"));
    CHECK(inside("10.1.2.3/8", "10.9.9.9"));
    CHECK(inside("192.168.128.0/17", "192.168.128.1"));
    CHECK_FALSE(inside("192.168.128.0/17", "192.168.127.255"));
    CHECK(inside("192.0.2.1", "192.0.2.1"));
    CHECK_FALSE(inside("192.0.2.1", "192.0.2.0"));
    CHECK(inside("0.0.0.0/0", "8.8.8.8"));
    CHECK_FALSE(inside("0.0.0.0/0", "2001:db8::1"));
    CHECK(inside("2001:db8::/32", "2001:db8:ffff::1"));
    CHECK_FALSE(inside("2001:db8::/33", "2001:db8:ffff::1"));
    CHECK(inside("::/0", "2001:db8::1"));
    CHECK_FALSE(inside("::/0", "8.8.8.8"));
    CHECK(inside("10.0.0.0/8", "::ffff:10.1.1.1"));
    CHECK(inside("::1", "::1"));
    for (const std::string text :
         {"",
          "/",
          "10.0.0.0/",
          "10.0.0.0/33",
          "::/129",
          "10.0.0.0/-1",
          "10.0.0.0/8 ",
          "10/8",
          "x"}) {
        INFO(text);
        CHECK_FALSE(parse_cidr(text));
    }
    std::string bad;
    CHECK_FALSE(parse_cidrs({"10.0.0.0/8", "nonsense"}, bad));
    CHECK(bad == "nonsense");
}

TEST_CASE("client ip: without trusted proxies the contract's order decides") {
    CHECK(resolve(contract, {}) == "192.0.2.1");
    CHECK(resolve(contract, forwarded_for({"unknown, 203.0.113.7, 10.0.0.1"})) == "203.0.113.7");
    CHECK(
        resolve(contract, forwarded_for({"unknown", "1.2.3.4:55 ,\t2001:DB8::5"})) == "2001:db8::5"
    );
    CHECK(resolve(contract, forwarded_for({"\"x, 203.0.113.7"})) == "203.0.113.7");
    ip_headers all = forwarded_for({"none"});
    all.cloudfront_viewer_address = "2001:db8::9:4711";
    CHECK(resolve(contract, all) == "2001:db8::9");
    all.cf_connecting_ip = "203.0.113.5";
    CHECK(resolve(contract, all) == "203.0.113.5");
    all.true_client_ip = "203.0.113.4";
    CHECK(resolve(contract, all) == "203.0.113.4");
    all.fly_client_ip = "203.0.113.3";
    CHECK(resolve(contract, all) == "203.0.113.3");
    all.x_real_ip = "203.0.113.2";
    CHECK(resolve(contract, all) == "203.0.113.2");
    all.forwarded.add("proto=https;for=_hidden, For=\"[2001:db8:cafe::17]:4711\";by=\"a,b\"");
    CHECK(resolve(contract, all) == "2001:db8:cafe::17");
    all.x_forwarded_for.add("203.0.113.1");
    CHECK(resolve(contract, all) == "203.0.113.1");
}

TEST_CASE("client ip: a peer without an address is 127.0.0.1 unless a header tells more") {
    CHECK(resolve(contract, {}, "") == "127.0.0.1");
    const ip_resolver trusting(networks({"10.0.0.0/8"}), "", ip_policy::keep);
    CHECK(resolve(trusting, {}, "") == "127.0.0.1");
    CHECK(resolve(trusting, forwarded_for({"203.0.113.7"}), "") == "203.0.113.7");
}

TEST_CASE("client ip: with trusted proxies only a trusted peer is believed, from the right") {
    const ip_resolver resolver(networks({"10.0.0.0/8", "2001:db8::/32"}), "", ip_policy::keep);
    const auto client = [&](const std::vector<std::string_view>& lines, std::string_view peer) {
        return resolve(resolver, forwarded_for(lines), peer);
    };
    CHECK(client({"1.1.1.1"}, "203.0.113.7") == "203.0.113.7");
    CHECK(client({"1.1.1.1, 203.0.113.7, 10.0.0.2"}, "10.0.0.1") == "203.0.113.7");
    CHECK(client({"1.1.1.1", "203.0.113.7:5000, 10.0.0.2"}, "10.0.0.1") == "203.0.113.7");
    CHECK(client({"1.1.1.1, unknown, 10.0.0.2"}, "10.0.0.1") == "10.0.0.2");
    CHECK(client({"1.1.1.1, unknown"}, "10.0.0.1") == "10.0.0.1");
    CHECK(client({"10.0.0.3, 10.0.0.2"}, "10.0.0.1") == "10.0.0.3");
    CHECK(client({" , ,203.0.113.7, ,"}, "2001:db8::1") == "203.0.113.7");
    CHECK(client({"\", 203.0.113.7"}, "10.0.0.1") == "203.0.113.7");
    CHECK(client({}, "10.0.0.1") == "10.0.0.1");
    CHECK(client({"203.0.113.7"}, "::ffff:10.0.0.1") == "203.0.113.7");
    ip_headers other;
    other.x_real_ip = "1.1.1.1";
    other.forwarded.add("for=1.1.1.1");
    CHECK(resolve(resolver, other, "10.0.0.1") == "10.0.0.1");
}

TEST_CASE("client ip: many header lines cannot push the proxy's own line out") {
    const ip_resolver resolver(networks({"10.0.0.0/8"}), "", ip_policy::keep);
    std::vector<std::string_view> lines(100, "10.0.0.9");
    lines.front() = "203.0.113.99";
    lines.back() = "203.0.113.7";
    CHECK(resolve(resolver, forwarded_for(lines), "10.0.0.1") == "203.0.113.7");
    CHECK(resolve(contract, forwarded_for(lines), "10.0.0.1") == "203.0.113.99");
    CHECK(forwarded_for(lines).x_forwarded_for.size() == 16);
}

TEST_CASE("client ip: a named header replaces X-Forwarded-For") {
    ip_headers headers = forwarded_for({"1.1.1.1"});
    const ip_resolver custom(networks({"10.0.0.0/8"}), "CF-Connecting-IP", ip_policy::keep);
    CHECK(custom.named_header() == "CF-Connecting-IP");
    CHECK(resolve(custom, headers, "10.0.0.1") == "10.0.0.1");
    headers.named.add("203.0.113.7");
    CHECK(resolve(custom, headers, "10.0.0.1") == "203.0.113.7");
    CHECK(resolve(custom, headers, "203.0.113.8") == "203.0.113.8");
    const ip_resolver everywhere({}, "CF-Connecting-IP", ip_policy::keep);
    CHECK(resolve(everywhere, headers, "203.0.113.8") == "203.0.113.7");

    ip_headers rfc7239;
    rfc7239.named.add("for=1.1.1.1, for=\"203.0.113.7:80\", for=10.0.0.2;proto=http");
    const ip_resolver forwarded(networks({"10.0.0.0/8"}), "Forwarded", ip_policy::keep);
    CHECK(resolve(forwarded, rfc7239, "10.0.0.1") == "203.0.113.7");

    ip_headers viewer;
    viewer.named.add("2001:db8::1:443");
    const ip_resolver cloudfront(
        networks({"10.0.0.0/8"}), "cloudfront-viewer-address", ip_policy::keep
    );
    CHECK(resolve(cloudfront, viewer, "10.0.0.1") == "2001:db8::1");
}

TEST_CASE("client ip: privacy truncates to networks or gives an address of nobody") {
    const ip_resolver truncating({}, "", ip_policy::truncate);
    CHECK(resolve(truncating, {}, "203.0.113.77") == "203.0.113.0");
    CHECK(resolve(truncating, {}, "2001:db8:1234:5678::1") == "2001:db8:1234::");
    CHECK(resolve(truncating, {}, "::ffff:203.0.113.77") == "203.0.113.0");
    const ip_resolver dropping({}, "", ip_policy::drop);
    CHECK(resolve(dropping, forwarded_for({"203.0.113.7"})) == "0.0.0.0");
    CHECK(resolve(dropping, {}, "2001:db8::1") == "0.0.0.0");
}
