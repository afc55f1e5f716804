#include "tests/unit/ingest/pipeline_rig.hpp"

#include <string>

using namespace headrace;
using namespace headrace::ingest;

TEST_CASE("A whole record of a single event has the contract's bytes") {
    rig r;
    const outcome out = r.send(
        R"({"uuid":"0187DAB2-1234-7abc-8def-001122334455","token":"phc_demo","distinct_id":"u-81",)"
        R"("event":"checkout done","properties":{"total":12.50,"note":"say \"hi\""},)"
        R"("timestamp":"2024-03-01T11:59:59.120Z","library":"x"})"
    );
    REQUIRE(out.answer.status == 200);
    CHECK(out.answer.body == R"({"status":"Ok"})");
    REQUIRE(r.batch.records.size() == 1);
    CHECK(
        r.value() ==
        R"({"uuid":"0187dab2-1234-7abc-8def-001122334455","distinct_id":"u-81","ip":"203.0.113.9",)"
        R"("data":"{\"token\":\"phc_demo\",\"distinct_id\":\"u-81\",)"
        R"(\"uuid\":\"0187dab2-1234-7abc-8def-001122334455\",\"event\":\"checkout done\",)"
        R"(\"properties\":{\"total\":12.50,\"note\":\"say \\\"hi\\\"\"},)"
        R"(\"timestamp\":\"2024-03-01T11:59:59.120Z\"}",)"
        R"("now":"2024-03-01T12:00:00.123456789Z","token":"phc_demo","event":"checkout done",)"
        R"("timestamp":"2024-03-01T11:59:59.120Z"})"
    );
    CHECK(r.key() == "phc_demo:u-81");
    CHECK(r.topic() == "events_plugin_ingestion");
    const auto headers = r.batch.records[0].headers;
    const std::pair<std::string, std::string> expected[] = {
        {"token", "phc_demo"},
        {"distinct_id", "u-81"},
        {"session_id", "null"},
        {"timestamp", "1709294399120"},
        {"event", "checkout done"},
        {"uuid", "0187dab2-1234-7abc-8def-001122334455"},
        {"now", "2024-03-01T12:00:00.123456789Z"},
        {"force_disable_person_processing", "null"},
        {"historical_migration", "null"},
    };
    REQUIRE(headers.size() == 9);
    for (std::size_t i = 0; i < 9; ++i) {
        INFO(i);
        CHECK(headers[i].name == expected[i].first);
        if (expected[i].second == "null") {
            CHECK(headers[i].value.data() == nullptr);
        } else {
            CHECK(headers[i].value == expected[i].second);
        }
    }
}

namespace {

std::string event_with(const std::string& members) {
    return R"({"token":"T","event":"a",)" + members + "}";
}

std::string distinct_id_of(rig& r, const std::string& json) {
    const outcome out = r.send(event_with("\"distinct_id\":" + json));
    if (out.answer.status != 200) return "(" + out.answer.body + ")";
    CHECK(
        r.data() ==
        R"({"token":"T","distinct_id":)" + json + R"(,"uuid":null,"event":"a","properties":{}})"
    );
    return std::string(*r.header("distinct_id"));
}

}  // namespace

TEST_CASE("A distinct_id that is no string becomes serde's compact text") {
    rig r;
    const std::pair<const char*, const char*> rows[] = {
        {"23", "23"},
        {"23.4", "23.4"},
        {"1.0", "1.0"},
        {"1e2", "100.0"},
        {"1.10", "1.1"},
        {"-0", "-0.0"},
        {"0", "0"},
        {"-5", "-5"},
        {"1e15", "1000000000000000.0"},
        {"1e16", "1e16"},
        {"0.00001", "0.00001"},
        {"0.000001", "1e-6"},
        {"1.5e-7", "1.5e-7"},
        {"123456.789", "123456.789"},
        {"18446744073709551615", "18446744073709551615"},
        {"18446744073709551616", "1.8446744073709552e19"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"-9223372036854775809", "-9.223372036854776e18"},
        {"1e-400", "0.0"},
        {"true", "true"},
        {"false", "false"},
        {"[1, 2]", "[1,2]"},
        {"[ ]", "[]"},
        {R"({"z":1,"a":[2]})", R"({"a":[2],"z":1})"},
        {R"({"b":1,"b":{"d":null,"c":"x\u002fy"}})", R"({"b":{"c":"x/y","d":null}})"},
    };
    for (const auto& [json, text] : rows) {
        INFO(json);
        CHECK(distinct_id_of(r, json) == text);
        CHECK(r.key() == "T:" + std::string(text));
    }
}

