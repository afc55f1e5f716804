#include "tests/unit/ingest/pipeline_rig.hpp"

#include <string>

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
