#include "tests/unit/ingest/pipeline_rig.hpp"

#include <string>

using namespace headrace;
using namespace headrace::ingest;

namespace {

struct row {
    const char* body;
    int status;
    const char* text;  // beginning of the answer; empty: anything
    std::size_t records;
    ingest::route route = route::e;
};

void check_rows(rig& r, const std::vector<row>& rows) {
    for (const row& x : rows) {
        INFO(x.body);
        shot s;
        s.body = x.body;
        s.route = x.route;
        const outcome out = r.send(s);
        CHECK(out.answer.status == x.status);
        CHECK(out.answer.body.substr(0, std::string(x.text).size()) == x.text);
        CHECK(r.batch.records.size() == x.records);
        CHECK(out.answer.json == (x.status == 200));
    }
}

const char* const hydrate =
    "failed to hydrate events from request: non-engage request missing event name attribute";
const char* const variant =
    "failed to parse request: data did not match any variant of untagged enum RawRequest";

}  // namespace

TEST_CASE("The contract's sample requests get the contract's answers in strict mode") {
    rig r(strict_settings());
    const std::string x64(64, 'x'), x65(65, 'x');
    const std::string t64 = R"({"event":"a","distinct_id":"1","token":")" + x64 + "\"}";
    const std::string t65 = R"({"event":"a","distinct_id":"1","token":")" + x65 + "\"}";
    check_rows(
        r,
        {
            {R"({"token":"T","event":"hi","distinct_id":"u1"})", 200, R"({"status":"Ok"})", 1},
            {R"([{"token":"T","event":"a","distinct_id":"1"},{"token":"T","event":"b","distinct_id":"2"}])",
             200,
             "",
             2},
            {R"([{"token":"T","event":"a","distinct_id":"1"},{"token":"X","event":"b","distinct_id":"2"}])",
             401,
             "batch submitted with inconsistent api_key values",
             0},
            {R"([{"token":"T","event":"a","distinct_id":"1"},{"event":"b","distinct_id":"2"}])",
             200,
             "",
             2},
            {R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1","token":"other"}]})",
             200,
             "",
             1},
            {R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1"},{"distinct_id":"2"}]})",
             400,
             hydrate,
             0},
            {R"({"event":"a","distinct_id":"1"})", 401, "event submitted without an api_key", 0},
            {R"({"event":"a","properties":{"distinct_id":"1","token":"T"}})", 200, "", 1},
            {R"({"api_key":"","batch":[{"event":"a"}]})", 401, "API key is not valid: empty", 0},
            {R"({"event":"a","distinct_id":"1","token":"phx_abc"})",
             401,
             "API key is not valid: personal_api_key",
             0},
            {t64.c_str(), 200, "", 1},
            {t65.c_str(), 401, "API key is not valid: too_long", 0},
            {"{\"event\":\"a\",\"distinct_id\":\"1\",\"token\":\"\xc3\xa9\"}",
             401,
             "API key is not valid: not_ascii",
             0},
            {R"({"event":"a","distinct_id":"1","token":"a\u0000b"})",
             401,
             "API key is not valid: null_byte",
             0},
            {R"({"event":"a","distinct_id":"1","token":"  "})",
             401,
             "API key is not valid: empty",
             0},
            {R"({"token":"T","event":"a","distinct_id":" \t"})",
             400,
             "event submitted without a distinct_id",
             0},
            {R"({"token":"T","event":"a","distinct_id":""})",
             400,
             "event submitted without a distinct_id",
             0},
            {R"({"token":"T","event":"a","distinct_id":null})",
             400,
             "event submitted without a distinct_id",
             0},
            {"{\"token\":\"T\",\"event\":\"a\",\"distinct_id\":\"\xe3\x80\x80\xc2\x85\"}",
             400,
             "event submitted without a distinct_id",
             0},
            {R"({"token":"T","event":"","distinct_id":"1"})",
             400,
             "event submitted with an empty event name",
             0},
            {R"({"token":"T","event":"a","distinct_id":"1","properties":{"$cookieless_mode":"yes"}})",
             400,
             "event submitted with invalid cookieless mode",
             0},
            {R"({"token":"T","event":"a","distinct_id":"1","properties":{"$cookieless_mode":null}})",
             400,
             "event submitted with invalid cookieless mode",
             0},
            {R"({"$token":"T","$distinct_id":"u","$set":{"a":1}})", 200, "", 1, route::engage},
            {R"({"$token":"T","$distinct_id":"u","$set":{"a":1}})", 400, hydrate, 0},
            {R"([{"event":"$performance_event"}])", 200, R"({"status":"Ok"})", 0},
            {R"([{"event":"$performance_event"},{"event":"a","distinct_id":"1"}])",
             401,
             "event submitted without an api_key",
             0},
        }
    );
}

