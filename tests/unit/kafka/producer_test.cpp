#include "kafka/partitioner.hpp"
#include "tests/unit/kafka/sink_fixture.hpp"

#include <array>
#include <atomic>
#include <thread>
#include <vector>

using namespace headrace;
using test::eventually;
using test::mock_kafka;
using test::sink_setup;
using test::topic_reader;

TEST_CASE("a record arrives with its exact value, key and headers") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.start();

    kafka::batch& b = t.make("events", {"{\"uuid\":\"\xc3\xa4\"}", "", "third"});
    const std::array<kafka::header, 4> headers{
        {{"token", "phc_x"}, {"session_id", {}}, {"empty", std::string_view("", 0)}, {"n", "1"}}};
    b.records[0].headers = headers;
    b.records[1].key = std::string_view("", 0);
    b.records[2].key = {};
    REQUIRE(t.sink->submit(b));
    REQUIRE(t.decided(b));
    REQUIRE(t.released(b));
    for (const kafka::record& r : b.records) CHECK(r.outcome == kafka::fate::acked);
    CHECK(b.undecided == 0);
    CHECK(b.references == 0);

    const auto read = topic_reader(kafka.brokers(), "events", 1).read(3);
    REQUIRE(read.size() == 3);
    CHECK(read[0].value == "{\"uuid\":\"\xc3\xa4\"}");
    CHECK(read[0].key == "key");
    REQUIRE(read[0].headers.size() == 4);
    CHECK(
        read[0].headers[0] == std::pair(std::string("token"), std::optional<std::string>("phc_x"))
    );
    CHECK(read[0].headers[1].second == std::nullopt);
    CHECK(read[0].headers[2].second == "");
    CHECK(read[0].headers[3].first == "n");
    CHECK(read[1].key == "");
    CHECK(read[1].headers.empty());
    CHECK(read[2].key == std::nullopt);
}

TEST_CASE("records of a key stay in order, in the partition that Java would choose") {
    mock_kafka kafka(3);
    kafka.topic("events", 8);
    sink_setup t(kafka.brokers());
    t.settings.kafka.producers = GENERATE(1u, 3u);
    t.start();
    constexpr int keys = 20, each = 30;
    for (int n = 0; n < each; ++n) {
        kafka::batch& b = t.make("events", std::vector<std::string>(keys, std::to_string(n)));
        for (int k = 0; k < keys; ++k)
            b.records[static_cast<std::size_t>(k)].key =
                b.memory.copy("phc:user" + std::to_string(k));
        REQUIRE(t.sink->submit(b));
    }
    for (kafka::batch& b : t.batches) REQUIRE(t.released(b));
    const auto read = topic_reader(kafka.brokers(), "events", 8).read(keys * each);
    REQUIRE(read.size() == keys * each);
    std::map<std::string, int> next;
    for (const auto& r : read) {
        CHECK(r.partition == static_cast<int>(kafka::murmur2_partition(*r.key, 8)));
        CHECK(r.value == std::to_string(next[*r.key]++));
    }
}

