// Rows of http-v0.md 2.3, 2.4, 2.6 and of its section 6 that are about decoding; forms are apart.
#include "ingest/decode.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/ingest/decode_call.hpp"

using namespace headrace::test;
using namespace std::string_literals;

TEST_CASE("plain JSON is not copied") {
    decoder machine(1000);
    std::string body = json + std::string(json_padding, '\0');
    request req;
    req.body = body.data();
    req.body_size = json.size();
    query_parameters query;
    decoded out;
    const auto held = machine.held_bytes();
    REQUIRE_FALSE(machine.decode(req, query, out));
    CHECK(out.text == body.data());
    CHECK(out.size == json.size());
    CHECK(out.utf8_detail == "invalid UTF8 in request payload");
    CHECK(machine.held_bytes() == held);
}

TEST_CASE("the query's data wins over the body, an empty one does not") {
    CHECK(run({.body = "[1]", .query = "data=" + percent(json)}) == json);
    CHECK(run({.body = "", .query = "data=" + percent(json)}) == json);
    CHECK(run({.body = "[1]", .query = "data="}) == "[1]");
    CHECK(run({.body = "", .query = "data="}) == "empty_payload: ");
    CHECK(run({.body = ""}) == "empty_payload: ");
    CHECK(run({.body = "", .content_type = form}) == "empty_payload: ");
    CHECK(run({.body = "", .query = "compression=gzip"}) == "empty_payload: ");
}

TEST_CASE("base64 is undone on every route, whatever the hints say") {
    for (const auto way : {route::i_v0_e, route::batch, route::e, route::engage, route::ai_batch}) {
        CHECK(run({.body = json_base64, .route = way}) == json);
        CHECK(run({.body = json_base64, .query = "compression=base64", .route = way}) == json);
        CHECK(run({.body = json_base64, .route = way, .content_type = "text/plain"}) == json);
        CHECK(run({.body = json_base64, .route = way, .content_encoding = "b64"}) == json);
        CHECK(run({.query = "data=" + percent(json_base64), .route = way}) == json);
        CHECK(run({.body = base64(gzip(json)), .route = way}) == json);
        CHECK(run({.query = "data=" + percent(base64(gzip(json))), .route = way}) == json);
    }
}

TEST_CASE("what is not canonical base64 stays as it is") {
    for (const std::string& text :
         {json_base64 + "\n",
          " " + json_base64,
          "Zh=="s,
          "Zm9"s,
          "Zm-_"s,
          "abc"s,
          "===="s,
          "Zg==Zg=="s}) {
        CAPTURE(text);
        CHECK(run({.body = text}) == text);
        CHECK(run({.body = text, .route = route::e}) == text);
    }
    // Only the first 128 bytes are looked at before trying; the rest fails the decoding.
    const auto mixed = std::string(128, 'A') + "{{{{";
    CHECK(run({.body = mixed}) == mixed);
    CHECK(run({.body = std::string(128, 'A') + "AAAA"}) == std::string(99, '\0'));
}

TEST_CASE("a form-like text is not taken for base64") {
    CHECK(run({.body = "ip=="}) == "ip==");
    CHECK(run({.body = "data=AAA"}) == "data=AAA");
}

TEST_CASE("gzip is found with and without a hint") {
    for (const auto way : {route::e, route::batch}) {
        CHECK(run({.body = gzip(json), .route = way}) == json);
        CHECK(run({.body = gzip(json), .route = way, .content_type = "text/plain"}) == json);
        CHECK(
            run({.body = gzip(json), .query = "compression=gzip-js&ip=1&_=1", .route = way}) == json
        );
        CHECK(run({.body = gzip(json), .route = way, .content_encoding = "gzip"}) == json);
        CHECK(run({.body = gzip(json), .query = "compression=lz64", .route = way}) == json);
        CHECK(run({.body = gzip(json) + "junk", .route = way}) == json);
        CHECK(run({.body = gzip(""), .route = way}).empty());
    }
    decoder machine(1000);
    decoded out;
    run(machine, {.body = gzip("\xff")}, out);
    CHECK(out.utf8_detail == "invalid gzip data");
}

