#pragma once
// One request through a decoder, as text: what was decoded, or why it was refused.
#include "ingest/decode.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ingest/gzip_maker.hpp"

#include <string>

namespace headrace::test {

using namespace headrace::ingest;

inline const std::string json = R"({"event":"a"})";
inline const std::string json_base64 = "eyJldmVudCI6ImEifQ==";
inline const std::string json_lz64 = "N4IgpgbmB2AuIC4QEMQF8g==";
// lz64 of base64 of the same.
inline const std::string json_base64_lz64 = "KYTwUgNgJgtgagVygYQJIDZUwKIEsBmAigLzFA==";
inline const std::string form = "application/x-www-form-urlencoded";
inline const std::string expected_form = "bad_encoding: expected form data in POST request payload";
inline const std::string bad_gzip = "bad_encoding: invalid GZIP data";

inline std::string name_of(reason why) {
    switch (why) {
        case reason::bad_encoding:
            return "bad_encoding";
        case reason::inflated_too_big:
            return "inflated_too_big";
        case reason::empty_payload:
            return "empty_payload";
        case reason::no_memory:
            return "no_memory";
        default:
            return "unexpected reason";
    }
}

struct call {
    std::string body{};
    std::string query{};
    headrace::ingest::route route = route::i_v0_e;
    std::string content_type{};
    std::string content_encoding{};
    std::size_t limit = 1'000'000;
};

// The decoded text, or the reason and detail of the refusal.
inline std::string run(decoder& machine, const call& c, decoded& out) {
    query_parameters query;
    REQUIRE_FALSE(parse_query(c.query, query));
    std::string body = c.body + std::string(json_padding, '\0');
    request req;
    req.route = c.route;
    req.content_type = c.content_type;
    req.content_encoding = c.content_encoding;
    req.body = body.data();
    req.body_size = c.body.size();
    if (const auto error = machine.decode(req, query, out)) {
        return name_of(error->reason) + ": " + error->detail;
    }
    std::size_t sum = 0;  // lets a sanitizer see that the padding may be read
    for (std::size_t i = 0; i < json_padding; ++i)
        sum += static_cast<unsigned char>(out.text[out.size + i]);
    CHECK(sum < json_padding * 256);
    return {out.text, out.size};
}

inline std::string run(const call& c) {
    decoder machine(c.limit);
    decoded out;
    return run(machine, c, out);
}

inline std::string base64(std::string_view in) {
    static constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < in.size(); i += 3) {
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            bits = bits << 8 | (i + j < in.size() ? static_cast<unsigned char>(in[i + j]) : 0U);
        }
        for (unsigned j = 0; j < 4; ++j) {
            out += i + j > in.size() ? '=' : alphabet[bits >> (18 - 6 * j) & 63];
        }
    }
    return out;
}

inline std::string percent(std::string_view in) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : in) {
        const auto b = static_cast<unsigned char>(c);
        out += '%';
        out += digits[b >> 4];
        out += digits[b & 15];
    }
    return out;
}

}  // namespace headrace::test
