#include "ingest/inflate.hpp"

#include "ingest/request.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ingest/gzip_maker.hpp"

using namespace headrace::ingest;
using namespace headrace::test;
using namespace std::string_literals;

namespace {

const std::string json = R"({"event":"a"}{"event":"a"}{"event":"a"})";
// Made by zlib at level 9.
const std::string packed_by_zlib =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x2d\x4b\xcd\x2b\x51\xb2\x52\x4a\x54\xaa"
    "\xad\xc6\xc9\x01\x00\xcd\x66\xf4\xb3\x27\x00\x00\x00"s;

std::string long_text(std::size_t size) {
    std::string text;
    std::uint32_t state = 1;
    while (text.size() < size) {
        state = state * 1664525U + 1013904223U;
        text += "{\"event\":\"" + std::to_string(state >> 12) + "\"},";
    }
    text.resize(size);
    return text;
}

std::string inflated(inflater& machine, std::string_view in) {
    switch (machine.gunzip(in)) {
        case inflate_result::ok:
            break;
        case inflate_result::bad:
            return "<bad>";
        case inflate_result::too_big:
            return "<too big " + std::to_string(machine.size()) + ">";
    }
    CHECK(
        std::string(machine.data() + machine.size(), json_padding) ==
        std::string(json_padding, '\0')
    );
    return {machine.data(), machine.size()};
}

std::string inflated(std::string_view in, std::size_t limit = 1'000'000) {
    inflater machine(limit);
    return inflated(machine, in);
}

}  // namespace

