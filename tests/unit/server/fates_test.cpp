// What a worker makes of the sink's decisions about single records: answers, dead letters, counts.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/worker.hpp"
#include "tests/support/catch.hpp"

using namespace headrace;
using namespace headrace::server;
using kafka::fate;
using kafka::record_kind;

namespace {

// Decides each record by its kind, at once.
class judging_sink final : public kafka::record_sink {
public:
    std::function<fate(const kafka::record&)> judge;

    bool submit(kafka::batch& b) noexcept override {
        {
            const std::lock_guard lock(mutex_);
            for (kafka::record& r : b.records) {
                r.outcome = judge(r);
                values_.emplace_back(r.value);
            }
        }
        kafka::batch* list = nullptr;
        kafka::completions* const home = b.home;
        b.give_back(kafka::batch::decided | kafka::batch::released, list);
        if (list != nullptr) home->push(list);
        return true;
    }
    void expire(kafka::batch&) noexcept override {}
    std::size_t record_bytes_max() const noexcept override { return 1'000'000; }
    kafka::sink_health health() const override { return {.kafka_ok = true, .reason = {}}; }
    kafka::sink_stats stats() const override { return {}; }
    std::size_t stop(std::chrono::steady_clock::time_point) override { return 0; }

    std::vector<std::string> values() {
        const std::lock_guard lock(mutex_);
        return values_;
    }

private:
    std::mutex mutex_;
    std::vector<std::string> values_;
};

struct harness {
    config::settings settings;
    judging_sink sink;
    kafka::topic_table topics;
    ingest::lanes lanes = ingest::intern_lanes(topics, settings.kafka.topics);
    memory_budget budget{256 << 20};
    ingest::ip_resolver ips{{}, "", config::ip_policy::keep};
    health state{1};
    shared_state shared{settings, lanes, ips, sink, budget, state, [] { return std::string(); }};
    worker w{shared, 0};
    std::thread thread;

    explicit harness(
        std::function<fate(const kafka::record&)> judge,
        config::ingest_mode mode = config::ingest_mode::salvage
    ) {
        settings.ingest.mode = mode;
        sink.judge = std::move(judge);
        thread = std::thread([this] { w.run(); });
        state.enter(phase::serving);
    }
    ~harness() {
        w.stop();
        thread.join();
    }

