#include "tests/unit/kafka/sink_fixture.hpp"

using namespace headrace;
using namespace std::chrono_literals;
using test::eventually;
using test::fake_spool;
using test::mock_kafka;
using test::sink_setup;
using test::topic_reader;

namespace {

std::size_t waiting(sink_setup& t) {
    return t.store->with([](auto& s) { return s.unshipped.size(); });
}

bool held(sink_setup& t, const std::string& name) {
    return t.sink->inside().judge.held(t.topics.intern(name));
}

void put(sink_setup& t, const std::string& topic, const std::string& value) {
    t.store->with([&](auto& s) {
        return s.unshipped.emplace(++s.sequence, fake_spool::stored{topic, "key", value}).second;
    });
}

kafka::fate sent(sink_setup& t, const std::string& topic) {
    kafka::batch& b = t.make(topic, {"x"});
    REQUIRE(t.sink->submit(b));
    REQUIRE(t.released(b));
    return b.records[0].outcome;
}

}  // namespace

TEST_CASE("a missing topic holds its own records and no others") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    kafka.topic("missing", 1);
    kafka.topic_error("missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    sink_setup t(kafka.brokers());
    t.settings.kafka.topics.error_tracking = "missing";
    t.start();
    REQUIRE(sent(t, "events") == kafka::fate::acked);
    kafka::batch& first = t.make("missing", {"1"});
    REQUIRE(t.sink->submit(first));
    t.sink->expire(first);
    REQUIRE(t.decided(first));
    CHECK(first.records[0].outcome == kafka::fate::stored);
    REQUIRE(eventually([&] { return held(t, "missing"); }));
    // Longer than the probe of a broker takes: the sink as a whole never falls sick.
    CHECK_FALSE(eventually([&] { return t.sick(); }, 2s));
    CHECK(sent(t, "events") == kafka::fate::acked);
    CHECK(sent(t, "missing") == kafka::fate::stored);
    kafka::batch& mixed = t.make("missing", {"a", "b", "c"});
    mixed.records[1].to = &t.topics.intern("events");
    REQUIRE(t.sink->submit(mixed));
    REQUIRE(t.released(mixed));
    CHECK(mixed.records[0].outcome == kafka::fate::stored);
    CHECK(mixed.records[1].outcome == kafka::fate::acked);
    CHECK(mixed.records[2].outcome == kafka::fate::stored);
    CHECK(t.sink->health().kafka_ok);
    CHECK_THAT(t.sink->health().reason, ContainsSubstring("missing"));
    CHECK(t.logged("topic missing go to the spool"));
    // Once the client is sure that it is missing.
    CHECK(eventually([&] { return t.logged("kafka.topics.error_tracking"); }));

    kafka.topic_error("missing", RD_KAFKA_RESP_ERR_NO_ERROR);
    REQUIRE(eventually([&] { return waiting(t) == 0; }));
    REQUIRE(eventually([&] { return !held(t, "missing"); }));
    REQUIRE(t.released(first));
    CHECK(sent(t, "missing") == kafka::fate::acked);
    CHECK(t.sink->health().reason.empty());
}

TEST_CASE("stored records of a missing topic hold up no others") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    kafka.topic("missing", 1);
    kafka.topic_error("missing", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    sink_setup t(kafka.brokers());
    // More than the drain has in flight at one time.
    for (int i = 0; i < 2'500; ++i) put(t, "missing", std::to_string(i));
    for (int i = 0; i < 10; ++i) put(t, "events", std::to_string(i));
    t.start();
    REQUIRE(eventually([&] { return waiting(t) == 2'500; }));
    for (int i = 10; i < 20; ++i) put(t, "events", std::to_string(i));
    REQUIRE(eventually([&] { return waiting(t) == 2'500; }));
    const auto events = topic_reader(kafka.brokers(), "events", 1).read(20);
    REQUIRE(events.size() == 20);
    for (int i = 0; i < 20; ++i)
        CHECK(events[static_cast<std::size_t>(i)].value == std::to_string(i));
    kafka.topic_error("missing", RD_KAFKA_RESP_ERR_NO_ERROR);
    REQUIRE(eventually([&] { return waiting(t) == 0; }));
    const auto late = topic_reader(kafka.brokers(), "missing", 1).read(2'500);
    REQUIRE(late.size() == 2'500);
    CHECK(late.front().value == "0");
}

TEST_CASE("a stored record that the broker refuses alone for its size holds up no others") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    kafka.fail_produce(2, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    put(t, "events", "large");
    t.start();
    REQUIRE(eventually([&] { return t.logged("larger than the broker takes"); }));
    put(t, "events", "small");
    REQUIRE(eventually([&] { return waiting(t) == 1; }));
    const auto read = topic_reader(kafka.brokers(), "events", 1).read(1);
    REQUIRE(read.size() == 1);
    CHECK(read[0].value == "small");
    CHECK(t.store->with([](auto& s) { return s.unshipped.begin()->second.value; }) == "large");
}