TEST_CASE("A distinct_id is cut to 200 code points, NUL is replaced, spaces are kept") {
    rig r;
    CHECK(distinct_id_of(r, "\"" + std::string(222, 'q') + "\"") == std::string(200, 'q'));
    std::string euros, many;
    for (int i = 0; i < 150; ++i) euros += "\xe2\x82\xac";
    for (int i = 0; i < 201; ++i) many += "\xe2\x82\xac";
    CHECK(distinct_id_of(r, "\"" + euros + "\"") == euros);
    CHECK(distinct_id_of(r, "\"" + many + "\"") == many.substr(0, 600));
    CHECK(distinct_id_of(r, R"("  u  ")") == "  u  ");
    CHECK(
        distinct_id_of(r, R"("a\u0000b")") ==
        "a\xef\xbf\xbd"
        "b"
    );
    CHECK(distinct_id_of(r, R"("\u0061\"\\\n")") == "a\"\\\n");
    CHECK(r.field("distinct_id") == R"(a\"\\\n)");
}

TEST_CASE("The event's own distinct_id wins over the property, null counts as absent") {
    rig r;
    r.send(event_with(R"("distinct_id":23,"properties":{"distinct_id":"p"})"));
    CHECK(r.key() == "T:23");
    r.send(event_with(R"("distinct_id":null,"properties":{"distinct_id":"x","distinct_id":"p"})"));
    CHECK(r.key() == "T:p");
    CHECK(
        r.data() ==
        R"({"token":"T","uuid":null,"event":"a","properties":{"distinct_id":"x","distinct_id":"p"}})"
    );
}

TEST_CASE("Strings with escapes are spelled again as serde does, properties keep their bytes") {
    rig r;
    r.send(
        R"({"\u0074oken":"\u0054","event":"a\u002fb\u00e9\"\u0001","distinct_id":"d","timestamp":"x\/y",)"
        R"("properties":{"k":"\u002f\/", "n" : 1.50},"$set":{"a":"\u0041"},"offset": 5 ,"$set_once": {} })"
    );
    CHECK(r.field("event") == "a/b\xc3\xa9\\\"\\u0001");
    CHECK(*r.header("event") == "a/b\xc3\xa9\"\x01");
    CHECK(*r.header("token") == "T");
    CHECK_THAT(
        r.value(),
        ContainsSubstring(
            "\"data\":\"{\\\"token\\\":\\\"T\\\",\\\"distinct_id\\\":\\\"d\\\",\\\"uuid\\\":null,"
            "\\\"event\\\":\\\"a/b\xc3\xa9\\\\\\\"\\\\u0001\\\",\\\"properties\\\":"
            "{\\\"k\\\":\\\"\\\\u002f\\\\/\\\", \\\"n\\\" : 1.50},\\\"timestamp\\\":\\\"x/y\\\","
            "\\\"offset\\\":5,\\\"$set\\\":{\\\"a\\\":\\\"\\\\u0041\\\"},\\\"$set_once\\\":{}}\""
        )
    );
}

TEST_CASE("Cookieless events are keyed by address, internal ones carry the loopback address") {
    rig r;
    r.send(event_with(R"("distinct_id":"d","properties":{"$cookieless_mode":true})"));
    CHECK(r.key() == "T:203.0.113.9");
    CHECK_THAT(r.value(), ContainsSubstring(R"(Z","is_cookieless_mode":true})"));
    r.send(event_with(
        R"("distinct_id":"d","properties":{"$cookieless_mode":true,"capture_internal":false})"
    ));
    CHECK(r.key() == "T:127.0.0.1");
    CHECK(r.field("ip") == "127.0.0.1");
    r.send(event_with(
        R"("distinct_id":"d","properties":{"$cookieless_mode":true,"$cookieless_mode":false})"
    ));
    CHECK(r.key() == "T:d");
}