TEST_CASE("a gzip hint on something else is refused") {
    CHECK(run({.body = json, .query = "compression=gzip"}) == bad_gzip);
    CHECK(run({.body = json, .query = "compression=gzip-js"}) == bad_gzip);
    CHECK(run({.body = json, .content_encoding = "gzip-js"}) == bad_gzip);
    CHECK(run({.body = json_base64, .content_encoding = "gzip"}) == bad_gzip);
    CHECK(run({.body = "\x1f\x8b\x08{}"}) == bad_gzip);
    CHECK(run({.body = gzip(json).substr(0, 20)}) == bad_gzip);
    CHECK(
        run(
            {.body = "data=" + percent(json_base64) + "&compression=gzip-js",
             .route = route::e,
             .content_type = form}
        ) == bad_gzip
    );
    CHECK(run({.body = "data=&compression=gzip", .content_type = form}) == bad_gzip);
    // base64(gzip) in a form is not unwrapped before the inflater looks.
    CHECK(
        run(
            {.body = "data=" + percent(base64(gzip(json))),
             .query = "compression=gzip",
             .route = route::e,
             .content_type = form}
        ) == bad_gzip
    );
}

TEST_CASE("base64 inside gzip is undone on legacy routes only") {
    CHECK(run({.body = gzip(json_base64), .route = route::e}) == json);
    CHECK(run({.body = gzip(json_base64), .route = route::batch}) == json_base64);
    CHECK(run({.body = base64(json_base64), .route = route::track}) == json);
    CHECK(run({.body = base64(json_base64), .route = route::i_v0_e}) == json_base64);
    CHECK(run({.body = gzip("Zh=="), .route = route::e}) == "Zh==");
    CHECK(run({.body = gzip("/////w=="), .route = route::e}) == "/////w==");  // bytes ff
    CHECK(run({.body = gzip(json_base64 + "\n"), .route = route::e}) == json_base64 + "\n");
}

TEST_CASE("encodings of other protocols are not decoded") {
    for (const auto* encoding : {"zstd", "deflate", "br", "GZIP", "identity", ""}) {
        CHECK(run({.body = json, .content_encoding = encoding}) == json);
        CHECK(
            run({.body = "\x28\xb5\x2f\xfd", .content_encoding = encoding}) == "\x28\xb5\x2f\xfd"
        );
    }
}

TEST_CASE("lz64 errors have their own texts") {
    const std::string prefix = "bad_encoding: decompress_lz64: ";
    const auto result = [](const std::string& body) {
        return run({.body = body, .query = "compression=lz64"});
    };
    CHECK(result("w") == prefix + "failed decompress to UTF16");
    CHECK(result("N4IgpgbmB2AuIC4QEMQ") == prefix + "failed decompress to UTF16");
    CHECK(result("B6AD2J5A\n") == prefix + "failed UTF16 to UTF8 conversion");
    CHECK(result("{}").empty());
    CHECK(result("qemhpzR5UaEkA===") == "日本語日本語日本");
}

TEST_CASE("an lz64 body that is also canonical base64 is read as what makes sense") {
    for (const auto way : {route::e, route::batch}) {
        const auto result = [way](const std::string& body) {
            return run({.body = body, .query = "compression=lz64", .route = way});
        };
        CHECK(result(json_lz64) == json);
        CHECK(result(base64(json_lz64)) == json);
        CHECK(result(json_lz64 + "\n") == json);
        CHECK(
            result("N4IgpgbmB2AuIC5wgDQlgewNY0SAKqiACYCWAzrKdAMawD6pxeArgIwgC+QA") ==
            R"({"event":"e","token":"T","distinct_id":"u1"})"
        );
    }
    CHECK(run({.query = "compression=lz64&data=" + percent(json_lz64)}) == json);
}

