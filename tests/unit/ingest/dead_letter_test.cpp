#include "ingest/dead_letter.hpp"

#include "ingest/json_text.hpp"
#include "tests/unit/ingest/pipeline_rig.hpp"

using namespace headrace;
using namespace headrace::ingest;

TEST_CASE("A dead letter has every member, the token as its key and no headers") {
    rig r;
    const std::string bad = R"({ "event":"b", "x":"\"\u00e9" })";
    r.send(R"({"api_key":"phc_demo","batch":[{"event":"a","distinct_id":"1"},)" + bad + "]}");
    REQUIRE(r.batch.records.size() == 2);
    CHECK(
        r.value(1) ==
        R"({"v":1,"reason":"no_distinct_id","detail":"event submitted without a distinct_id",)"
        R"("index":1,"count":1,"token":"phc_demo","ip":"203.0.113.9","path":"/e","request_id":"req-1",)"
        R"("received_at":"2024-03-01T12:00:00.123456789Z",)"
        R"("raw":"{ \"event\":\"b\", \"x\":\"\\\"\\u00e9\" }","raw_encoding":"utf8","raw_bytes":31,)"
        R"("sha256":")" +
            sha256_hex(bad) + "\"}"
    );
    CHECK(r.key(1) == "phc_demo");
    CHECK(r.topic(1) == "headrace_dead_letters");
    CHECK(r.batch.records[1].to->dead_letters);
    CHECK(r.batch.records[1].kind == kafka::record_kind::dead_letter);
    CHECK(r.batch.records[1].event_index == 1);
    CHECK(r.batch.records[1].headers.empty());
}

TEST_CASE("The digest is SHA-256") {
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("A dead letter keeps the first 64 KiB, cut between code points, and the full length") {
    rig r;
    std::string text = "x";
    while (text.size() < 100'000) text += "\xe2\x82\xac";
    const std::string bad = R"({"event":")" + text + "\"}";
    r.send(R"({"api_key":"T","batch":[)" + bad + "]}");
    REQUIRE(r.batch.records.size() == 1);
    const std::string raw = r.field("raw");
    CHECK(raw.size() <= 64 * 1024 + 2);  // two of its quotes are escaped
    CHECK(raw.size() > 64 * 1024 - 8);
    CHECK(raw.substr(raw.size() - 3) == "\xe2\x82\xac");
    CHECK_THAT(r.value(), ContainsSubstring("\"raw_bytes\":" + std::to_string(bad.size()) + ","));
    CHECK_THAT(r.value(), ContainsSubstring("\"sha256\":\"" + sha256_hex(bad)));
}

TEST_CASE("Beyond the caps refused events are counted as dropped, until the hour ends") {
    config::settings s;
    s.dead_letters.per_token_per_hour = 2;
    s.dead_letters.per_hour = 3;
    rig r(s);
    const auto send = [&r](const std::string& token, wall_ns now) {
        shot what;
        what.now = now;
        what.body = R"({"api_key":")" + token +
                    R"(","batch":[{"event":"a","distinct_id":"1"},{"event":"b"},{"event":"c"}]})";
        const outcome out = r.send(what);
        CHECK(
            out.counts.dead_lettered +
                out.counts.dropped[static_cast<std::size_t>(drop_cause::dead_letter_cap)] ==
            2
        );
        CHECK_THAT(out.answer.body, ContainsSubstring("\"index\":2"));
        return out.counts.dead_lettered;
    };
    CHECK(send("T", rig_now) == 2);
    CHECK(send("T", rig_now) == 0);
    CHECK(send("U", rig_now) == 1);  // the global cap
    CHECK(send("U", rig_now + 3'600'000'000'000) == 2);
}

TEST_CASE("Tokens beyond the table's size share one allowance") {
    config::dead_letter_settings s;
    s.per_token_per_hour = 1;
    s.per_hour = 1'000'000;
    dead_letter_caps caps(s);
    for (std::size_t i = 0; i < dead_letter_caps::tokens_max; ++i) {
        if (!caps.take("t" + std::to_string(i), rig_now)) FAIL("refused too early");
    }
    CHECK(caps.take("a", rig_now));
    CHECK_FALSE(caps.take("b", rig_now));
    CHECK_FALSE(caps.take("t1", rig_now));
}
