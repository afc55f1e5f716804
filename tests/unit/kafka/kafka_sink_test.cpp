#include "tests/unit/kafka/sink_fixture.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace headrace;
using namespace std::chrono_literals;
using test::eventually;
using test::mock_kafka;
using test::sink_setup;
using test::topic_reader;

namespace {

// Accepts connections in the kernel's backlog and never says a word.
class black_hole {
public:
    black_hole() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* any = reinterpret_cast<sockaddr*>(&at);
        REQUIRE(::bind(fd_, any, sizeof at) == 0);
        REQUIRE(::listen(fd_, 64) == 0);
        socklen_t size = sizeof at;
        REQUIRE(::getsockname(fd_, any, &size) == 0);
        port_ = ntohs(at.sin_port);
    }
    ~black_hole() { ::close(fd_); }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

private:
    int fd_;
    int port_ = 0;
};

std::uint64_t stored(sink_setup& t) {
    return t.store->with([](auto& s) { return s.stored_total; });
}
std::uint64_t shipped(sink_setup& t) {
    return t.store->with([](auto& s) { return s.shipped_total; });
}
std::size_t waiting(sink_setup& t) {
    return t.store->with([](auto& s) { return s.unshipped.size(); });
}

}  // namespace

TEST_CASE("with the broker away an expired batch is stored, later ones at once, and all ship") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.start();
    kafka::batch& first = t.make("events", {"0"});
    REQUIRE(t.sink->submit(first));
    REQUIRE(t.decided(first));
    kafka.down();

    kafka::batch& late = t.make("events", {"1", "2"});
    REQUIRE(t.sink->submit(late));
    t.sink->expire(late);
    REQUIRE(t.decided(late));
    CHECK(late.records[0].outcome == kafka::fate::stored);
    REQUIRE(eventually([&] { return t.sick(); }));
    kafka::batch& direct = t.make("events", {"3"});
    REQUIRE(t.sink->submit(direct));
    REQUIRE(t.released(direct));
    CHECK(direct.records[0].outcome == kafka::fate::stored);
    CHECK_FALSE(t.sink->health().kafka_ok);
    CHECK_THAT(t.sink->health().reason, ContainsSubstring("Kafka:"));
    CHECK(t.sink->health().honest_200_possible());

    kafka.up();
    REQUIRE(t.released(late));
    REQUIRE(eventually([&] { return waiting(t) == 0; }));
    REQUIRE(eventually([&] { return !t.sick(); }));
    CHECK(t.sink->health().kafka_ok);
    CHECK(shipped(t) == 3);
    CHECK(topic_reader(kafka.brokers(), "events", 1).read(5, 2s).size() == 4);
}

TEST_CASE("an ack that comes after the deadline marks the stored record shipped") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.settings.kafka.ack_timeout = 10s;
    t.start();
    kafka::batch& warm = t.make("events", {"warm"});
    REQUIRE(t.sink->submit(warm));
    REQUIRE(t.decided(warm));
    kafka.rtt(1'500);
    kafka::batch& b = t.make("events", {"slow", "slower"});
    REQUIRE(t.sink->submit(b));
    SECTION("synced before the ack") {
        t.sink->expire(b);
        REQUIRE(t.decided(b));
        CHECK(b.records[0].outcome == kafka::fate::stored);
        REQUIRE(t.released(b));
        REQUIRE(eventually([&] { return waiting(t) == 0; }));
        CHECK(shipped(t) == 2);
    }
    SECTION("acked before the sync") {
        t.store->with([](auto& s) { return s.held = true; });
        t.sink->expire(b);
        REQUIRE(t.decided(b));
        CHECK(b.records[0].outcome == kafka::fate::acked);
        t.store->with([](auto& s) { return s.held = false; });
        REQUIRE(t.released(b));
        REQUIRE(eventually([&] { return stored(t) == 2 && waiting(t) == 0; }));
    }
    kafka.rtt(0);
    CHECK(topic_reader(kafka.brokers(), "events", 1).read(4, 2s).size() == 3);
}

TEST_CASE("an attempt that fails after its record was stored is sent again by the drain") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.settings.kafka.ack_timeout = 10s;
    t.start();
    kafka.rtt(800);
    kafka.fail_produce(1, RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS);
    kafka::batch& b = t.make("events", {"x"});
    REQUIRE(t.sink->submit(b));
    t.sink->expire(b);
    REQUIRE(t.released(b));
    CHECK(b.records[0].outcome == kafka::fate::stored);
    kafka.rtt(0);
    REQUIRE(eventually([&] { return stored(t) == 1 && waiting(t) == 0; }));
    CHECK(topic_reader(kafka.brokers(), "events", 1).read(2, 1s).size() == 1);
}

TEST_CASE("a record that Kafka refuses is stored") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    kafka.topic("nowhere", 1);
    kafka.topic_error("nowhere", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    sink_setup t(kafka.brokers());
    t.start();
    kafka::batch& b = t.make("nowhere", {"a", "b"});
    b.records[1].to = &t.topics.intern("events");
    REQUIRE(t.sink->submit(b));
    REQUIRE(t.released(b));
    CHECK(b.records[0].outcome == kafka::fate::stored);
    CHECK(b.records[1].outcome == kafka::fate::acked);
}