TEST_CASE("base64 inside lz64 is undone on legacy routes only") {
    const auto data = "compression=lz64&data=" + percent(json_base64_lz64);
    CHECK(run({.body = data, .route = route::e, .content_type = form}) == json);
    CHECK(run({.body = data, .route = route::batch, .content_type = form}) == json_base64);
}

TEST_CASE("the size limit has a text per encoding") {
    const std::string big = "inflated_too_big: ";
    const auto text = [](std::size_t size) { return "{" + std::string(size - 1, ' '); };
    const auto result = [&](const std::string& body, const std::string& query = {}) {
        return run({.body = body, .query = query, .limit = 100});
    };
    CHECK(result(text(99)) == text(99));
    CHECK(result(text(100)) == text(100));
    CHECK(result(text(101)) == big + "Uncompressed payload size limit 100 exceeded: 101");
    CHECK(result(base64(text(100))) == text(100));
    CHECK(result(base64(text(101))) == big + "Uncompressed payload size limit 100 exceeded: 101");
    CHECK(result(gzip(text(99))) == text(99));
    CHECK(result(gzip(text(100))) == text(100));
    CHECK(
        result(gzip(text(101))) ==
        big + "Decompressed payload would exceed 100 bytes (got 101 bytes)"
    );
    CHECK(
        result(gzip(text(9000))) ==
        big + "Decompressed payload would exceed 100 bytes (got 8192 bytes)"
    );
    const std::string lz64 = "compression=lz64";
    CHECK(result("IY18ZXTt/0g=\n", lz64) == std::string(100, 'a'));
    CHECK(
        run({.body = "IY18ZXTt/0g=\n", .query = lz64, .limit = 99}) ==
        big + "Decompressed LZ64 payload would exceed 99 bytes"
    );
    CHECK(
        run({.body = "Jc18ZXTt/0g=\n", .query = lz64, .limit = 199}) ==
        big + "lz64 request payload size limit exceeded"
    );
    CHECK(run({.body = "Jc18ZXTt/0g=\n", .query = lz64, .limit = 200}).size() == 200);
}

TEST_CASE("the second unwrap of a text at the limit passes") {
    const auto inner = "{" + std::string(98, ' ');
    CHECK(run({.body = gzip(base64(inner)), .route = route::e, .limit = 132}) == inner);
    CHECK(run({.body = gzip(base64(inner)), .route = route::e, .limit = 131})
              .starts_with("inflated_too_big"));
}

TEST_CASE("one decoder serves all kinds of requests in any order") {
    decoder machine(1'000'000);
    decoded out;
    for (int round = 0; round < 3; ++round) {
        CHECK(run(machine, {.body = gzip(json)}, out) == json);
        CHECK(run(machine, {.body = json}, out) == json);
        CHECK(run(machine, {.body = json_base64}, out) == json);
        CHECK(run(machine, {.body = json, .content_encoding = "gzip"}, out) == bad_gzip);
        CHECK(run(machine, {.body = json_lz64, .query = "compression=lz64"}, out) == json);
        CHECK(run(machine, {.body = "data=%5B%5D", .content_type = form}, out) == "[]");
        CHECK(run(machine, {.body = gzip(json_base64), .route = route::e}, out) == json);
        machine.release();
    }
}

TEST_CASE("buffers above a mebibyte are given back") {
    decoder machine(20'000'000);
    decoded out;
    const auto empty = machine.held_bytes();
    const std::string big = "{" + std::string(3'000'000, ' ') + "}";
    CHECK(run(machine, {.body = gzip(big)}, out).size() == big.size());
    CHECK(run(machine, {.body = base64(big)}, out).size() == big.size());
    CHECK(run(machine, {.body = "data=" + big, .content_type = form}, out).size() == big.size());
    CHECK(machine.held_bytes() - empty >= 3 * big.size());
    machine.release();
    CHECK(machine.held_bytes() - empty < 1024);
}
