// One worker with real sockets and a sink that the test controls.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "server/worker.hpp"
#include "tests/support/catch.hpp"

using namespace headrace;
using namespace headrace::server;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds patience{10'000};

// Acknowledges at once, refuses, fails, or keeps batches until told.
class controlled_sink final : public kafka::record_sink {
public:
    enum class mode { ack, store, full, fail, hold, first_too_large };
    std::atomic<mode> how{mode::ack};
    std::atomic<int> expired{0};

    bool submit(kafka::batch& b) noexcept override {
        if (how == mode::full) return false;
        {
            const std::lock_guard lock(mutex_);
            for (const kafka::record& r : b.records) values_.emplace_back(r.value);
        }
        if (how == mode::hold) {
            const std::lock_guard lock(mutex_);
            held_.push_back(&b);
            return true;
        }
        // Once: the dead letter that follows is taken.
        const bool large = how == mode::first_too_large;
        if (large) how = mode::ack;
        decide(b, how == mode::fail ? kafka::fate::failed : how == mode::store ? kafka::fate::stored : kafka::fate::acked,
               kafka::batch::decided | kafka::batch::released, large);
        return true;
    }
    void expire(kafka::batch& b) noexcept override {
        {
            const std::lock_guard lock(mutex_);
            expired_values_.emplace_back(b.records.front().value);
        }
        ++expired;
    }
    std::size_t record_bytes_max() const noexcept override { return 1'000'000; }
    kafka::sink_health health() const override { return {.kafka_ok = true, .reason = {}}; }
    kafka::sink_stats stats() const override { return {}; }
    std::size_t stop(std::chrono::steady_clock::time_point) override { return 0; }

    void release_all() {
        const std::lock_guard lock(mutex_);
        for (kafka::batch* b : held_) decide(*b, kafka::fate::acked, kafka::batch::decided | kafka::batch::released);
        held_.clear();
    }
    std::vector<std::string> values() {
        const std::lock_guard lock(mutex_);
        return values_;
    }
    std::vector<std::string> expired_values() {
        const std::lock_guard lock(mutex_);
        return expired_values_;
    }
    // Decides the oldest held batch: its first record is too large for the broker.
    void refuse_oldest() {
        const std::lock_guard lock(mutex_);
        kafka::batch* const b = held_.front();
        held_.erase(held_.begin());
        decide(*b, kafka::fate::acked, kafka::batch::decided | kafka::batch::released, true);
    }

private:
    static void decide(kafka::batch& b, kafka::fate f, std::uint8_t flags, bool large = false) {
        for (kafka::record& r : b.records) r.outcome = f;
        if (large) b.records.front().outcome = kafka::fate::too_large;
        kafka::batch* list = nullptr;
        kafka::completions* const home = b.home;
        b.give_back(flags, list);
        if (list != nullptr) home->push(list);
    }
    std::mutex mutex_;
    std::vector<std::string> values_, expired_values_;
    std::vector<kafka::batch*> held_;
};

class client {
public:
    explicit client(int fd) : fd_(fd) {}
    client(client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), seen_(std::move(other.seen_)) {}
    ~client() {
        if (fd_ >= 0) ::close(fd_);
    }
    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            REQUIRE(n > 0);
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    // One whole response, by its Content-Length. Empty: the connection ended.
    std::string receive(bool head_only = false) {
        for (;;) {
            const std::size_t end = seen_.find("\r\n\r\n");
            if (end != std::string::npos) {
                std::size_t length = 0;
                if (const std::size_t at = seen_.find("content-length: "); at < end && !head_only)
                    length = static_cast<std::size_t>(std::stoul(seen_.substr(at + 16)));
                if (seen_.size() >= end + 4 + length) {
                    std::string out = seen_.substr(0, end + 4 + length);
                    seen_.erase(0, out.size());
                    return out;
                }
            }
            if (!more()) return {};
        }
    }
    bool ended() {
        while (more()) {}
        return true;
    }

private:
    bool more() {
        pollfd p{fd_, POLLIN, 0};
        REQUIRE(::poll(&p, 1, static_cast<int>(patience.count())) == 1);
        char buffer[65536];
        const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n <= 0) return false;
        seen_.append(buffer, static_cast<std::size_t>(n));
        return true;
    }
    int fd_;
    std::string seen_;
};