TEST_CASE("without room in the queue the spool takes over, and then nothing is taken") {
    const black_hole nobody;
    sink_setup t(nobody.address());
    t.memory = 40'000;
    t.settings.kafka.ack_timeout = 60s;
    t.start();
    t.store->with([](auto& s) { return s.held = true; });
    int taken = 0;
    for (; taken < 1'000; ++taken)
        if (!t.sink->submit(t.make("events", {std::string(1'000, 'x')}))) break;
    CHECK(taken > 10);
    CHECK(taken < 40);
    CHECK(t.sink->stats().queue_messages > 0);
    t.store->with([](auto& s) { return s.held = false; });
    REQUIRE(eventually([&] {
        return t.worker.decided(t.batches[static_cast<std::size_t>(taken) - 1]);
    }));
    CHECK(t.batches[static_cast<std::size_t>(taken) - 1].records[0].outcome == kafka::fate::stored);
}

TEST_CASE("with the spool full and Kafka away the fate is failed, never silence") {
    const black_hole nobody;
    sink_setup t(nobody.address());
    t.start();
    t.store->with([](auto& s) { return s.full = true; });
    kafka::batch& b = t.make("events", {"x", "y"});
    REQUIRE(t.sink->submit(b));
    REQUIRE(eventually([&] { return t.sick(); }));
    t.sink->expire(b);
    REQUIRE(t.decided(b));
    CHECK(b.records[0].outcome == kafka::fate::failed);
    CHECK(b.records[1].outcome == kafka::fate::failed);
    CHECK_FALSE(t.sink->health().honest_200_possible());
    CHECK(t.worker.released(b) == 0);
}

TEST_CASE("ack disk stores first and ships behind") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.settings.kafka.ack = config::ack_mode::disk;
    t.start();
    kafka::batch& b = t.make("events", {"1", "2", "3"});
    REQUIRE(t.sink->submit(b));
    REQUIRE(t.released(b));
    CHECK(b.records[2].outcome == kafka::fate::stored);
    REQUIRE(eventually([&] { return waiting(t) == 0; }));
    const auto read = topic_reader(kafka.brokers(), "events", 1).read(3);
    REQUIRE(read.size() == 3);
    CHECK(read[0].value == "1");
    CHECK(read[2].value == "3");
}

TEST_CASE("ack enqueued decides before the broker answers") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.settings.kafka.ack = config::ack_mode::enqueued;
    t.start();
    kafka.rtt(2'000);
    kafka::batch& b = t.make("events", {"1"});
    REQUIRE(t.sink->submit(b));
    REQUIRE(t.decided(b));
    CHECK(t.worker.released(b) == 0);
    kafka.rtt(0);
    REQUIRE(t.released(b));
}

TEST_CASE("expire of a batch that is already back does nothing") {
    mock_kafka kafka;
    kafka.topic("events", 1);
    sink_setup t(kafka.brokers());
    t.start();
    kafka::batch& b = t.make("events", {"1"});
    REQUIRE(t.sink->submit(b));
    REQUIRE(t.released(b));
    t.sink->expire(b);
    CHECK(b.references == 0);
    CHECK(t.sink->stop(test::clock::now() + 3s) == 0);
    CHECK(t.worker.released(b) == 1);
    CHECK(stored(t) == 0);
    t.sink.reset();
}

TEST_CASE("an empty batch comes back decided and released") {
    mock_kafka kafka;
    sink_setup t(kafka.brokers());
    t.start();
    kafka::batch& b = t.make("events", {});
    REQUIRE(t.sink->submit(b));
    CHECK(t.decided(b));
    CHECK(t.released(b));
}

TEST_CASE("stop with a broker that never answers ends in time and spools everything") {
    const black_hole nobody;
    sink_setup t(nobody.address());
    t.start();
    for (int i = 0; i < 50; ++i) REQUIRE(t.sink->submit(t.make("events", {"a", "b"})));
    const auto start = test::clock::now();
    CHECK(t.sink->stop(start + 3s) == 0);
    CHECK(test::clock::now() - start < 5s);
    for (kafka::batch& b : t.batches) {
        CHECK(t.worker.released(b) == 1);
        for (const kafka::record& r : b.records) CHECK(r.outcome == kafka::fate::stored);
    }
    CHECK(waiting(t) == 100);
    CHECK_FALSE(t.sink->submit(t.make("events", {"c"})));
    t.sink.reset();
}

TEST_CASE("many workers, many batches: each comes back decided and released exactly once") {
    mock_kafka kafka;
    kafka.topic("events", 4);
    sink_setup t(kafka.brokers());
    t.settings.kafka.ack_timeout = 5s;
    t.settings.kafka.producers = 2;
    t.start();
    constexpr int threads = 3, each = 200;
    std::vector<std::vector<kafka::batch*>> mine(threads);
    for (auto& list : mine)
        for (int i = 0; i < each; ++i)
            list.push_back(&t.make("events", {"a", "b", std::to_string(i)}));
    std::vector<std::thread> workers;
    std::atomic<int> taken{0};
    for (auto& list : mine)
        workers.emplace_back([&t, &list, &taken] {
            int i = 0;
            for (kafka::batch* b : list) {
                if (!t.sink->submit(*b)) continue;
                ++taken;
                if (++i % 7 == 0) t.sink->expire(*b);
            }
        });
    for (auto& w : workers) w.join();
    CHECK(taken == threads * each);
    CHECK(t.sink->stop(test::clock::now() + 10s) == 0);
    for (kafka::batch& b : t.batches) {
        REQUIRE(t.worker.decided(b));
        REQUIRE(t.worker.released(b) == 1);
        CHECK(b.references == 0);
        CHECK(b.undecided == 0);
    }
    CHECK(t.sink->stats().queue_messages == 0);
    CHECK(t.sink->stats().queue_bytes == 0);
    t.sink.reset();
}