    // The response to one request on a connection of its own.
    std::string post(const std::string& body) {
        int fds[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        worker::connection c;
        c.descriptor = fds[0];
        c.tcp = false;
        w.adopt(c);
        const std::string request = "POST /batch HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: " +
                                    std::to_string(body.size()) + "\r\n\r\n" + body;
        CHECK(::send(fds[1], request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
        std::string all;
        char buffer[4096];
        for (ssize_t n = 1; n > 0;) {
            pollfd p{fds[1], POLLIN, 0};
            if (::poll(&p, 1, 10'000) != 1) break;
            n = ::recv(fds[1], buffer, sizeof buffer, 0);
            if (n > 0) all.append(buffer, static_cast<std::size_t>(n));
        }
        ::close(fds[1]);
        return all;
    }
    worker_metrics metrics() {
        std::promise<worker_metrics> out;
        w.snapshot([&out](const worker_metrics& m) { out.set_value(m); });
        return out.get_future().get();
    }
};

std::uint64_t dropped(const worker_metrics& m, ingest::drop_cause why) {
    return m.dropped[static_cast<std::size_t>(why)];
}

const std::string split =
    R"({"api_key":"T","batch":[)"
    R"({"event":"$pageview","distinct_id":"1","properties":{"$heatmap_data":{"http://a/":[{"x":1}]}}},)"
    R"({"event":"ok","distinct_id":"2"}]})";

std::string body(const std::string& response) { return response.substr(response.find("\r\n\r\n") + 4); }

}  // namespace

TEST_CASE("the half of an event that the broker refuses becomes a dead letter") {
    // In strict mode too, for the event itself is written.
    harness h(
        [](const kafka::record& r) {
            return r.kind == record_kind::companion ? fate::too_large : fate::acked;
        },
        GENERATE(config::ingest_mode::salvage, config::ingest_mode::strict)
    );
    const std::string answer = h.post(split);
    CHECK(answer.starts_with("HTTP/1.1 200"));
    CHECK(body(answer) == R"({"status":"Ok"})");
    const auto values = h.sink.values();
    REQUIRE(values.size() == 4);
    CHECK_THAT(values[3], ContainsSubstring("\"reason\":\"event_too_big\""));
    CHECK_THAT(values[3], ContainsSubstring("heatmap"));
    const worker_metrics m = h.metrics();
    CHECK(m.received == 2);
    CHECK(m.acked == 1);
    CHECK(m.dead_lettered == 1);
    CHECK(m.in_flight == 0);
}

TEST_CASE("an event and its half that the broker refuses are two dead letters of one event") {
    harness h([](const kafka::record& r) {
        return r.event_index == 0 && r.kind != record_kind::dead_letter ? fate::too_large : fate::acked;
    });
    CHECK(body(h.post(split)) == R"({"status":"Ok","rejected":[{"index":0,"reason":"event_too_big"}]})");
    CHECK(h.sink.values().size() == 5);
    const worker_metrics m = h.metrics();
    CHECK(m.acked == 1);
    CHECK(m.dead_lettered == 1);
    CHECK(m.in_flight == 0);
}

TEST_CASE("a dead letter that the broker refuses is counted as dropped") {
    harness h([](const kafka::record& r) {
        if (r.kind == record_kind::dead_letter) return fate::too_large;
        return r.kind == record_kind::companion ? fate::too_large : fate::acked;
    });
    std::string request;
    SECTION("of an event of which a half was refused") { request = split; }
    SECTION("of an event that headrace refused") {
        request = R"({"api_key":"T","batch":[{"event":"","distinct_id":"1"},{"event":"ok","distinct_id":"2"}]})";
    }
    CHECK(h.post(request).starts_with("HTTP/1.1 200"));
    const worker_metrics m = h.metrics();
    CHECK(m.received == 2);
    CHECK(m.acked == 1);
    CHECK(m.dead_lettered == 0);
    CHECK(dropped(m, ingest::drop_cause::dead_letter_refused) == 1);
    CHECK(m.in_flight == 0);
}

TEST_CASE("an answer lists at most a hundred refused events and says how many there are") {
    harness h([](const kafka::record& r) {
        const bool big = r.value.find("\"event\":\"big\"") != std::string_view::npos;
        return r.kind == record_kind::event && big ? fate::too_large : fate::acked;
    });
    const auto batch = [](int nameless, int big) {
        std::string body = R"({"api_key":"T","batch":[{"event":"ok","distinct_id":"1"})";
        for (int i = 0; i < nameless; ++i) body += R"(,{"distinct_id":"1"})";
        for (int i = 0; i < big; ++i) body += R"(,{"event":"big","distinct_id":"1"})";
        return body + "]}";
    };
    const auto listed = [](const std::string& answer) {
        std::size_t n = 0;
        for (std::size_t at = 0; (at = answer.find("{\"index\":", at)) != std::string::npos; ++at) ++n;
        return n;
    };
    const std::string few = h.post(batch(1, 2));
    CHECK_THAT(few, ContainsSubstring(
        R"("rejected":[{"index":1,"reason":"missing_event_name"},{"index":2,"reason":"event_too_big"},)"
        R"({"index":3,"reason":"event_too_big"}]})"));
    const std::string many = h.post(batch(2, 130));
    CHECK(listed(many) == 100);
    CHECK_THAT(many, ContainsSubstring(R"(],"rejected_count":132})"));
    const std::string both = h.post(batch(110, 20));
    CHECK(listed(both) == 100);
    CHECK_THAT(both, ContainsSubstring(R"(],"rejected_count":130})"));
}