struct harness {
    config::settings settings;
    controlled_sink sink;
    kafka::topic_table topics;
    ingest::lanes lanes = ingest::intern_lanes(topics, settings.kafka.topics);
    memory_budget budget;
    ingest::ip_resolver ips{{}, "", config::ip_policy::keep};
    health state{1};
    std::optional<shared_state> shared;
    std::unique_ptr<worker> w;
    std::thread thread;

    explicit harness(
        const std::function<void(config::settings&)>& change = {}, std::uint64_t memory = 256 << 20
    )
        : budget(memory) {
        if (change) change(settings);
        shared.emplace(shared_state{settings, lanes, ips, sink, budget, state, [] { return std::string("m 1\n"); }});
        w = std::make_unique<worker>(*shared, 0);
        thread = std::thread([this] { w->run(); });
        state.enter(phase::serving);
    }
    ~harness() {
        w->stop();
        thread.join();
    }
    client connect(bool proxy = false) {
        int fds[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        worker::connection c;
        c.descriptor = fds[0];
        c.tcp = false;
        c.proxy_protocol = proxy;
        w->adopt(c);
        return client(fds[1]);
    }
    worker_metrics metrics() {
        std::promise<worker_metrics> out;
        w->snapshot([&out](const worker_metrics& m) { out.set_value(m); });
        return out.get_future().get();
    }
};

const std::string event = R"({"token":"T","event":"hi","distinct_id":"u1"})";

std::string post(const std::string& body, const std::string& more = "", const std::string& path = "/e") {
    return "POST " + path + " HTTP/1.1\r\nHost: h\r\n" + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

unsigned status(const std::string& response) {
    return response.size() < 12 ? 0 : static_cast<unsigned>(std::stoul(response.substr(9, 3)));
}

std::string body(const std::string& response) { return response.substr(response.find("\r\n\r\n") + 4); }

}  // namespace

TEST_CASE("an event is answered once its record is acknowledged") {
    harness h;
    client c = h.connect();
    c.send(post(event));
    const std::string r = c.receive();
    CHECK(status(r) == 200);
    CHECK(body(r) == R"({"status":"Ok"})");
    CHECK_THAT(r, ContainsSubstring("access-control-allow-credentials: true\r\n"));
    REQUIRE(h.sink.values().size() == 1);
    const worker_metrics m = h.metrics();
    CHECK(m.received == 1);
    CHECK(m.acked == 1);
    CHECK(m.in_flight == 0);
}

TEST_CASE("a connection is used again, also for pipelined requests in order") {
    harness h;
    client c = h.connect();
    std::string many;
    for (int i = 0; i < 300; ++i) many += post(R"({"token":"T","event":"n)" + std::to_string(i) + R"(","distinct_id":"u"})");
    c.send(many);
    for (int i = 0; i < 300; ++i) REQUIRE(status(c.receive()) == 200);
    const auto values = h.sink.values();
    REQUIRE(values.size() == 300);
    for (int i = 0; i < 300; ++i)
        CHECK_THAT(values[static_cast<std::size_t>(i)], ContainsSubstring("\"event\":\"n" + std::to_string(i) + "\""));
}

TEST_CASE("bodies of every size arrive whole") {
    harness h;
    client c = h.connect();
    for (const std::size_t n : {1u, 3000u, 4000u, 5000u, 70'000u, 300'000u, 900'000u}) {
        CAPTURE(n);
        const std::string value(n, 'x');
        const std::string json = R"({"token":"T","event":"hi","distinct_id":"u1","properties":{"p":")" + value + R"("}})";
        c.send(post(json) + post(event));
        REQUIRE(status(c.receive()) == 200);
        REQUIRE(status(c.receive()) == 200);
        const auto values = h.sink.values();
        CHECK_THAT(values[values.size() - 2], ContainsSubstring(value));
    }
}

TEST_CASE("a chunked body is joined") {
    harness h;
    client c = h.connect();
    c.send("POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (std::size_t i = 0; i < event.size(); i += 7) {
        const std::string piece = event.substr(i, 7);
        char size[8];
        std::snprintf(size, sizeof size, "%zx", piece.size());
        c.send(std::string(size) + "\r\n" + piece + "\r\n");
    }
    c.send("0\r\nX-Trailer: 1\r\n\r\n" + post(event));
    CHECK(status(c.receive()) == 200);
    CHECK(status(c.receive()) == 200);
    CHECK(h.sink.values().size() == 2);
}

TEST_CASE("a body over the limit is 413 and the connection still works") {
    harness h([](config::settings& s) { s.limits.body = 100'000; });
    client c = h.connect();
    c.send(post(std::string(150'000, 'x')) + post(event));
    const std::string r = c.receive();
    CHECK(status(r) == 413);
    CHECK(body(r) == "maximum event size exceeded: Request body exceeds limit of 100000 bytes");
    CHECK(status(c.receive()) == 200);

    c.send("POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 15; ++i) c.send("2710\r\n" + std::string(10'000, 'y') + "\r\n");
    c.send("0\r\n\r\n" + post(event));
    CHECK(status(c.receive()) == 413);
    CHECK(status(c.receive()) == 200);
    CHECK(h.metrics().drained_bodies == 2);
}

TEST_CASE("a body far over the limit is answered and closed") {
    harness h([](config::settings& s) { s.limits.body = 1000; });
    client c = h.connect();
    c.send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc");
    const std::string r = c.receive();
    CHECK(status(r) == 413);
    CHECK_THAT(r, ContainsSubstring("connection: close"));
    CHECK(c.ended());
}

TEST_CASE("100 Continue is sent only to bodies that may come") {
    harness h([](config::settings& s) { s.limits.body = 1000; });
    client good = h.connect();
    good.send("POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(event.size()) + "\r\n\r\n");
    CHECK(good.receive() == "HTTP/1.1 100 Continue\r\n\r\n");
    good.send(event);
    CHECK(status(good.receive()) == 200);
    client bad = h.connect();
    bad.send("POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
    CHECK(status(bad.receive()) == 413);
    client odd = h.connect();
    odd.send("POST /e HTTP/1.1\r\nHost: h\r\nExpect: magic\r\nContent-Length: 1\r\n\r\n");
    CHECK(status(odd.receive()) == 417);
}

TEST_CASE("methods and routes answer as the contract says") {
    harness h;
    client c = h.connect();
    c.send("OPTIONS /e/ HTTP/1.1\r\nHost: h\r\nOrigin: https://a.test\r\nAccess-Control-Request-Headers: x-a\r\n\r\n");
    const std::string options = c.receive();
    CHECK(status(options) == 200);
    CHECK_THAT(options, ContainsSubstring("access-control-allow-origin: https://a.test\r\n"));
    CHECK_THAT(options, ContainsSubstring("access-control-allow-methods: GET,POST,OPTIONS\r\n"));
    CHECK_THAT(options, ContainsSubstring("access-control-allow-headers: x-a\r\n"));
    CHECK_THAT(options, ContainsSubstring("content-length: 0\r\n"));
    c.send("PUT /e HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string put = c.receive();
    CHECK(status(put) == 405);
    CHECK_THAT(put, ContainsSubstring("allow: POST,GET,HEAD,OPTIONS\r\n"));
    c.send("GET /nowhere HTTP/1.1\r\nHost: h\r\nOrigin: https://a.test\r\n\r\n");
    const std::string missing = c.receive();
    CHECK(status(missing) == 404);
    CHECK_THAT(missing, ContainsSubstring("access-control-allow-origin: https://a.test\r\n"));
    c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(body(c.receive()) == "capture");
    c.send("GET /_liveness HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(body(c.receive()) == "ok");
    c.send("GET /_readiness HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(status(c.receive()) == 200);
    c.send("POST /_readiness HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_THAT(c.receive(), ContainsSubstring("allow: GET,HEAD\r\n"));
    c.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(status(c.receive()) == 404);
}

TEST_CASE("HEAD ingests and answers without a body") {
    harness h;
    client c = h.connect();
    c.send("HEAD /e?data=%7B%22token%22:%22T%22,%22event%22:%22x%22,%22distinct_id%22:%221%22%7D HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string r = c.receive(true);
    CHECK(status(r) == 200);
    CHECK_THAT(r, ContainsSubstring("content-length: 15\r\n"));
    CHECK(body(r).empty());
    CHECK(h.sink.values().size() == 1);
}

TEST_CASE("a request id is kept, echoed, or made") {
    harness h;
    client c = h.connect();
    c.send(post(event, "X-Request-Id: mine-1\r\n"));
    CHECK_THAT(c.receive(), ContainsSubstring("x-request-id: mine-1\r\n"));
    c.send(post(event, "X-Request-Id: " + std::string(65, 'a') + "\r\n"));
    const std::string r = c.receive();
    const std::string made = r.substr(r.find("x-request-id: ") + 14, 36);
    CHECK(made[14] == '7');
}

TEST_CASE("HTTP/1.0 closes unless it asks to stay") {
    harness h;
    client a = h.connect();
    a.send("GET / HTTP/1.0\r\n\r\n");
    CHECK(status(a.receive()) == 200);
    CHECK(a.ended());
    client b = h.connect();
    b.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK_THAT(b.receive(), ContainsSubstring("connection: keep-alive\r\n"));
    b.send("GET / HTTP/1.0\r\n\r\n");
    CHECK(status(b.receive()) == 200);
}

TEST_CASE("a malformed head is answered, then the connection ends") {
    harness h;
    client c = h.connect();
    c.send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx" + post(event));
    CHECK(status(c.receive()) == 400);
    CHECK(c.ended());
    CHECK(h.sink.values().empty());
    CHECK(h.metrics().malformed_heads == 1);
}

TEST_CASE("stalled heads and bodies get 408") {
    harness h([](config::settings& s) { s.server.header_timeout = s.server.body_timeout = milliseconds(150); });
    client head = h.connect();
    head.send("POST /e HT");
    CHECK(status(head.receive()) == 408);
    CHECK(head.ended());
    client stalled = h.connect();
    stalled.send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
    const std::string r = stalled.receive();
    CHECK(status(r) == 408);
    CHECK(body(r) == "client stopped sending data");
    const worker_metrics m = h.metrics();
    CHECK(m.header_timeouts == 1);
    CHECK(m.body_timeouts == 1);
}

TEST_CASE("an idle connection gives its buffer back and still works") {
    harness h;
    client c = h.connect();
    c.send(post(event));
    CHECK(status(c.receive()) == 200);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (h.metrics().memory_used != 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    CHECK(h.metrics().memory_used == 0);
    c.send(post(event));
    CHECK(status(c.receive()) == 200);
}

TEST_CASE("a sink without room gives 503 with Retry-After, and nothing stays in flight") {
    harness h;
    h.sink.how = controlled_sink::mode::full;
    client c = h.connect();
    c.send(post(event));
    const std::string r = c.receive();
    CHECK(status(r) == 503);
    CHECK(body(r) == "transient error, please retry");
    CHECK_THAT(r, ContainsSubstring("retry-after: "));
    h.sink.how = controlled_sink::mode::fail;
    c.send(post(event));
    CHECK(status(c.receive()) == 503);
    h.sink.how = controlled_sink::mode::store;
    c.send(post(event));
    CHECK(status(c.receive()) == 200);
    const worker_metrics m = h.metrics();
    CHECK(m.received == 3);
    CHECK(m.spooled == 1);
    CHECK(m.refused[static_cast<std::size_t>(ingest::reason::unavailable)] == 2);
    CHECK(m.in_flight == 0);
}

TEST_CASE("an undecided request is expired to the spool, then answered 503, then its memory returns") {
    harness h([](config::settings& s) {
        s.kafka.ack_timeout = milliseconds(150);
        s.server.answer_timeout = milliseconds(400);
    });
    h.sink.how = controlled_sink::mode::hold;
    client c = h.connect();
    c.send(post(event));
    CHECK(status(c.receive()) == 503);
    CHECK(h.sink.expired == 1);
    worker_metrics m = h.metrics();
    CHECK(m.late_answers == 1);
    CHECK(m.expired_acks == 1);
    CHECK(m.in_flight == 0);
    h.sink.release_all();
    h.sink.how = controlled_sink::mode::ack;
    c.send(post(event));
    CHECK(status(c.receive()) == 200);
    m = h.metrics();
    CHECK(m.received == 2);
    CHECK(m.acked == 1);   // the late ack is not counted a second time
}

TEST_CASE("a request is processed although its peer hung up") {
    harness h;
    h.sink.how = controlled_sink::mode::hold;
    {
        client c = h.connect();
        c.send(post(event));
        const auto until = std::chrono::steady_clock::now() + patience;
        while (h.sink.values().empty() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    }
    REQUIRE(h.sink.values().size() == 1);
    h.sink.release_all();
    const auto until = std::chrono::steady_clock::now() + patience;
    while (h.metrics().connections != 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    const worker_metrics m = h.metrics();
    CHECK(m.connections == 0);
    CHECK(m.acked == 1);
}

TEST_CASE("a PROXY header names the client; others on such a listener are refused") {
    harness h;
    client c = h.connect(true);
    c.send("PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n" + post(event));
    CHECK(status(c.receive()) == 200);
    CHECK_THAT(h.sink.values().front(), ContainsSubstring("\"ip\":\"203.0.113.7\""));
    client bad = h.connect(true);
    bad.send(post(event));
    CHECK(status(bad.receive()) == 400);
}

TEST_CASE("draining closes idle connections and answers the busy ones with close") {
    harness h;
    client idle = h.connect();
    idle.send(post(event));
    CHECK(status(idle.receive()) == 200);
    h.sink.how = controlled_sink::mode::hold;
    client busy = h.connect();
    busy.send(post(event));
    const auto until = std::chrono::steady_clock::now() + patience;
    while (h.sink.values().size() < 2 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    h.w->drain();
    CHECK(idle.ended());
    h.sink.release_all();
    const std::string r = busy.receive();
    CHECK(status(r) == 200);
    CHECK_THAT(r, ContainsSubstring("connection: close\r\n"));
    CHECK(busy.ended());
}

TEST_CASE("without memory a body is refused at once") {
    harness h([](config::settings& s) { s.limits.body = 100 << 20; });
    client c = h.connect();
    c.send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 104857600\r\n\r\n");
    const std::string r = c.receive();
    CHECK(status(r) == 413);
    CHECK_THAT(r, ContainsSubstring("quarter of limits.memory"));
}

TEST_CASE("what the broker refuses for its size becomes a dead letter and the answer tells") {
    harness h;
    h.sink.how = controlled_sink::mode::first_too_large;
    client c = h.connect();
    c.send(post(R"({"api_key":"T","batch":[{"event":"big","distinct_id":"1"},{"event":"ok","distinct_id":"2"}]})", "", "/batch"));
    const std::string partly = c.receive();
    CHECK(status(partly) == 200);
    CHECK(body(partly) == R"({"status":"Ok","rejected":[{"index":0,"reason":"event_too_big"}]})");
    REQUIRE(h.sink.values().size() == 3);
    CHECK_THAT(h.sink.values()[2], ContainsSubstring("\"reason\":\"event_too_big\""));
    CHECK_THAT(h.sink.values()[2], ContainsSubstring("\"path\":\"/batch\""));
    worker_metrics m = h.metrics();
    CHECK(m.received == 2);
    CHECK(m.acked == 1);
    CHECK(m.dead_lettered == 1);
    CHECK(m.in_flight == 0);

    h.sink.how = controlled_sink::mode::first_too_large;
    c.send(post(event));
    const std::string all = c.receive();
    CHECK(status(all) == 413);
    CHECK_THAT(body(all), ContainsSubstring("maximum event size exceeded: "));
    m = h.metrics();
    CHECK(m.received == 3);
    CHECK(m.refused[static_cast<std::size_t>(ingest::reason::event_too_big)] == 1);
    CHECK(m.in_flight == 0);
}

TEST_CASE("a connection that finds no memory is told so and ends") {
    harness h({}, 6 * 1024);
    client first = h.connect();
    first.send("POST /e HTTP/1.1\r\n");   // holds the only buffer that there is room for
    const auto until = std::chrono::steady_clock::now() + patience;
    while (h.metrics().memory_used == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    client second = h.connect();
    const std::string r = second.receive();
    CHECK(status(r) == 503);
    CHECK_THAT(r, ContainsSubstring("retry-after: "));
    CHECK(second.ended());
}

TEST_CASE("the head of a chunked request stays what it was while the body comes") {
    harness h;
    client c = h.connect();
    // The body repeats addresses, so that a head that points into freed memory would show them.
    std::string json = event.substr(0, event.size() - 1) + R"(,"properties":{"p":")";
    while (json.size() < 6000) json += "9.9.9.9 ";
    json += "\"}}";
    char size[8];
    std::snprintf(size, sizeof size, "%zx", json.size());
    c.send("POST /e/?beacon=1 HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.7\r\nTransfer-Encoding: chunked\r\n\r\n");
    c.send(std::string(size) + "\r\n" + json + "\r\n0\r\n\r\n");
    CHECK(status(c.receive()) == 204);
    REQUIRE(h.sink.values().size() == 1);
    CHECK_THAT(h.sink.values()[0], ContainsSubstring("\"ip\":\"203.0.113.7\""));
}

TEST_CASE("large heads leave large bodies whole") {
    harness h([](config::settings& s) { s.limits.head = 1 << 20; });
    const std::string padding = "X-Padding: " + std::string(300'000, 'p') + "\r\n";
    const std::string json = R"({"token":"T","event":"hi","distinct_id":"u1","properties":{"p":")" + std::string(690'000, 'x') + R"("}})";
    client c = h.connect();
    char size[16];
    std::snprintf(size, sizeof size, "%zx", json.size());
    c.send("POST /e HTTP/1.1\r\nHost: h\r\n" + padding + "Transfer-Encoding: chunked\r\n\r\n" + size + "\r\n" + json + "\r\n0\r\n\r\n");
    CHECK(status(c.receive()) == 200);
    c.send(post(json, padding) + post(event));
    CHECK(status(c.receive()) == 200);
    CHECK(status(c.receive()) == 200);
    CHECK(h.sink.values().size() == 3);
}

TEST_CASE("a malformed head is timed from its first byte and belongs to no route") {
    harness h;
    client c = h.connect();
    c.send("BAD\r\n\r\n");
    CHECK(status(c.receive()) == 400);
    const worker_metrics m = h.metrics();
    const auto& series = m.http[path_labels.size() - 1][4][status_index(400)];
    CHECK(series.count == 1);
    CHECK(series.sum < 10);
}

TEST_CASE("a body for a path that does not exist is read away and the connection stays") {
    harness h;
    client c = h.connect();
    c.send(post(event, "", "/flags/") + post(event));
    CHECK(status(c.receive()) == 404);
    CHECK(status(c.receive()) == 200);
    CHECK(h.sink.values().size() == 1);
}

TEST_CASE("an answer names what was dropped on purpose") {
    harness h;
    client c = h.connect();
    c.send(post(R"([{"event":"$performance_event"},{"event":"$performance_event"}])"));
    const std::string r = c.receive();
    CHECK(status(r) == 200);
    CHECK_THAT(r, ContainsSubstring("x-headrace-dropped: performance_event;n=2\r\n"));
    CHECK_THAT(r, ContainsSubstring("access-control-expose-headers: x-headrace-dropped\r\n"));
}

TEST_CASE("a bad query is told before a body that is too large") {
    harness h;
    client c = h.connect();
    c.send("POST /e?_=now HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n");
    const std::string r = c.receive();
    CHECK(status(r) == 400);
    CHECK(body(r) == "Failed to deserialize query string: invalid digit found in string");
}

TEST_CASE("a second round for dead letters keeps the deadlines of its request") {
    harness h([](config::settings& s) {
        s.kafka.ack_timeout = milliseconds(1'500);
        s.server.answer_timeout = milliseconds(6'000);
    });
    h.sink.how = controlled_sink::mode::hold;
    const auto wait_for = [&h](std::size_t submitted) {
        const auto until = std::chrono::steady_clock::now() + patience;
        while (h.sink.values().size() < submitted && std::chrono::steady_clock::now() < until) std::this_thread::yield();
        REQUIRE(h.sink.values().size() == submitted);
    };
    client older = h.connect(), younger = h.connect();
    older.send(post(event));
    wait_for(1);
    younger.send(post(event));
    wait_for(2);
    h.sink.refuse_oldest();   // its dead letter is submitted behind the younger request
    wait_for(3);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (h.sink.expired < 2 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    REQUIRE(h.sink.expired_values().size() == 2);
    CHECK_THAT(h.sink.expired_values()[0], ContainsSubstring("\"reason\":\"event_too_big\""));
    h.sink.release_all();
    CHECK(status(older.receive()) == 413);
    CHECK(status(younger.receive()) == 200);
}
