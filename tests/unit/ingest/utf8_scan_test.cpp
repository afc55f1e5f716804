#include "ingest/utf8_scan.hpp"

#include "tests/support/catch.hpp"

#include <cstdint>

using namespace headrace::ingest;

namespace {

// As UTF-8 would write it, surrogates and numbers beyond U+10FFFF included.
std::string encoded(std::uint32_t point) {
    const auto tail = [point](unsigned shift) {
        return static_cast<char>(0x80 | (point >> shift & 0x3f));
    };
    if (point < 0x80) return {static_cast<char>(point)};
    if (point < 0x800) return {static_cast<char>(0xc0 | point >> 6), tail(0)};
    if (point < 0x10000) return {static_cast<char>(0xe0 | point >> 12), tail(6), tail(0)};
    return {static_cast<char>(0xf0 | point >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

TEST_CASE("every code point but the surrogates is UTF-8") {
    for (std::uint32_t point = 0; point < 0x140000; ++point) {
        const auto text = encoded(point);
        const bool good = point < 0x110000 && (point < 0xd800 || point > 0xdfff);
        const auto sequence = next_utf8(text);
        if (sequence.valid != good || (good && sequence.size != text.size())) {
            CAPTURE(point);
            FAIL();
        }
    }
}

TEST_CASE("every cut of a sequence is one maximal subpart") {
    for (const std::uint32_t point : {0x80U, 0x7ffU, 0x800U, 0xffffU, 0x10000U, 0x10ffffU}) {
        const auto text = encoded(point);
        for (std::size_t size = 1; size < text.size(); ++size) {
            const auto cut = next_utf8(std::string_view(text).substr(0, size));
            CHECK_FALSE(cut.valid);
            CHECK(cut.size == size);
            const auto broken = next_utf8(text.substr(0, size) + "x");
            CHECK_FALSE(broken.valid);
            CHECK(broken.size == size);
        }
    }
}

TEST_CASE("overlong spellings are not UTF-8") {
    for (const auto* text : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf"}) {
        CHECK_FALSE(next_utf8(text).valid);
        CHECK(next_utf8(text).size == 1);
    }
}

TEST_CASE("a bad byte is found at any place of a text") {
    CHECK(is_utf8(""));
    for (std::size_t size = 1; size < 40; ++size) {
        std::string text(size, 'x');
        REQUIRE(is_utf8(text));
        REQUIRE(is_utf8(text + "\xe2\x82\xac" + text));
        for (std::size_t at = 0; at < size; ++at) {
            auto bad = text;
            bad[at] = '\xff';
            REQUIRE_FALSE(is_utf8(bad));
            bad[at] = '\xe2';
            REQUIRE_FALSE(is_utf8(bad));
        }
    }
}

TEST_CASE("good text is left alone and bad text is repaired") {
    std::string scratch;
    std::string text = "plain \xe2\x82\xac text";
    replace_bad_utf8(text, scratch);
    CHECK(text == "plain \xe2\x82\xac text");
    text = "sixteen letters!\xff\xe2\x82";
    replace_bad_utf8(text, scratch);
    CHECK(text == "sixteen letters!\xef\xbf\xbd\xef\xbf\xbd");
}
