#include "ingest/parse.hpp"

#include "ingest/parse_diagnose.hpp"
#include "tests/support/catch.hpp"

#include <string>

using namespace headrace::ingest;

namespace {

// The document's slices live until the next call.
std::optional<reject> parse(const std::string& json, document& out, bool salvage = true) {
    static parser p;
    static std::string text;
    text = json;
    const std::size_t size = text.size();
    text.append(64, ',');
    parse_options options;
    options.salvage = salvage;
    const auto result = p.parse(text.data(), size, "utf8", options, out);
    CHECK(text.substr(size) == std::string(64, ','));
    return result;
}

std::string fault(const std::string& text) {
    document d;
    const auto r = parse(text, d);
    return r ? r->detail : "ok";
}

std::string nested(int n) {
    const auto depth = static_cast<std::size_t>(n);
    return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

TEST_CASE("JSON errors have serde's words and positions") {
    const std::pair<std::string, std::string> rows[] = {
        {"", "EOF while parsing a value at line 1 column 0"},
        {"abc", "expected value at line 1 column 1"},
        {"\xef\xbb\xbf{}", "expected value at line 1 column 1"},
        {"data={}", "expected value at line 1 column 1"},
        {R"({"event":"e"} x)", "trailing characters at line 1 column 15"},
        {R"({"event":"e",})", "trailing comma at line 1 column 14"},
        {R"({'event':'e'})", "key must be a string at line 1 column 2"},
        {"{\"a\":\"\n\"}",
         "control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0"},
        {"[1e999]", "number out of range at line 1 column 6"},
        {"[-1e999]", "number out of range at line 1 column 7"},
        {nested(128), "recursion limit exceeded at line 1 column 128"},
        {"[1,2", "EOF while parsing a list at line 1 column 4"},
        {"{\"a\"", "EOF while parsing an object at line 1 column 4"},
        {"{\"a\":\"b", "EOF while parsing a string at line 1 column 7"},
        {"\"", "EOF while parsing a string at line 1 column 1"},
    };
    for (const auto& [text, words] : rows) {
        INFO(text);
        CHECK(fault(text) == words);
    }
}

TEST_CASE("Broken JSON never passes, wherever it stands") {
    const char* const values[] = {
        "tru",
        "truee",
        "True",
        "nul",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "1.e3",
        "0x1",
        "1 2",
        "\"\\q\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a",
        "\"a\"\"b\"",
        "\"a\"b",
        "[1,,2]",
        "[1 2]",
        "[,1]",
        "[1,]",
        "[1,2}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "{\"a\":1]",
        "{\"a\"}",
        "'a'",
        "[1]]",
        "}",
        ":",
        ",",
        "\f1",
        "1\f",
        "\x1a",
        "/*c*/1",
        "\\",
        "1\\",
        "tr\"x\"",
        "1\"x\"",
        "\"\\ud83d\\q\"",
        "1\x01",
        "--1",
        "1-1",
        "1e5.5",
        "\xc2\xa0"
        "1",
    };
    for (const char* v : values) {
        INFO(v);
        const std::string value(v);
        CHECK(fault("{\"properties\":{\"x\":" + value + "}}") != "ok");
        CHECK(fault("[" + value + "]") != "ok");
        CHECK(fault("{\"x\":[" + value + "]}") != "ok");
        CHECK(fault("{\"x\":" + value + ",\"y\":1}") != "ok");
    }
    std::string with_nul = "{\"a\":1}";
    with_nul += '\0';
    CHECK(fault(with_nul) != "ok");
}

TEST_CASE("Every valid value passes") {
    const char* const values[] = {
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E+5",
        "1e-5",
        "1e308",
        "1e-999",
        "0e999",
        "0.0e999",
        "12345678901234567890123",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\\\\\"",
        "\"\\\"\"",
        "\"\\/\\b\\f\\n\\r\\t\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[[],{}]",
        "{\"a\":{\"a\":{}}}",
        " true ",
        "\tfalse\r\n",
        "null",
        "\"\xf0\x9f\x98\x80\x7f\"",
        "0.000000000000000000001e320",
    };
    for (const char* v : values) {
        INFO(v);
        document d;
        const auto result =
            parse("{\"event\":\"e\",\"properties\":{\"x\":" + std::string(v) + "}}", d);
        CHECK_FALSE(result.has_value());
        REQUIRE(d.events.size() == 1);
        CHECK(d.events[0].as_event() == shape_problem::none);
    }
    CHECK(diagnose_json("[" + std::string(400, '1') + "]") != "");
    CHECK(fault("[" + std::string(400, '1') + "]") == "number out of range at line 1 column 401");
    CHECK(fault("[" + std::string(300, '1') + "]").find("no variant") == std::string::npos);
    CHECK(fault("[{\"x\":" + nested(125) + "}]") == "ok");
    CHECK(fault("[{\"x\":" + nested(126) + "}]") != "ok");
}

TEST_CASE("Text that is not UTF-8 is a decoding error, also when it is broken in other ways") {
    document d;
    for (const char* text :
         {"{\"a\":\"\xff\"}",
          "\xff",
          "{\"a\":\"\xff",
          "\"\xed\xa0\x80\"",
          "{\"\x01\":\"\xc0\xaf\"}"}) {
        const auto r = parse(text, d);
        REQUIRE(r.has_value());
        CHECK(r->reason == reason::bad_encoding);
        CHECK(r->detail == "utf8");
    }
}

TEST_CASE("Slices, aliases, escaped keys and last values are found in one pass") {
    document d;
    REQUIRE_FALSE(parse(
        R"( { "\u0065vent" : "e" , "$distinct_id" : { "a" : 1 } , "api_key":"k", "batchx":1,)"
        R"( "properties" : { "token":"1", "t\u006fken" : "t", "$ignore_sent_at":false,"$ignore_sent_at":true } , "x" : [1] } )",
        d
    ));
    REQUIRE(d.shape == payload_shape::one);
    const raw_event& ev = d.events[0];
    CHECK(ev.event.raw == "\"e\"");
    CHECK(ev.distinct_id.raw == "{ \"a\" : 1 }");
    CHECK(ev.token.inner() == "k");
    CHECK(ev.values.token.inner() == "t");
    CHECK(ev.values.ignore_sent_at == json_type::yes);
    CHECK(ev.properties.raw.front() == '{');
    CHECK(ev.properties.raw.back() == '}');
    CHECK(ev.text.front() == '{');
    CHECK(ev.text.back() == '}');
}

TEST_CASE("Large texts need memory once and give it back") {
    parser p;
    document d;
    std::string text = "{\"event\":\"" + std::string(9'000'000, 'x') + "\"}";
    const std::size_t size = text.size();
    text.append(64, ' ');
    REQUIRE_FALSE(p.parse(text.data(), size, "", {}, d));
    CHECK(p.held_bytes() > size);
    p.release();
    CHECK(p.held_bytes() < 1000);
}
