// Rows of http-v0.md 2.5 and of its section 6 that are about forms, and the order of hints.
#include "ingest/decode.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/ingest/decode_call.hpp"

using namespace headrace::test;
using namespace std::string_literals;

TEST_CASE("a plus that became a space defeats base64 in the query") {
    const auto text = base64("\xfb\xef\xbe");  // "++++"
    REQUIRE(text == "++++");
    CHECK(run({.query = "data=++++"}) == "    ");
    CHECK(run({.query = "data=%2B%2B%2B%2B"}) == "\xfb\xef\xbe");
}

TEST_CASE("a form gives its data") {
    for (const auto way : {route::e, route::batch}) {
        CHECK(
            run({.body = "data=" + percent(json) + "&ver=1.2.3", .route = way, .content_type = form}
            ) == json
        );
        CHECK(
            run({.body = "ip=1&data=" + percent(json), .route = way, .content_type = form}) == json
        );
        CHECK(
            run(
                {.body = "data=" + percent(json_lz64) + "&compression=lz64",
                 .route = way,
                 .content_type = form}
            ) == json
        );
        CHECK(
            run(
                {.body = "data=" + percent(json_lz64),
                 .query = "compression=lz64",
                 .route = way,
                 .content_type = form}
            ) == json
        );
        CHECK(
            run(
                {.body = "data=" + percent(json_lz64),
                 .route = way,
                 .content_type = form,
                 .content_encoding = "lz-string"}
            ) == json
        );
    }
    CHECK(run({.body = "data=", .content_type = form}).empty());
    CHECK(
        run({.body = "_=1&compression=base64", .content_type = form}) == "_=1&compression=base64"
    );
    CHECK(run({.body = base64("data=%7B%7D "), .content_type = form}) == "{} ");
}

TEST_CASE("base64 in a form is undone on legacy routes only") {
    const call legacy{
        .body = "data=" + percent(json_base64), .route = route::e, .content_type = form};
    auto modern = legacy;
    modern.route = route::batch;
    CHECK(run(legacy) == json);
    CHECK(run(modern) == json_base64);
    for (const auto way : {route::capture, route::track, route::engage}) {
        auto other = legacy;
        other.route = way;
        CHECK(run(other) == json);
    }
}

TEST_CASE("spaces in a base64 form value become plus signs again") {
    const auto text = "[\"\xc3\xbb\xe2\xaf\xbe>>>\"]"s;
    const auto packed = base64(text);
    REQUIRE(packed.find('+') != std::string::npos);
    call raw{.body = "data=" + packed, .route = route::e, .content_type = form};
    CHECK(run(raw) == text);
    raw.route = route::batch;
    CHECK(run(raw) == packed);
    CHECK(run({.body = "data=a+b", .content_type = form}) == "a b");      // length 3
    CHECK(run({.body = "data=a+b%7B", .content_type = form}) == "a b{");  // no base64 character
    CHECK(run({.body = "data=a+bc", .content_type = form}) == "a+bc");
}

TEST_CASE("a body that is no form is refused under the form type") {
    CHECK(run({.body = json, .content_type = form}) == expected_form);
    CHECK(run({.body = gzip(json), .content_type = form}) == expected_form);
    CHECK(run({.body = json_base64, .content_type = form}) == expected_form);
    CHECK(run({.query = "data=" + percent(json), .content_type = form}) == expected_form);
    CHECK(run({.body = "ver=1", .content_type = form}) == expected_form);
    CHECK(
        run({.body = "data=1&data=2", .content_type = form}) ==
        "bad_encoding: invalid urlencoded form data"
    );
    CHECK(
        run({.body = "data=1&compression=a&compression=b", .content_type = form}) ==
        "bad_encoding: invalid urlencoded form data"
    );
}

TEST_CASE("only the exact form type means a form") {
    for (const std::string& type :
         {form + "; charset=UTF-8",
          "Application/x-www-form-urlencoded"s,
          "application/json"s,
          " " + form,
          ""s}) {
        CAPTURE(type);
        CHECK(run({.body = "data=%7B%7D", .content_type = type}) == "data=%7B%7D");
        CHECK(run({.body = json, .content_type = type}) == json);
    }
}

TEST_CASE("base64 of gzip in a form stays base64") {
    // On legacy routes the second unwrap gives bytes that are no UTF-8, so the text is kept.
    const auto packed = base64(gzip(json));
    for (const auto way : {route::e, route::batch}) {
        CHECK(
            run({.body = "data=" + percent(packed), .route = way, .content_type = form}) == packed
        );
    }
}

TEST_CASE("the query's hint wins over the form's, the form's over the header's") {
    const auto data = "data=" + percent(json_lz64);
    const std::string lz64 = "compression=lz64", b64 = "compression=base64",
                      none = "compression=br";
    const auto result = [&](const std::string& query,
                            const std::string& body,
                            const std::string& header) {
        return run({.body = body, .query = query, .content_type = form, .content_encoding = header}
        );
    };
    CHECK(result(lz64, data + "&compression=gzip", "gzip") == json);
    CHECK(result(none, data + "&" + lz64, "gzip") == json);
    CHECK(result("", data + "&" + lz64, "gzip") == json);
    CHECK(result("", data + "&" + none, "lz64") == json);
    CHECK(result(none, data, "lz-string") == json);
    CHECK(result(b64, data + "&" + lz64, "gzip") == json_lz64);
    CHECK(result("", data + "&" + b64, "lz64") == json_lz64);
    CHECK(result("", data, "LZ64") == json_lz64);
    CHECK(result("", data, "lz64, gzip") == json_lz64);
    CHECK(result("", data, "") == json_lz64);
}
