#include "ingest/uuid.hpp"

#include "tests/support/catch.hpp"

#include <set>
#include <string>

using namespace headrace::ingest;

namespace {

std::string text_of(const uuid& id) {
    std::string out(36, '?');
    render_uuid(id, out.data());
    return out;
}

std::string parsed(std::string_view text) {
    const auto id = parse_uuid(text);
    return id ? text_of(*id) : "none";
}

}  // namespace

TEST_CASE("uuid: the four spellings in any case give the hyphenated lower-case form") {
    const std::string expected = "0190a5f3-1b2c-7d4e-8f60-123456789abc";
    CHECK(parsed("0190a5f3-1b2c-7d4e-8f60-123456789abc") == expected);
    CHECK(parsed("0190A5F3-1B2C-7D4E-8F60-123456789ABC") == expected);
    CHECK(parsed("0190a5f31b2c7d4e8f60123456789abc") == expected);
    CHECK(parsed("{0190a5f3-1b2c-7d4e-8f60-123456789aBC}") == expected);
    CHECK(parsed("urn:uuid:0190a5f3-1b2c-7d4e-8f60-123456789abc") == expected);
    CHECK(parsed("00000000000000000000000000000000") == "00000000-0000-0000-0000-000000000000");
    CHECK(parsed("ffffffff-ffff-ffff-ffff-ffffffffffff") == "ffffffff-ffff-ffff-ffff-ffffffffffff");
}

TEST_CASE("uuid: other text is refused") {
    for (const std::string text :
         {"",
          "1",
          "0190a5f3-1b2c-7d4e-8f60-123456789ab",
          "0190a5f3-1b2c-7d4e-8f60-123456789abcd",
          "0190a5f3-1b2c-7d4e-8f60-123456789abg",
          "0190a5f3x1b2c-7d4e-8f60-123456789abc",
          "0190a5f31-b2c-7d4e-8f60-123456789abc",
          "{0190a5f3-1b2c-7d4e-8f60-123456789abc)",
          "{0190a5f31b2c7d4e8f60123456789abc}",
          "urn:uuix:0190a5f3-1b2c-7d4e-8f60-123456789abc",
          "urn:uuid:0190a5f31b2c7d4e8f60123456789abc",
          " 190a5f31b2c7d4e8f60123456789abc"}) {
        INFO(text);
        CHECK(parsed(text) == "none");
    }
    std::string high(32, '\xFF');
    CHECK(parsed(high) == "none");
}

TEST_CASE("uuid: a random id survives rendering and parsing") {
    random_source random(7);
    for (int i = 0; i < 1000; ++i) {
        const uuid id = make_uuid_v7(static_cast<std::int64_t>(random.next() >> 17), random);
        const auto again = parse_uuid(text_of(id));
        REQUIRE(again);
        CHECK(*again == id);
    }
}

TEST_CASE("uuid: version 7 carries the milliseconds, the version and the variant") {
    random_source random(1);
    const std::string text = text_of(make_uuid_v7(0x0190A5F31B2C, random));
    CHECK(text.substr(0, 15) == "0190a5f3-1b2c-7");
    CHECK(std::string("89ab").find(text[19]) != std::string::npos);
    CHECK(text_of(make_uuid_v7(-1, random)).substr(0, 15) == "00000000-0000-7");
    CHECK(text_of(make_uuid_v7(INT64_MIN, random)).substr(0, 15) == "00000000-0000-7");
}

TEST_CASE("uuid: ids of one millisecond differ, also between two system-seeded sources") {
    random_source a;
    random_source b;
    std::set<uuid> seen;
    for (int i = 0; i < 10'000; ++i) {
        seen.insert(make_uuid_v7(5, a));
        seen.insert(make_uuid_v7(5, b));
    }
    CHECK(seen.size() == 20'000);
}

TEST_CASE("uuid: every random bit takes both values and a seed repeats its sequence") {
    random_source random(99);
    uuid ones{};
    uuid zeros{};
    for (int i = 0; i < 1000; ++i) {
        const uuid id = make_uuid_v7(0, random);
        for (std::size_t k = 0; k < id.size(); ++k) {
            ones[k] = static_cast<std::uint8_t>(ones[k] | id[k]);
            zeros[k] = static_cast<std::uint8_t>(zeros[k] | static_cast<std::uint8_t>(~id[k]));
        }
    }
    CHECK(text_of(ones) == "00000000-0000-7fff-bfff-ffffffffffff");
    CHECK(text_of(zeros) == "ffffffff-ffff-8fff-7fff-ffffffffffff");
    random_source x(42);
    random_source y(42);
    CHECK(x.next() == y.next());
    CHECK(x.next() == y.next());
}
