#include "server/proxy_protocol.hpp"

#include <string>

#include "tests/support/catch.hpp"

using namespace headrace::server;
using headrace::ingest::parse_ip;

namespace {

std::string v2(char command, char family, const std::string& addresses) {
    std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
    out += command;
    out += family;
    out += static_cast<char>(addresses.size() >> 8);
    out += static_cast<char>(addresses.size() & 0xff);
    return out + addresses;
}

}  // namespace

TEST_CASE("PROXY v1 names the client") {
    proxy_header h;
    const std::string line = "PROXY TCP4 203.0.113.7 10.0.0.1 5555 80\r\n";
    REQUIRE(parse_proxy_header(line + "POST /", h) == proxy_state::done);
    CHECK(h.size == line.size());
    CHECK(h.source == parse_ip("203.0.113.7"));
    REQUIRE(parse_proxy_header("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", h) == proxy_state::done);
    CHECK(h.source == parse_ip("2001:db8::1"));
    REQUIRE(parse_proxy_header("PROXY UNKNOWN\r\n", h) == proxy_state::done);
    CHECK(!h.source);
}

TEST_CASE("PROXY v2 names the client, also with more bytes behind the addresses") {
    proxy_header h;
    const std::string four = std::string("\xcb\x00\x71\x07\x0a\x00\x00\x01\x15\xb3\x00\x50", 12);
    const std::string bytes = v2('\x21', '\x11', four + "\x04\x00\x00");
    REQUIRE(parse_proxy_header(bytes, h) == proxy_state::done);
    CHECK(h.size == bytes.size());
    CHECK(h.source == parse_ip("203.0.113.7"));
    REQUIRE(parse_proxy_header(v2('\x20', '\x00', ""), h) == proxy_state::done);
    CHECK(!h.source);
    const std::string six = std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16) + std::string(16, '\0') + "abcd";
    REQUIRE(parse_proxy_header(v2('\x21', '\x21', six), h) == proxy_state::done);
    CHECK(h.source == parse_ip("2001:db8::1"));
}

TEST_CASE("every prefix of a PROXY header waits for more") {
    proxy_header h;
    const std::string four = std::string("\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02", 12);
    for (const std::string& whole : {std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"), v2('\x21', '\x11', four)})
        for (std::size_t n = 1; n < whole.size(); ++n) {
            CAPTURE(n);
            CHECK(parse_proxy_header({whole.data(), n}, h) == proxy_state::need_more);
        }
}

TEST_CASE("anything else in place of a PROXY header is refused") {
    proxy_header h;
    for (const std::string& bytes : {
             std::string("POST /e HTTP/1.1\r\n"), std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"),
             std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), std::string("PROXY TCP4 ::1 ::1 1 2\r\n"),
             std::string("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n"), std::string("PROXY TCP9 1.2.3.4 5.6.7.8 1 2\r\n"),
             "PROXY " + std::string(200, 'x'), v2('\x31', '\x11', std::string(12, '\1')),
             v2('\x21', '\x11', "abc"), v2('\x22', '\x11', std::string(12, '\1'))}) {
        CAPTURE(bytes);
        CHECK(parse_proxy_header(bytes, h) == proxy_state::bad);
    }
}
