#pragma once
// A kafka_sink on a mock cluster with a spool in memory, and a worker's side to watch.
#include "kafka/kafka_sink.hpp"
#include "kafka/kafka_sink_parts.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_spool.hpp"
#include "tests/support/mock_kafka.hpp"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace headrace::test {

// Collects what comes back, as a worker would on its own thread.
class home final : public kafka::completions {
public:
    void push(kafka::batch* first) noexcept override {
        const std::lock_guard lock(mutex_);
        ++pushes;
        while (first != nullptr) {
            kafka::batch* b = first;
            first = b->next;
            const std::uint8_t flags = b->take_back();
            if ((flags & kafka::batch::decided) != 0) decided_.insert(b);
            if ((flags & kafka::batch::released) != 0) ++released_[b];
        }
    }
    bool decided(const kafka::batch& b) {
        const std::lock_guard lock(mutex_);
        return decided_.contains(&b);
    }
    int released(const kafka::batch& b) {
        const std::lock_guard lock(mutex_);
        return released_[&b];
    }
    std::size_t pushes = 0;

private:
    std::mutex mutex_;
    std::set<const kafka::batch*> decided_;
    std::map<const kafka::batch*, int> released_;
};

struct sink_setup {
    explicit sink_setup(std::string brokers) {
        settings.kafka.brokers = {std::move(brokers)};
        settings.kafka.ack_timeout = std::chrono::milliseconds(400);
    }
    ~sink_setup() {
        if (sink) sink->stop(clock::now() + std::chrono::seconds(5));
    }

    void start() {
        sink = std::make_unique<kafka::kafka_sink>(
            settings,
            topics,
            std::make_unique<fake_spool>(store),
            memory,
            [this](kafka::log_level, const std::string& line) {
                const std::lock_guard lock(log_mutex);
                log.push_back(line);
            }
        );
    }
    kafka::batch& make(const std::string& topic, const std::vector<std::string>& values) {
        kafka::batch& b = batches.emplace_back();
        b.home = &worker;
        for (const std::string& value : values) {
            kafka::record& r = b.add();
            r.to = &topics.intern(topic);
            r.value = b.memory.copy(value);
            r.key = b.memory.copy("key");
        }
        return b;
    }
    bool decided(kafka::batch& b) {
        return eventually([&] { return worker.decided(b); });
    }
    bool released(kafka::batch& b) {
        return eventually([&] { return worker.released(b) == 1; });
    }
    bool logged(const std::string& part) {
        const std::lock_guard lock(log_mutex);
        for (const std::string& line : log)
            if (line.find(part) != std::string::npos) return true;
        return false;
    }
    bool sick() { return sink->inside().judge.sick(); }

    config::settings settings;
    kafka::topic_table topics;
    std::shared_ptr<fake_spool::state> store = std::make_shared<fake_spool::state>();
    std::uint64_t memory = 64 << 20;
    std::deque<kafka::batch> batches;
    home worker;
    std::mutex log_mutex;
    std::vector<std::string> log;
    std::unique_ptr<kafka::kafka_sink> sink;
};

}  // namespace headrace::test