TEST_CASE("request time-outs of the broker are retried") {
    mock_kafka kafka;
    kafka.topic("events", 2);
    sink_setup t(kafka.brokers());
    t.settings.kafka.ack_timeout = std::chrono::seconds(10);
    t.start();
    kafka.fail_produce(3, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    kafka::batch& b = t.make("events", std::vector<std::string>(50, "v"));
    REQUIRE(t.sink->submit(b));
    REQUIRE(t.released(b));
    for (const kafka::record& r : b.records) CHECK(r.outcome == kafka::fate::acked);
    CHECK(t.store->with([](auto& s) { return s.stored_total; }) == 0);
}

TEST_CASE("a size error of a whole request is settled by sending each record alone") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.settings.kafka.ack_timeout = std::chrono::seconds(10);
    t.settings.kafka.linger = std::chrono::milliseconds(50);
    t.start();
    SECTION("all fit alone") {
        kafka.fail_produce(1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
        kafka::batch& b = t.make("events", {"a", "b", "c"});
        REQUIRE(t.sink->submit(b));
        REQUIRE(t.released(b));
        for (const kafka::record& r : b.records) CHECK(r.outcome == kafka::fate::acked);
        CHECK(topic_reader(kafka.brokers(), "events", 1).read(3).size() == 3);
    }
    SECTION("one does not fit alone either") {
        kafka.fail_produce(
            2,
            GENERATE(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE)
        );
        kafka::batch& b = t.make("events", {"a", "b", "c"});
        REQUIRE(t.sink->submit(b));
        REQUIRE(t.released(b));
        CHECK(b.records[0].outcome == kafka::fate::too_large);
        CHECK(b.records[1].outcome == kafka::fate::acked);
        CHECK(b.records[2].outcome == kafka::fate::acked);
    }
}

TEST_CASE("a record beyond the client's own limit is refused at once") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.settings.kafka.message_max = 2'000;
    t.start();
    CHECK(t.sink->record_bytes_max() == 2'000 - 256);
    kafka::batch& b = t.make("events", {std::string(3'000, 'x'), "small"});
    b.records[1].value = b.memory.copy(std::string(t.sink->record_bytes_max() - 3, 'y'));
    REQUIRE(t.sink->submit(b));
    REQUIRE(t.released(b));
    CHECK(b.records[0].outcome == kafka::fate::too_large);
    CHECK(b.records[1].outcome == kafka::fate::acked);
}

TEST_CASE("a fatal error replaces the producer and loses nothing") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.start();
    kafka::batch& first = t.make("events", {"before"});
    REQUIRE(t.sink->submit(first));
    REQUIRE(t.decided(first));
    kafka::producer& old = t.sink->inside().pool.acquire(0);
    rd_kafka_test_fatal_error(old.client(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "test");
    kafka::producer_pool::release(old, 0);
    REQUIRE(eventually([&] { return t.logged("replaced after a fatal error"); }));
    kafka::batch& after = t.make("events", {"after"});
    REQUIRE(t.sink->submit(after));
    REQUIRE(t.released(after));
    CHECK(after.records[0].outcome == kafka::fate::acked);
    CHECK(topic_reader(kafka.brokers(), "events", 1).read(2).size() == 2);
}

TEST_CASE("what submit took while the sink stops gets its fate and comes back") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.start();
    constexpr int threads = 3, each = 4'000;
    std::vector<std::vector<kafka::batch*>> made(threads), taken(threads);
    for (auto& list : made)
        for (int n = 0; n < each; ++n) list.push_back(&t.make("events", {"v"}));
    std::atomic<int> some{0};
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < threads; ++i)
        workers.emplace_back([&, i] {
            for (kafka::batch* b : made[i]) {
                if (!t.sink->submit(*b)) break;
                taken[i].push_back(b);
                ++some;
            }
        });
    CHECK(eventually([&] { return some >= 100; }));
    t.sink->stop(test::clock::now() + std::chrono::seconds(20));
    for (std::thread& w : workers) w.join();
    for (const auto& list : taken)
        for (kafka::batch* b : list) {
            REQUIRE(b->undecided == 0);
            REQUIRE(t.worker.released(*b) == 1);
        }
}

TEST_CASE("stop waits for a thread inside submit and leaves it what it uses") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.start();
    auto& inside = t.sink->inside();
    kafka::producer& used = inside.pool.acquire(0);
    inside.submitters.fetch_add(1);
    SECTION("that goes in time") {
        bool stopping = false, usable = false;
        std::thread worker([&] {
            stopping = eventually([&] { return inside.stopped.load(); });
            usable = used.client() != nullptr;
            kafka::producer_pool::release(used, 0);
            inside.submitters.fetch_sub(1);
        });
        CHECK(t.sink->stop(test::clock::now() + std::chrono::seconds(20)) == 0);
        worker.join();
        CHECK(stopping);
        CHECK(usable);
        CHECK(used.client() == nullptr);
    }
    SECTION("that does not") {
        t.sink->stop(test::clock::now() + std::chrono::milliseconds(200));
        CHECK(used.client() != nullptr);
        CHECK_FALSE(inside.pool.shut_down(test::clock::now()));
        kafka::producer_pool::release(used, 0);
        inside.submitters.fetch_sub(1);
        CHECK(inside.pool.shut_down(test::clock::now() + std::chrono::seconds(20)));
        CHECK(used.client() == nullptr);
    }
}

TEST_CASE("producers that end again and again are replaced in the same memory") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    config::kafka_settings settings;
    settings.brokers = {kafka.brokers()};
    std::vector<std::string> warnings;
    kafka::producer_pool pool(settings, 16 << 20, {}, warnings);
    const kafka::topic to{.name = "events", .index = 0};
    for (int round = 0; round < 6; ++round) {
        CAPTURE(round);
        kafka::producer& p = pool.acquire(0);
        const auto error = p.produce(to, "key", "value", {}, nullptr, true);
        CHECK(error == RD_KAFKA_RESP_ERR_NO_ERROR);
        rd_kafka_test_fatal_error(p.client(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "t");
        kafka::producer_pool::release(p, 1);
        CHECK(pool.replace_fatal().size() == 1);
        CHECK(eventually([&] {
            {  // an event must not outlive its client
                const kafka::event_ptr event(rd_kafka_queue_poll(p.events(), 50));
                if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) ++p.reported;
            }
            pool.collect_retired();
            return p.client() == nullptr;
        }));
        CHECK(pool.kept() == 2);
        CHECK(pool.sent_total() == round + 1);
        CHECK(pool.outstanding() == 0);
    }
    CHECK(pool.shut_down(test::clock::now() + std::chrono::seconds(20)));
}

TEST_CASE("the pause between replacements doubles up to a minute and ends with quiet") {
    using std::chrono::seconds;
    kafka::replace_pause pause;
    test::clock::time_point now{seconds(1'000)};
    CHECK(pause.due(now));
    CHECK_FALSE(pause.settled(now));
    CHECK(pause.failed(now, "fenced"));
    for (const int length : {1, 2, 4, 8, 16, 32, 64, 64, 64}) {
        CAPTURE(length);
        CHECK_FALSE(pause.due(now + seconds(length) - std::chrono::milliseconds(1)));
        now += seconds(length);
        CHECK(pause.due(now));
        CHECK_FALSE(pause.settled(now));
        CHECK_FALSE(pause.failed(now, "fenced"));
    }
    CHECK(pause.failed(now, "other reason"));
    CHECK_FALSE(pause.settled(now + seconds(127)));
    CHECK(pause.settled(now + seconds(128)));
    CHECK_FALSE(pause.settled(now + seconds(129)));
    CHECK(pause.failed(now + seconds(130), "other reason"));
    CHECK(pause.due(now + seconds(131)));
}
