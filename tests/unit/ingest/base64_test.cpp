#include "ingest/decode.hpp"
#include "tests/support/catch.hpp"

using headrace::ingest::base64_decode;

namespace {

std::string decoded(std::string_view in) {
    std::string out = "old";
    if (!base64_decode(in, out)) {
        CHECK(out.empty());
        return "<refused>";
    }
    return out;
}

}  // namespace

TEST_CASE("base64 of each length class decodes") {
    CHECK(decoded("") == "");
    CHECK(decoded("Zg==") == "f");
    CHECK(decoded("Zm8=") == "fo");
    CHECK(decoded("Zm9v") == "foo");
    CHECK(decoded("Zm9vYg==") == "foob");
    CHECK(decoded("Zm9vYmE=") == "fooba");
    CHECK(decoded("Zm9vYmFy") == "foobar");
    CHECK(decoded("+/+/") == "\xfb\xff\xbf");
    CHECK(decoded("AAAA") == std::string(3, '\0'));
}

TEST_CASE("base64 that is not canonical is refused") {
    for (const auto* text :
         {"Zg",        "Zg=",  "Zg===",    "Zm9",      "Z===",   "====",      "=",
          "Zg==Zg==",  "Zm=v", "=m9v",     "Z=9v",     "Zm9v\n", "Zm9v ",     " Zm9v",
          "Zm9vZm9\n", "Zm-_", "Zm9v====", "Zm9vY===", "Zm9.",   "Zm\xc3\xa9"}) {
        CAPTURE(text);
        CHECK(decoded(text) == "<refused>");
    }
    CHECK(decoded(std::string_view("Zm9\0", 4)) == "<refused>");
}

TEST_CASE("base64 with bits behind the last byte is refused") {
    CHECK(decoded("Zh==") == "<refused>");
    CHECK(decoded("Zv==") == "<refused>");
    CHECK(decoded("Zm9=") == "<refused>");
    CHECK(decoded("Zm+=") == "<refused>");
}

TEST_CASE("a wrong character anywhere in a long base64 text is noticed") {
    const std::string good(400, 'A');
    REQUIRE(decoded(good) == std::string(300, '\0'));
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const char wrong : {'-', ' ', '\xff', '\0'}) {
            auto bad = good;
            bad[i] = wrong;
            CAPTURE(i, wrong);
            REQUIRE(decoded(bad) == "<refused>");
        }
    }
}