TEST_CASE("Lanes follow the event's name") {
    rig r;
    const std::pair<const char*, const char*> rows[] = {
        {"$pageview", "events_plugin_ingestion"},
        {"$snapshot", "events_plugin_ingestion"},
        {"$$client_ingestion_warning", "ingestion-clientwarnings-main-1"},
        {"$exception", "error_tracking_events"},
        {"$$heatmap", "heatmaps_ingestion"},
        {"$ai_generation", "events_plugin_ingestion_ai"},
        {"$ai_embedding", "events_plugin_ingestion_ai"},
        {"$ai_evaluation", "events_plugin_ingestion_ai"},
        {"$ai_span", "events_plugin_ingestion_ai"},
        {"$ai_trace", "events_plugin_ingestion_ai"},
        {"$ai_metric", "events_plugin_ingestion_ai"},
        {"$ai_feedback", "events_plugin_ingestion_ai"},
        {"$ai_tag", "events_plugin_ingestion_ai"},
        {"$ai_generation_summary", "events_plugin_ingestion_ai"},
        {"$ai_trace_summary", "events_plugin_ingestion_ai"},
        {"$ai_evaluation_report", "events_plugin_ingestion_ai"},
        {"$ai_other", "events_plugin_ingestion"},
    };
    config::settings s;
    s.ingest.ai_lane_by_prefix = true;
    rig by_prefix(s);
    for (const auto& [name, topic] : rows) {
        INFO(name);
        const std::string event = R"({"event":")" + std::string(name) + R"(","distinct_id":"d"})";
        r.send(R"({"api_key":"T","batch":[)" + event + "]}");
        CHECK(r.topic() == topic);
        CHECK(*r.header("historical_migration") == "null");
        r.send(R"({"api_key":"T","historical_migration":true,"batch":[)" + event + "]}");
        const bool analytics = std::string(topic) == "events_plugin_ingestion";
        CHECK(r.topic() == (analytics ? "events_plugin_ingestion_historical" : topic));
        CHECK(*r.header("historical_migration") == (analytics ? "true" : "null"));
        CHECK(
            (r.value().find(R"(,"historical_migration":true})") != std::string::npos) == analytics
        );
    }
    by_prefix.send(R"({"api_key":"T","batch":[{"event":"$ai_other","distinct_id":"d"}]})");
    CHECK(by_prefix.topic() == "events_plugin_ingestion_ai");
}

TEST_CASE("Old events go to the historical lane when that is switched on") {
    config::settings s;
    s.ingest.historical_rerouting = true;
    s.ingest.historical_threshold_days = 1;
    rig r(s);
    outcome out =
        r.send(event_with(R"("distinct_id":"d","timestamp":"2024-02-29T12:00:00.123456789Z")"));
    CHECK(r.topic() == "events_plugin_ingestion_historical");
    CHECK(out.counts.historical_rerouted == 1);
    out = r.send(event_with(R"("distinct_id":"d","timestamp":"2024-02-29T12:00:00.123456790Z")"));
    CHECK(r.topic() == "events_plugin_ingestion");
    CHECK(out.counts.historical_rerouted == 0);
}

TEST_CASE("Times: skew correction, its exceptions, and the ids that carry them") {
    rig r;
    const auto batch = [](const std::string& members) {
        return R"({"api_key":"T","sent_at":"2024-03-01T14:00:10.100+02:00","batch":[{"event":"a","distinct_id":"d",)" +
               members + "}]}";
    };
    shot s;
    s.now = 1'709'294'400'000'000'000;
    s.body = batch(R"("timestamp":"2024-03-01T11:00:00Z")");
    r.send(s);
    CHECK(r.field("timestamp") == "2024-03-01T10:59:49.900Z");
    CHECK(r.field("sent_at") == "2024-03-01T14:00:10.1+02:00");
    CHECK(r.field("now") == "2024-03-01T12:00:00Z");
    CHECK(*r.header("timestamp") == "1709290789900");
    CHECK(*r.header("uuid") == r.field("uuid"));
    CHECK(r.field("uuid").substr(0, 15) == "018df9ab-9c0c-7");
    s.body = batch(R"("timestamp":"2024-03-01T11:00:00Z","properties":{"$ignore_sent_at":true})");
    r.send(s);
    CHECK(r.field("timestamp") == "2024-03-01T11:00:00Z");
    s.body = batch(R"("timestamp":"2024-03-01T11:00:00Z","properties":{"$ignore_sent_at":"true"})");
    r.send(s);
    CHECK(r.field("timestamp") == "2024-03-01T10:59:49.900Z");
    s.body = batch(R"("timestamp":"garbage")");
    r.send(s);
    CHECK(r.field("timestamp") == "2024-03-01T12:00:00Z");
    s.body = batch(R"("timestamp":"2024-03-01T11:00:00Z","offset":-1500)");
    r.send(s);
    CHECK(r.field("timestamp") == "2024-03-01T12:00:01.500Z");
    s.body = event_with(R"("distinct_id":"d","timestamp":"1969-06-15T00:00:00Z")");
    r.send(s);
    CHECK(r.field("timestamp") == "1969-06-15T00:00:00Z");
    CHECK(r.field("uuid").substr(0, 15) == "00000000-0000-7");
    s.query = "_=1750000000123";
    s.now = 1'750'000'000'123'000'000;
    s.body = event_with(R"("distinct_id":"d")");
    r.send(s);
    CHECK(r.field("sent_at") == "2025-06-15T15:06:40.123Z");
}

