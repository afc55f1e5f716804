#include "ingest/form.hpp"

#include "tests/support/catch.hpp"

using namespace headrace::ingest;

namespace {

std::string component(std::string_view in) {
    std::string out = "old";
    form_decode_component(in, out);
    return out;
}

const std::string bad = "\xef\xbf\xbd";

}  // namespace

TEST_CASE("a form component is percent-decoded") {
    CHECK(component("") == "");
    CHECK(component("a+b%20c") == "a b c");
    CHECK(component("%2B%2b%25") == "++%");
    CHECK(component("%e2%82%ac\xe2\x82\xac") == "\xe2\x82\xac\xe2\x82\xac");
    CHECK(component("%00x") == std::string("\0x", 2));
}

TEST_CASE("a broken escape stays as it is") {
    CHECK(component("%") == "%");
    CHECK(component("%4") == "%4");
    CHECK(component("%zz%4g%g4") == "%zz%4g%g4");
    CHECK(component("%%41") == "%A");
    CHECK(component("100%") == "100%");
    CHECK(component("%41%4") == "A%4");
}

TEST_CASE("each maximal subpart of broken UTF-8 becomes one replacement character") {
    CHECK(component("%ff") == bad);
    CHECK(component("a%80%80b") == "a" + bad + bad + "b");
    CHECK(component("%c0%af") == bad + bad);
    CHECK(component("%e2%82") == bad);
    CHECK(component("%e2%82x") == bad + "x");
    CHECK(component("%e2%28%a1") == bad + "(" + bad);
    CHECK(component("%ed%a0%80") == bad + bad + bad);
    CHECK(component("%e0%80%80") == bad + bad + bad);
    CHECK(component("%f0%9f%98") == bad);
    CHECK(component("%f0%9f%98%80%f0%9f") == "\xf0\x9f\x98\x80" + bad);
    CHECK(component("%f4%90%80%80") == bad + bad + bad + bad);
    CHECK(component("%f5%80") == bad + bad);
    CHECK(component("%c3%c3%a9") == bad + "\xc3\xa9");
    CHECK(component("\xff") == bad);
}

TEST_CASE("a payload is a form if a known field starts in its first 128 bytes") {
    for (const auto* text :
         {"data=",
          "data=x",
          "_=1",
          "ip=1",
          "compression=gzip",
          "x=1&data=2",
          "&data=",
          "a&&_=",
          "{&ip="}) {
        CAPTURE(text);
        CHECK(looks_like_form(text));
    }
    for (const auto* text :
         {"",
          "data",
          "Data=x",
          "xdata=1",
          "x=data=",
          "{\"data=\":1}",
          "a=b&c=d",
          "da&ta=",
          "compression",
          "&"}) {
        CAPTURE(text);
        CHECK_FALSE(looks_like_form(text));
    }
    CHECK(looks_like_form(std::string(122, 'x') + "&data="));
    CHECK_FALSE(looks_like_form(std::string(123, 'x') + "&data="));
    CHECK_FALSE(looks_like_form(std::string(128, 'x') + "&data="));
}

TEST_CASE("a form gives its data and its compression") {
    form_fields fields;
    std::string data;
    REQUIRE(parse_form("ver=1&data=%7B%7D&compression=LZ64&x", fields, data));
    CHECK(fields.has_data);
    CHECK(data == "{}");
    CHECK(fields.compression == compression_hint::lz64);

    REQUIRE(parse_form("ip=1&ip=2&compression=zstd", fields, data));
    CHECK_FALSE(fields.has_data);
    CHECK(fields.compression == compression_hint::none);

    REQUIRE(parse_form("data=", fields, data));
    CHECK(fields.has_data);
    CHECK(data.empty());
}

TEST_CASE("a form with a known field twice is no form") {
    form_fields fields;
    std::string data;
    CHECK_FALSE(parse_form("data=1&data=2", fields, data));
    CHECK_FALSE(parse_form("data=1&d%61t%61=2", fields, data));
    CHECK_FALSE(parse_form("compression=&compression=", fields, data));
}

TEST_CASE("the content encoding is compared exactly") {
    CHECK(parse_compression("gzip", true) == compression_hint::gzip);
    CHECK(parse_compression("lz-string", true) == compression_hint::lz64);
    CHECK(parse_compression("GZIP", true) == compression_hint::none);
    CHECK(parse_compression("gzip, br", true) == compression_hint::none);
    CHECK(parse_compression("zstd", true) == compression_hint::none);
    CHECK(parse_compression("", true) == compression_hint::none);
}
