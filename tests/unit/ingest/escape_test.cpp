#include "ingest/escape.hpp"

#include "tests/support/catch.hpp"

#include <cstring>
#include <random>
#include <string>
#include <vector>

using namespace headrace::ingest;

namespace {

// The rule again, byte by byte and without any table.
std::string expected(std::string_view in) {
    std::string out;
    for (const char c : in) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += {'\\', c};
        } else if (byte >= 0x20) {
            out += c;
        } else if (const char* at = std::strchr("\bb\ff\nn\rr\tt", c); byte != 0 && at != nullptr) {
            out += {'\\', at[1]};
        } else {
            const std::string_view digits = "0123456789abcdef";
            out += {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};
        }
    }
    return out;
}

std::vector<escape_variant> variants() {
    std::vector<escape_variant> out;
    for (const auto v : {escape_variant::scalar, escape_variant::sse2, escape_variant::vbmi2}) {
        if (available(v)) out.push_back(v);
    }
    return out;
}

// Runs on exactly sized heap blocks, so that a sanitizer sees any access outside; without one, the
// canary behind the promised room sees wide stores.
void check(escape_variant variant, std::string_view text, std::size_t room) {
    const std::string want = expected(text);
    std::vector<char> in(text.begin(), text.end());
    std::vector<char> out(room + 64, '\x5A');
    char* end = escape_with(variant, {in.data(), in.size()}, out.data());
    const auto n = static_cast<std::size_t>(end - out.data());
    REQUIRE(n == want.size());
    REQUIRE(std::memcmp(out.data(), want.data(), n) == 0);
    for (std::size_t i = room; i < out.size(); ++i) REQUIRE(out[i] == '\x5A');
    std::vector<char> exact(room);
    escape_with(variant, {in.data(), in.size()}, exact.data());
}

std::string random_text(std::mt19937& random, std::size_t n, std::string_view alphabet) {
    std::string out(n, ' ');
    for (char& c : out) c = alphabet[random() % alphabet.size()];
    return out;
}

}  // namespace

TEST_CASE("escape: every byte value follows serde_json's rule in every variant") {
    for (const auto variant : variants()) {
        CAPTURE(static_cast<int>(variant));
        for (int c = 0; c < 256; ++c) {
            const std::string one(1, static_cast<char>(c));
            check(variant, one, escaped_max(1));
            const std::string padded = std::string(37, 'x') + one + std::string(37, 'y');
            check(variant, padded, escaped_max(padded.size()));
        }
    }
}

TEST_CASE("escape: all variants agree on every length with plain, dense and mixed text") {
    std::mt19937 random(11);
    std::string all_bytes(256, ' ');
    for (std::size_t i = 0; i < 256; ++i) all_bytes[i] = static_cast<char>(i);
    for (const auto variant : variants()) {
        CAPTURE(static_cast<int>(variant));
        for (std::size_t n = 0; n <= 300; ++n) {
            CAPTURE(n);
            check(variant, std::string(n, 'a'), escaped_json_max(n));
            check(variant, std::string(n, '"'), escaped_json_max(n));
            check(variant, std::string(n, '\n'), escaped_json_max(n));
            check(variant, std::string(n, '\x01'), escaped_max(n));
            check(variant, random_text(random, n, all_bytes), escaped_max(n));
            check(variant, random_text(random, n, "abcdefg\""), escaped_json_max(n));
            check(variant, random_text(random, n, "{}:,\"\\ \n\r\t\xC3\xA4"), escaped_json_max(n));
        }
    }
}

TEST_CASE("escape: alignment of input and output does not matter") {
    std::mt19937 random(12);
    const std::string text = random_text(random, 200, "ab\"\\\n\x02\xE2\x80\xA8");
    for (const auto variant : variants()) {
        for (std::size_t shift = 0; shift < 64; ++shift) {
            std::vector<char> in(shift);
            in.insert(in.end(), text.begin(), text.end());
            std::vector<char> out(shift + escaped_max(text.size()));
            char* end = escape_with(variant, {in.data() + shift, text.size()}, out.data() + shift);
            const std::string got(out.data() + shift, end);
            REQUIRE(got == expected(text));
        }
    }
}

TEST_CASE("escape: the chosen variant gives the same bytes") {
    std::mt19937 random(13);
    for (int i = 0; i < 50; ++i) {
        const std::string text = random_text(random, random() % 3000, "abc\"\\\n\x1F\x7F/");
        std::vector<char> out(escaped_max(text.size()));
        CHECK(std::string(out.data(), escape(text, out.data())) == expected(text));
    }
    CHECK(available(escape_variant::scalar));
}