TEST_CASE("A heatmap split writes the original without its data and a new heatmap event") {
    rig r;
    const outcome out = r.send(
        R"({"$token":"T","event":"$pageview","distinct_id":42,"uuid":"0187dab212347abc8def001122334455",)"
        R"("properties":{"a":1,"$heatmap_\u0064ata":{"x":[1]},"$host":"h","capture_internal":1,"$ignore_sent_at":true},)"
        R"("$set":{"p":1},"timestamp":"2024-03-01T11:00:00Z"})"
    );
    CHECK(out.counts.heatmaps_split == 1);
    CHECK(out.counts.to_write == 1);
    REQUIRE(r.batch.records.size() == 2);
    CHECK(r.topic(0) == "events_plugin_ingestion");
    CHECK(*r.header("skip_heatmap_processing", 0) == "true");
    CHECK(r.field("ip", 0) == "127.0.0.1");
    CHECK(
        r.data(0) ==
        R"({"token":"T","distinct_id":42,"uuid":"0187dab2-1234-7abc-8def-001122334455","event":"$pageview",)"
        R"("properties":{"a":1,"$host":"h","capture_internal":1,"$ignore_sent_at":true},)"
        R"("timestamp":"2024-03-01T11:00:00Z","$set":{"p":1}})"
    );
    CHECK(r.batch.records[1].kind == headrace::kafka::record_kind::companion);
    CHECK(r.topic(1) == "heatmaps_ingestion");
    CHECK(r.key(1) == "T:42");
    CHECK(r.field("ip", 1) == "203.0.113.9");
    CHECK(r.field("event", 1) == "$$heatmap");
    CHECK(r.field("uuid", 1) != r.field("uuid", 0));
    CHECK_FALSE(r.header("skip_heatmap_processing", 1).has_value());
    CHECK(
        r.data(1) ==
        R"({"token":"T","distinct_id":"42","uuid":null,"event":"$$heatmap",)"
        R"("properties":{"$heatmap_\u0064ata":{"x":[1]},"$host":"h"},"timestamp":"2024-03-01T11:00:00Z"})"
    );
}

TEST_CASE("Leaving a page splits too, a heatmap event itself and half of the pair do not") {
    rig r;
    r.send(event_with(
        R"("distinct_id":"d","properties":{"$prev_pageview_pathname":"/a","$current_url":"u","b":2})"
    ));
    REQUIRE(r.batch.records.size() == 2);
    CHECK_THAT(
        r.data(0), ContainsSubstring(R"({"$prev_pageview_pathname":"/a","$current_url":"u","b":2})")
    );
    CHECK_THAT(
        r.data(1), ContainsSubstring(R"({"$prev_pageview_pathname":"/a","$current_url":"u"})")
    );
    r.send(event_with(R"("distinct_id":"d","properties":{"$prev_pageview_pathname":"/a"})"));
    CHECK(r.batch.records.size() == 1);
    r.send(
        R"({"token":"T","event":"$$heatmap","distinct_id":"d","properties":{"$heatmap_data":{}}})"
    );
    CHECK(r.batch.records.size() == 1);
    CHECK_THAT(r.data(), ContainsSubstring(R"("properties":{"$heatmap_data":{}})"));
}

TEST_CASE("AI events lose their gateway properties, however the key is spelled") {
    rig r;
    const std::string properties =
        R"({"$ai_model":"m","$ai_gateway_verified":true,"$ai\u005fgateway":{"a":[1,"}"]},"x":1})";
    r.send(
        R"({"token":"T","event":"$ai_custom","distinct_id":"d","properties":)" + properties + "}"
    );
    CHECK_THAT(r.data(), ContainsSubstring(R"("properties":{"$ai_model":"m","x":1})"));
    r.send(R"({"token":"T","event":"other","distinct_id":"d","properties":)" + properties + "}");
    CHECK_THAT(r.data(), ContainsSubstring("\"properties\":" + properties));
}

TEST_CASE("The token is trimmed in key and header, and kept in the event") {
    rig r;
    r.send("{\"token\":\" T\xc2\xa0\",\"event\":\"a\",\"distinct_id\":\"d\"}");
    CHECK(r.key() == "T:d");
    CHECK(*r.header("token") == "T");
    CHECK_THAT(r.data(), ContainsSubstring("{\"token\":\" T\xc2\xa0\","));
    r.send(R"({"token":"a\"\u000ab","event":"a","distinct_id":"d"})");
    CHECK(r.field("token") == R"(a\"\nb)");
    CHECK(r.key() == "a\"\nb:d");
}
