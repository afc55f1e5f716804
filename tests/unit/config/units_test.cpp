#include "config/units.hpp"

#include "tests/support/catch.hpp"

using namespace headrace::config;

namespace {

std::uint64_t size_of(const char* text) {
    std::uint64_t out = 0;
    auto bad = parse_size(text, out);
    INFO(text);
    REQUIRE_FALSE(bad.has_value());
    return out;
}

std::uint64_t duration_of(const char* text) {
    std::uint64_t out = 0;
    auto bad = parse_duration(text, out);
    INFO(text);
    REQUIRE_FALSE(bad.has_value());
    return out;
}

std::string refused_size(const char* text) {
    std::uint64_t out = 7;
    auto bad = parse_size(text, out);
    INFO(text);
    REQUIRE(bad.has_value());
    CHECK(out == 7);
    CHECK_FALSE(bad->remedy.empty());
    return bad->reason;
}

std::string refused_duration(const char* text) {
    std::uint64_t out = 7;
    auto bad = parse_duration(text, out);
    INFO(text);
    REQUIRE(bad.has_value());
    CHECK(out == 7);
    return bad->reason;
}

}  // namespace

TEST_CASE("sizes are read with their unit") {
    CHECK(size_of("20MiB") == 20ULL << 20);
    CHECK(size_of(" 1 GiB ") == 1ULL << 30);
    CHECK(size_of("64KiB") == 65'536);
    CHECK(size_of("1000000B") == 1'000'000);
    CHECK(size_of("0") == 0);
    CHECK(size_of("8589934591GiB") == 8'589'934'591ULL << 30);
}

TEST_CASE("sizes that are not clear are refused") {
    CHECK(refused_size("20") == "a size needs a unit");
    CHECK(refused_size("20MB") == "the unit is not known");
    CHECK(refused_size("20mib") == "the unit is not known");
    CHECK(refused_size("1.5GiB") == "fractions are not accepted");
    CHECK(refused_size("-1GiB") == "a negative value makes no sense here");
    CHECK(refused_size("") == "the value is empty");
    CHECK(refused_size("  ") == "the value is empty");
    CHECK(refused_size("MiB") == "this is not a number");
    CHECK(refused_size("+1MiB") == "this is not a number");
    CHECK(refused_size("8589934592GiB") == "the number is too large");
    CHECK(refused_size("18446744073709551616B") == "the number is too large");
    CHECK(refused_size("1MiB1") == "the unit is not known");
}

TEST_CASE("durations are read with their unit") {
    CHECK(duration_of("250ms") == 250);
    CHECK(duration_of("5s") == 5'000);
    CHECK(duration_of("2m") == 120'000);
    CHECK(duration_of("168h") == 604'800'000);
    CHECK(duration_of("0") == 0);
    CHECK(duration_of("0s") == 0);
}

TEST_CASE("durations that are not clear are refused") {
    CHECK(refused_duration("5") == "a duration needs a unit");
    CHECK(refused_duration("5d") == "the unit is not known");
    CHECK(refused_duration("5S") == "the unit is not known");
    CHECK(refused_duration("-5s") == "a negative value makes no sense here");
    CHECK(refused_duration("9223372036854775807h") == "the number is too large");
}

TEST_CASE("booleans are true or false in any letter case") {
    bool out = false;
    CHECK_FALSE(parse_bool(" True ", out).has_value());
    CHECK(out);
    CHECK_FALSE(parse_bool("FALSE", out).has_value());
    CHECK_FALSE(out);
    for (auto text : {"", "1", "yes", "on", "truee"}) {
        CAPTURE(text);
        CHECK(parse_bool(text, out).has_value());
    }
}

TEST_CASE("lists are split at commas without blanks or empty entries") {
    CHECK(parse_list(" a:1 , b:2,,c ") == std::vector<std::string>{"a:1", "b:2", "c"});
    CHECK(parse_list("").empty());
    CHECK(parse_list(" , ").empty());
}

TEST_CASE("what is printed is read back as the same value") {
    for (std::uint64_t value :
         {0ULL, 1ULL, 1'023ULL, 1'024ULL, 1'000'000ULL, 20ULL << 20, 3ULL << 30}) {
        std::uint64_t back = 1;
        REQUIRE_FALSE(parse_size(format_size(value), back).has_value());
        CHECK(back == value);
        REQUIRE_FALSE(parse_duration(format_duration(value), back).has_value());
        CHECK(back == value);
    }
    CHECK(format_size(20ULL << 20) == "20MiB");
    CHECK(format_duration(330'000) == "330s");
    CHECK(format_duration(7'200'000) == "2h");
}