TEST_CASE("Shapes fall through as the contract says in strict mode") {
    rig r(strict_settings());
    check_rows(
        r,
        {
            {R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1","timestamp":5}]})",
             400,
             hydrate,
             0},
            {R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1","uuid":"x"}]})",
             400,
             hydrate,
             0},
            {R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1"}],"sent_at":5})",
             400,
             hydrate,
             0},
            {R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1"}],"historical_migration":"true"})",
             400,
             hydrate,
             0},
            {R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1"}],"historical_migration":1})",
             400,
             hydrate,
             0},
            {R"({"batch":[{"event":"a","distinct_id":"1"}]})", 400, hydrate, 0},
            {R"({"$token":"T","batch":[{"event":"a","distinct_id":"1"}]})", 400, hydrate, 0},
            {R"({"api_key":null,"batch":[{"event":"a","distinct_id":"1"}]})", 400, hydrate, 0},
            {R"({"api_key":"T","token":"T","batch":[{"event":"a","distinct_id":"1"}]})",
             400,
             variant,
             0},
            {R"({"token":"T","event":"a","distinct_id":"1","$distinct_id":"1"})", 400, variant, 0},
            {R"({"api_key":5,"batch":[{"event":"a","distinct_id":"1"}]})", 400, variant, 0},
            {R"([{"token":"T","event":"a","distinct_id":"1"},{"token":"T","event":5}])",
             400,
             variant,
             0},
            {R"({"token":"T","event":"a","distinct_id":"1","timestamp":1})", 400, variant, 0},
            {R"({"token":"T","event":"a","distinct_id":"1","uuid":7})", 400, variant, 0},
            {R"({"token":"T","event":"a","distinct_id":"1","offset":"5"})", 400, variant, 0},
            {R"({"token":"T","event":"a","distinct_id":"1","offset":5.0})", 400, variant, 0},
            {R"({"token":"T","event":"a","distinct_id":"1","offset":9223372036854775808})",
             400,
             variant,
             0},
            {R"({"token":"T","event":"a","distinct_id":"1","properties":null})", 400, variant, 0},
            {R"({"token":"T","event":"a","distinct_id":"1","properties":[]})", 400, variant, 0},
            {R"({"token":"T","event":"a","distinct_id":"1","$set":"x"})", 400, variant, 0},
            {R"({"token":"T","event":"a","distinct_id":"1","$set_once":[]})", 400, variant, 0},
            {R"({"token":"T","event":"a","distinct_id":"1","uuid":null,"uuid":null})",
             400,
             variant,
             0},
            {R"({"token":"T","event":"a","distinct_id":"1","$set":null,"offset":null,"uuid":"","timestamp":null})",
             200,
             "",
             1},
            {"{}", 400, hydrate, 0},
            {R"({"event":null})", 400, hydrate, 0},
            {R"({"event":5})", 400, hydrate, 0},
            {R"({"event":"a","event":"b","token":"T","distinct_id":"1"})", 400, hydrate, 0},
            {"null ", 400, variant, 0},
            {"5", 400, variant, 0},
            {"\"x\"", 400, variant, 0},
            {"true ", 400, variant, 0},
            {"[]", 400, "request holds no event", 0},
            {R"({"api_key":"k","batch":[]})", 400, "request holds no event", 0},
            {R"({"api_key":"T","event":"x","batch":[{"event":"a","distinct_id":"1"},{"event":"b","distinct_id":"1"}]})",
             200,
             "",
             2},
            {R"(["key",true,null,[]])", 400, variant, 0},
            {R"({"api_key":"T","batch":[{"event":"a"}],"event":"x"})",
             400,
             "event submitted without a distinct_id",
             0},
            {R"({"api_key":"T","batch":[{"distinct_id":"1"}],"distinct_id":"2"})",
             200,
             "",
             1,
             route::engage},
            {R"({"api_key":"T","batch":[{"distinct_id":"1"}]})",
             400,
             "event submitted without a distinct_id",
             0,
             route::engage},
        }
    );
}

