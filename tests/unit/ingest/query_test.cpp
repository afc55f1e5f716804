#include "ingest/decode.hpp"
#include "tests/support/catch.hpp"

using namespace headrace::ingest;

namespace {

query_parameters parsed(std::string_view query) {
    query_parameters out;
    const auto error = parse_query(query, out);
    INFO(query);
    CHECK_FALSE(error.has_value());
    return out;
}

std::string refusal(std::string_view query) {
    query_parameters out;
    const auto error = parse_query(query, out);
    if (!error) return "<accepted>";
    CHECK(error->reason == reason::bad_query);
    return error->detail;
}

}  // namespace

TEST_CASE("an empty query sets nothing and clears what an earlier one set") {
    query_parameters out;
    REQUIRE_FALSE(parse_query("data=x&_=5&beacon=1&compression=gzip", out));
    REQUIRE(out.has_data);
    REQUIRE_FALSE(parse_query("", out));
    CHECK(out.compression == compression_hint::none);
    CHECK_FALSE(out.has_data);
    CHECK(out.data.empty());
    CHECK_FALSE(out.sent_at_ms.has_value());
    CHECK_FALSE(out.beacon);
}

TEST_CASE("the compression names are known in any case") {
    CHECK(parsed("compression=gzip").compression == compression_hint::gzip);
    CHECK(parsed("compression=gzip-js&ip=1&ver=1.2").compression == compression_hint::gzip);
    CHECK(parsed("compression=GZip-JS").compression == compression_hint::gzip);
    CHECK(parsed("compression=lz64").compression == compression_hint::lz64);
    CHECK(parsed("compression=LZ-String").compression == compression_hint::lz64);
    CHECK(parsed("compression=base64").compression == compression_hint::base64);
    CHECK(parsed("compression=B64").compression == compression_hint::base64);
    CHECK(parsed("compression=%67zip").compression == compression_hint::gzip);
    CHECK(parsed("compression=").compression == compression_hint::none);
    CHECK(parsed("compression").compression == compression_hint::none);
    CHECK(parsed("compression=zstd").compression == compression_hint::none);
    CHECK(parsed("compression=gzip+").compression == compression_hint::none);
}

TEST_CASE("data is form-decoded and counts only if not empty") {
    CHECK(parsed("data=%7B%22a%22%3A+1%7D").data == "{\"a\": 1}");
    CHECK(parsed("data=a%zzb%2").data == "a%zzb%2");
    CHECK(
        parsed("data=%ff%41").data ==
        "\xef\xbf\xbd"
        "A"
    );
    CHECK(parsed("data=a=b").data == "a=b");
    CHECK(parsed("d%61ta=x").has_data);
    CHECK_FALSE(parsed("data=").has_data);
    CHECK_FALSE(parsed("data").has_data);
    CHECK_FALSE(parsed("Data=x").has_data);
}

TEST_CASE("the send time is milliseconds under either name") {
    CHECK(parsed("_=1750000000123").sent_at_ms == 1750000000123);
    CHECK(parsed("sent_at=1750000000123").sent_at_ms == 1750000000123);
    CHECK(parsed("_=-5").sent_at_ms == -5);
    CHECK(parsed("_=%2B5").sent_at_ms == 5);
    CHECK(parsed("_=1750000000").sent_at_ms == 1750000000);
    CHECK(parsed("_=9223372036854775807").sent_at_ms == INT64_MAX);
    CHECK(parsed("_=-9223372036854775808").sent_at_ms == INT64_MIN);
    CHECK(parsed("_=000000000000000000000000000001").sent_at_ms == 1);
}

TEST_CASE("a beacon is the number one") {
    CHECK(parsed("beacon=1").beacon);
    CHECK(parsed("beacon=01").beacon);
    CHECK_FALSE(parsed("beacon=0").beacon);
    CHECK_FALSE(parsed("beacon=2").beacon);
    CHECK_FALSE(parsed("beacon=-1").beacon);
    CHECK_FALSE(parsed("beacon=2147483647").beacon);
}

TEST_CASE("unknown keys, empty pieces and broken escapes are ignored") {
    const auto out = parsed("&&ip=0&ver=1&ver=2&%zz=1&=x&lib_version=&retry_count=3&&v&beacon=1&");
    CHECK(out.beacon);
    CHECK_FALSE(out.has_data);
}

TEST_CASE("numbers that do not parse are refused with the library's words") {
    const std::string digit = "invalid digit found in string";
    const std::string empty = "cannot parse integer from empty string";
    const std::string large = "number too large to fit in target type";
    const std::string small = "number too small to fit in target type";
    CHECK(refusal("_=abc") == digit);
    CHECK(refusal("_=now") == digit);
    CHECK(refusal("_=1.5") == digit);
    CHECK(refusal("_=+5") == digit);
    CHECK(refusal("_=-") == digit);
    CHECK(refusal("_=%2B") == digit);
    CHECK(refusal("_=5%20") == digit);
    CHECK(refusal("_=%ff") == digit);
    CHECK(refusal("sent_at=") == empty);
    CHECK(refusal("_") == empty);
    CHECK(refusal("_=9223372036854775808") == large);
    CHECK(refusal("_=-9223372036854775809") == small);
    CHECK(refusal("_=99999999999999999999x") == large);
    CHECK(refusal("_=9999999999999999999x") == large);
    CHECK(refusal("_=999999999999999999x") == digit);
    CHECK(refusal("_=9223372036854775807x") == digit);
    CHECK(refusal("beacon=true") == digit);
    CHECK(refusal("beacon=") == empty);
    CHECK(refusal("beacon=2147483648") == large);
    CHECK(refusal("beacon=-2147483649") == small);
}

TEST_CASE("a known key twice is refused") {
    CHECK(refusal("_=1&_=2") == "duplicate field `sent_at`");
    CHECK(refusal("_=1&sent_at=2") == "duplicate field `sent_at`");
    CHECK(refusal("sent_at=1&_=x") == "duplicate field `sent_at`");
    CHECK(refusal("data=&data=") == "duplicate field `data`");
    CHECK(refusal("compression=&compression=gzip") == "duplicate field `compression`");
    CHECK(refusal("beacon=0&b%65acon=0") == "duplicate field `beacon`");
}

TEST_CASE("the first wrong pair decides the text") {
    CHECK(refusal("_=x&beacon=") == "invalid digit found in string");
    CHECK(refusal("beacon=&_=x") == "cannot parse integer from empty string");
    CHECK(refusal("data=1&data=2&_=x") == "duplicate field `data`");
}