TEST_CASE("gzip of several sizes inflates, one machine for all") {
    inflater machine(8'000'000);
    CHECK(inflated(machine, packed_by_zlib) == json);
    for (const std::size_t size :
         {0UL, 1UL, 63UL, 65'535UL, 65'536UL, 65'537UL, 262'144UL, 262'145UL, 5'000'000UL, 10UL}) {
        CAPTURE(size);
        const auto text = long_text(size);
        REQUIRE(inflated(machine, gzip(text)) == text);
    }
}

TEST_CASE("what follows the first gzip member is ignored") {
    for (const std::string& text : {json, long_text(600'000)}) {
        const auto member = gzip(text);
        CHECK(inflated(member + member) == text);
        CHECK(inflated(member + "x") == text);
        CHECK(inflated(member + std::string(20, '\0')) == text);
        CHECK(inflated(member + std::string(20, '\xff')) == text);
        CHECK(inflated(member + "\x1f\x8b\x08 broken") == text);
    }
}

TEST_CASE("gzip cut off at any byte is refused") {
    for (const std::string& whole : {gzip(json), packed_by_zlib, gzip(long_text(3'000))}) {
        inflater machine(1'000'000);
        for (std::size_t size = 0; size < whole.size(); ++size) {
            CAPTURE(size);
            REQUIRE(inflated(machine, std::string_view(whole).substr(0, size)) == "<bad>");
        }
        REQUIRE(inflated(machine, whole) != "<bad>");
    }
    const auto big = gzip(long_text(700'000));
    for (std::size_t size = big.size() - 20; size < big.size(); ++size) {
        REQUIRE(inflated(std::string_view(big).substr(0, size)) == "<bad>");
    }
}

TEST_CASE("a wrong checksum or length is refused") {
    for (const std::string& text : {""s, json, long_text(600'000)}) {
        const auto whole = gzip(text);
        for (std::size_t i = whole.size() - 8; i < whole.size(); ++i) {
            for (const char mask : {'\x01', '\x80'}) {
                auto damaged = whole;
                damaged[i] = static_cast<char>(damaged[i] ^ mask);
                CAPTURE(i);
                REQUIRE(inflated(damaged) == "<bad>");
            }
        }
    }
}

TEST_CASE("optional gzip header fields are skipped") {
    const auto rest = deflate(json) + gzip_trailer(json);
    CHECK(inflated(gzip_header(0x01) + rest) == json);
    CHECK(inflated(gzip_header(0x04) + "\x03\x00"s + "abc" + rest) == json);
    CHECK(inflated(gzip_header(0x04) + "\x00\x00"s + rest) == json);
    CHECK(inflated(gzip_header(0x04) + "\xff\xff"s + std::string(65'535, 'x') + rest) == json);
    CHECK(inflated(gzip_header(0x08) + "name\0"s + rest) == json);
    CHECK(inflated(gzip_header(0x08) + "\0"s + rest) == json);
    CHECK(inflated(gzip_header(0x10) + std::string(100'000, 'c') + "\0"s + rest) == json);

    const auto head = gzip_header(0x1e) + "\x02\x00"s + "ab" + "n\0"s + "c\0"s;
    const auto crc = little_endian(crc32(head)).substr(0, 2);
    CHECK(inflated(head + crc + rest) == json);
    CHECK(inflated(head + "\x00\x00"s + rest) == "<bad>");
}

TEST_CASE("hostile gzip headers are refused") {
    const auto rest = deflate(json) + gzip_trailer(json);
    for (const unsigned flags : {0x20U, 0x40U, 0x80U})
        CHECK(inflated(gzip_header(flags) + rest) == "<bad>");
    CHECK(inflated(gzip_header(0x04) + "\xff\xff"s + rest) == "<bad>");
    CHECK(inflated(gzip_header(0x04) + "\x01") == "<bad>");
    CHECK(inflated(gzip_header(0x08) + "name without end") == "<bad>");
    CHECK(inflated(gzip_header(0x10) + std::string(100'000, 'c')) == "<bad>");
    CHECK(inflated(gzip_header(0x02)) == "<bad>");
    CHECK(inflated(gzip_header()) == "<bad>");
    auto method = gzip(json);
    method[2] = 7;
    CHECK(inflated(method) == "<bad>");
    CHECK(inflated("") == "<bad>");
    CHECK(inflated("{}") == "<bad>");
    CHECK(inflated(std::string(100, '\0')) == "<bad>");
}

TEST_CASE("each cut of a header with all fields is refused") {
    const auto head = gzip_header(0x1e) + "\x02\x00"s + "ab" + "n\0"s + "c\0"s;
    const auto whole = head + little_endian(crc32(head)).substr(0, 2);
    REQUIRE(gzip_header_size(whole) == whole.size());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        REQUIRE(gzip_header_size(std::string_view(whole).substr(0, size)) == 0);
    }
}

TEST_CASE("broken deflate data is refused") {
    CHECK(inflated(gzip_header() + "\x07"s + gzip_trailer("")) == "<bad>");  // block type 3
    CHECK(
        inflated(gzip_header() + "\x01\x01\x00\x00\x00x"s + gzip_trailer("x")) == "<bad>"
    );  // LEN, NLEN
    CHECK(inflated(gzip_header() + "\x01\x01\x00\xfe\xffx"s + gzip_trailer("x")) == "x");
    // Refers to sixteen bytes before the start.
    CHECK(
        inflated(gzip_header() + "\x4b\x44\xe3\x03\x00"s + gzip_trailer("abcdefgh12345678")) ==
        "<bad>"
    );
    // Flipped bits behind the end mark change nothing; everything else must be noticed.
    const auto whole = gzip(json);
    std::size_t unnoticed = 0;
    for (std::size_t i = 10; i + 8 < whole.size(); ++i) {
        auto damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
        const auto result = inflated(damaged);
        CAPTURE(i);
        if (result == json) {
            ++unnoticed;
        } else {
            REQUIRE(result == "<bad>");
        }
    }
    CHECK(unnoticed <= 2);
}

TEST_CASE("the limit is exact") {
    for (const std::size_t limit : {1UL, 100UL, 8'191UL, 8'192UL, 8'193UL, 70'000UL, 300'000UL}) {
        CAPTURE(limit);
        CHECK(inflated(gzip(long_text(limit - 1)), limit).size() == limit - 1);
        CHECK(inflated(gzip(long_text(limit)), limit) == long_text(limit));
        CHECK(
            inflated(gzip(long_text(limit + 1)), limit) ==
            "<too big " + std::to_string(limit + 1) + ">"
        );
        const auto last_step = (limit / inflater::step + 1) * inflater::step;
        CHECK(
            inflated(gzip(long_text(limit * 3 + 20'000)), limit) ==
            "<too big " + std::to_string(last_step) + ">"
        );
    }
    CHECK(inflated(gzip(""), 0) == "");
    CHECK(inflated(gzip("x"), 0) == "<too big 1>");
}

TEST_CASE("a bomb takes no more memory than the limit and one step") {
    const auto bomb = gzip(std::string(50'000'000, '\0'));
    inflater machine(1'000'000);
    const auto empty = machine.held_bytes();
    CHECK(machine.gunzip(bomb) == inflate_result::too_big);
    CHECK(machine.held_bytes() - empty <= 1'000'000 + inflater::step);
    CHECK(inflated(machine, packed_by_zlib) == json);
}

TEST_CASE("a lie in the length field costs no more than the fast path's buffer") {
    auto lie = packed_by_zlib;
    lie.replace(lie.size() - 4, 4, "\x00\x00\x04\x00"s);
    inflater machine(100'000'000);
    const auto empty = machine.held_bytes();
    CHECK(inflated(machine, lie) == "<bad>");
    CHECK(machine.held_bytes() - empty <= 262'144);
    lie.replace(lie.size() - 4, 4, "\xff\xff\xff\xff"s);
    CHECK(inflated(machine, lie) == "<bad>");
    CHECK(machine.held_bytes() - empty <= 262'144);
}

TEST_CASE("a big buffer is given back, a small one is kept") {
    inflater machine(8'000'000);
    const auto empty = machine.held_bytes();
    REQUIRE(machine.gunzip(gzip(long_text(3'000'000))) == inflate_result::ok);
    CHECK(machine.held_bytes() - empty >= 3'000'000);
    machine.release();
    CHECK(machine.held_bytes() == empty);
    REQUIRE(machine.gunzip(packed_by_zlib) == inflate_result::ok);
    const auto small = machine.held_bytes();
    machine.release();
    CHECK(machine.held_bytes() == small);
    CHECK(inflated(machine, packed_by_zlib) == json);
}