TEST_CASE("Salvage keeps good events, lists bad ones and writes their dead letters") {
    rig r;
    const outcome out = r.send(
        R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1"},{"distinct_id":"2"},)"
        R"({"event":"b"},{"event":"c","distinct_id":"3","timestamp":7},{"event":"d","distinct_id":"4"},)"
        R"({"event":"e","distinct_id":"\ud800"},5]})"
    );
    CHECK(out.answer.status == 200);
    CHECK(
        out.answer.body ==
        R"({"status":"Ok","rejected":[{"index":1,"reason":"missing_event_name"},)"
        R"({"index":2,"reason":"no_distinct_id"},)"
        R"({"index":3,"reason":"invalid_event","detail":"`timestamp` must be a string"},)"
        R"({"index":5,"reason":"invalid_event","detail":"lone surrogate escape at byte 28 of the event"},)"
        R"({"index":6,"reason":"invalid_event","detail":"an event must be an object"}]})"
    );
    CHECK(out.counts.received == 7);
    CHECK(out.counts.to_write == 2);
    CHECK(out.counts.dead_lettered == 5);
    CHECK(r.batch.records.size() == 7);
}

TEST_CASE("When all events are bad the first one's reason is the answer") {
    rig r;
    outcome out = r.send(R"({"api_key":"T","batch":[{"event":"a"},{"event":""}]})");
    CHECK(out.answer.status == 400);
    CHECK(out.answer.body == "event submitted without a distinct_id");
    CHECK(out.counts.refused[static_cast<std::size_t>(reason::no_distinct_id)] == 1);
    CHECK(out.counts.refused[static_cast<std::size_t>(reason::no_event_name)] == 1);
    CHECK(out.counts.dead_lettered == 0);
    CHECK(r.batch.records.size() == 2);  // their dead letters

    out = r.send(R"({"api_key":"phx_secret","batch":[{"event":5}]})");
    CHECK(out.answer.body == hydrate);
    CHECK(r.batch.records.empty());  // no dead letters without a valid token

    out = r.send(R"({"token":"T","event":"a","distinct_id":"1","timestamp":1})");
    CHECK(out.answer.body == "failed to parse request: `timestamp` must be a string");
    CHECK(r.batch.records.size() == 1);
}

TEST_CASE("Wrapper errors stay the contract's in salvage mode") {
    rig r;
    check_rows(
        r,
        {
            {R"({"batch":[{"event":"a","distinct_id":"1"}]})", 400, hydrate, 0},
            {R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1"}],"sent_at":5})",
             400,
             hydrate,
             0},
            {"5", 400, variant, 0},
            {R"(["key",true,null,[]])", 400, variant, 0},
            {"{}", 400, hydrate, 0},
            {"[]", 400, "request holds no event", 0},
            {R"([{"token":"T","event":"a","distinct_id":"1"},{"token":"X","event":"b","distinct_id":"2"}])",
             401,
             "batch submitted with",
             0},
            {R"([{"event":"a","distinct_id":"1"},{"event":"b"}])",
             401,
             "event submitted without an api_key",
             0},
            {R"({"api_key":"T","x":"\ud800","batch":[{"event":"a","distinct_id":"1"}]})",
             400,
             "failed to parse request: unexpected end of hex escape at line 1 column 26",
             0},
        }
    );
}

TEST_CASE("At most 100 refused events are listed, with the number of all") {
    rig r;
    std::string body = R"({"api_key":"T","batch":[{"event":"a","distinct_id":"1"})";
    for (int i = 0; i < 150; ++i) body += R"(,{"event":"x"})";
    const outcome out = r.send(body + "]}");
    CHECK(out.answer.status == 200);
    CHECK_THAT(
        out.answer.body,
        ContainsSubstring(R"({"index":100,"reason":"no_distinct_id"}],"rejected_count":150})")
    );
    CHECK(out.counts.dead_lettered == 150);
}

