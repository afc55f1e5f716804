#include "ingest/event.hpp"

#include "ingest/event_facts.hpp"
#include "ingest/json_text.hpp"
#include "tests/support/catch.hpp"

using namespace headrace::ingest;

TEST_CASE("Token faults are found in the contract's order") {
    CHECK(token_fault("phc_x") == "");
    CHECK(token_fault("") == "empty");
    CHECK(token_fault(std::string(64, 'x')) == "");
    CHECK(token_fault("phx_" + std::string(61, '\xc3')) == "too_long");
    CHECK(token_fault("phx_\xc3\xa9") == "not_ascii");
    CHECK(token_fault(std::string("phx_\0", 5)) == "personal_api_key");
    CHECK(token_fault(std::string("a\0", 2)) == "null_byte");
}

TEST_CASE("White space is Unicode's") {
    CHECK(trim_white_space(" \t\r\n\v\fa b\xe2\x80\xa8\xe3\x80\x80\xc2\x85\xc2\xa0") == "a b");
    CHECK(trim_white_space("\xe2\x80\x8b") == "\xe2\x80\x8b");  // zero width space is none
    CHECK(trim_white_space("") == "");
    CHECK(trim_white_space("\xf0\x9f\x98\x80 ") == "\xf0\x9f\x98\x80");
}

TEST_CASE("Escapes are decoded, both halves of a pair together") {
    std::string scratch;
    CHECK(
        unescape(R"(\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00z)", scratch) ==
        "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"
    );
    CHECK(
        unescape(R"(\ud800\u0041)", scratch) ==
        "\xef\xbf\xbd"
        "A"
    );
    CHECK(unescape(R"(\udc00)", scratch) == "\xef\xbf\xbd");
}

TEST_CASE("Members of an object are walked whatever their values hold") {
    std::string seen;
    for_each_member(
        std::string_view(R"( {"a" : "}\"," , "b":[1,{"c":"]"}] ,"d":-1e5, "e" :true } )").substr(1),
        [&](std::string_view key, std::string_view member, std::string_view value) {
            seen += std::string(key) + "=" + std::string(value) + ";";
            CHECK(member.substr(1, key.size()) == key);
        }
    );
    CHECK(seen == R"(a="}\",";b=[1,{"c":"]"}];d=-1e5;e=true;)");
    for_each_member("{ }", [](auto, auto, auto) { FAIL("no member"); });
}