TEST_CASE("Events over the cap per request are refused, one dead letter for all of them") {
    config::settings s;
    s.limits.events_per_request = 2;
    const std::string body =
        R"([{"token":"T","event":"a","distinct_id":"1"},{"event":"b","distinct_id":"1"},{"c":3},{"d":4}])";
    rig r(s);
    outcome out = r.send(body);
    CHECK(out.answer.status == 200);
    CHECK(out.counts.to_write == 2);
    CHECK(out.counts.dead_lettered == 2);
    REQUIRE(r.batch.records.size() == 3);
    CHECK_THAT(r.value(2), ContainsSubstring(R"("index":2,"count":2,)"));
    CHECK(r.field("raw", 2) == R"({\"c\":3},{\"d\":4})");
    s.ingest.mode = config::ingest_mode::strict;
    rig strict(s);
    out = strict.send(body);
    CHECK(out.answer.status == 413);
    CHECK(out.why == reason::too_many_events);
}

TEST_CASE("beacon=1 turns success into 204, also with refused events, and leaves errors alone") {
    rig r;
    shot s;
    s.query = "beacon=1";
    s.body = R"({"token":"T","event":"a","distinct_id":"1"})";
    outcome out = r.send(s);
    CHECK(out.answer.status == 204);
    CHECK(out.answer.body.empty());
    s.body = R"({"token":"T","event":"a"})";
    CHECK(r.send(s).answer.status == 400);
    s.body = R"([{"token":"T","event":"a","distinct_id":"1"},{"event":"b"}])";
    CHECK(r.send(s).answer.status == 204);
    s.body = R"({"event":"$performance_event"})";
    CHECK(r.send(s).answer.status == 200);
}

TEST_CASE("The black hole parses and publishes nothing") {
    rig r;
    shot s;
    s.route = route::black_hole;
    s.body = R"([{"token":"T","event":"a","distinct_id":"1"},{"event":"b"}])";
    const outcome out = r.send(s);
    CHECK(out.answer.status == 200);
    CHECK(r.batch.records.empty());
    CHECK(out.counts.dropped[static_cast<std::size_t>(drop_cause::black_hole)] == 2);
}

TEST_CASE("A record over the sink's limit refuses that event only, in strict mode the request") {
    const std::string big(5000, 'x');
    const std::string body = R"([{"token":"T","event":"a","distinct_id":"1","properties":{"x":")" +
                             big + R"("}},{"event":"b","distinct_id":"1"}])";
    rig r({}, 4000);
    outcome out = r.send(body);
    CHECK(out.answer.status == 200);
    CHECK(out.counts.to_write == 1);
    CHECK_THAT(out.answer.body, ContainsSubstring(R"("reason":"event_too_big")"));
    REQUIRE(r.batch.records.size() == 2);
    CHECK(r.value(0).size() < 4000);  // the letter fits too
    rig strict(strict_settings(), 4000);
    out = strict.send(body);
    CHECK(out.answer.status == 413);
    CHECK_THAT(out.answer.body, ContainsSubstring("maximum event size exceeded: "));
    CHECK(strict.batch.records.empty());
}

TEST_CASE("AI events have a size limit of their own") {
    config::settings s = strict_settings();
    s.ingest.ai_event_max = 200;
    rig r(s);
    const std::string x(200, 'x');
    const outcome out = r.send(
        R"({"token":"T","uuid":"0187dab212347abc8def001122334455","event":"$ai_span","distinct_id":"1","properties":{"x":")" +
        x + "\"}}"
    );
    CHECK(out.answer.status == 413);
    // {"token":"T","distinct_id":"1","uuid":"<36>","event":"$ai_span","properties":{"x":"<200>"}}
    CHECK_THAT(
        out.answer.body,
        ContainsSubstring(
            "AI event $ai_span (uuid 0187dab2-1234-7abc-8def-001122334455) is 318 bytes, over the "
            "200-byte limit"
        )
    );
}

TEST_CASE("An event that is far too large is refused before room for its worst case is taken") {
    rig r;
    std::string name(7'000'000, 'n');
    for (std::size_t i = 0; i < name.size(); i += 2) name[i] = '\\';
    const outcome out = r.send(R"({"token":"T","distinct_id":"1","event":")" + name + "\"}");
    CHECK(out.answer.status == 413);
    CHECK_THAT(out.answer.body, ContainsSubstring("more than 1000000 bytes"));
    CHECK(r.batch.memory.capacity() < 3 * name.size());
}
