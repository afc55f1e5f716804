#pragma once
// librdkafka's mock cluster in the test process, a consumer that reads a topic back, and waits
// with a deadline. For tests that may see the client library.
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace headrace::test {

using clock = std::chrono::steady_clock;
inline constexpr std::chrono::seconds patience{20};

// Polls `done` until it holds or `patience` is over.
inline bool eventually(
    const std::function<bool()>& done, std::chrono::milliseconds limit = patience
) {
    const auto deadline = clock::now() + limit;
    while (!done()) {
        if (clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

class mock_kafka {
public:
    explicit mock_kafka(int brokers = 1) : brokers_(brokers) {
        rd_kafka_conf_t* conf = rd_kafka_conf_new();
        rd_kafka_conf_set(conf, "log_level", "0", nullptr, 0);
        client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nullptr, 0);
        if (client_ == nullptr) throw std::runtime_error("no client for the mock cluster");
        cluster_ = rd_kafka_mock_cluster_new(client_, brokers);
    }
    ~mock_kafka() {
        rd_kafka_mock_cluster_destroy(cluster_);
        rd_kafka_destroy(client_);
    }
    mock_kafka(const mock_kafka&) = delete;

    std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
    void topic(const std::string& name, int partitions) {
        rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, brokers_);
    }
    void topic_error(const std::string& name, rd_kafka_resp_err_t error) {
        rd_kafka_mock_topic_set_error(cluster_, name.c_str(), error);
    }
    void fail_produce(std::size_t times, rd_kafka_resp_err_t error) {
        const std::vector<rd_kafka_resp_err_t> errors(times, error);
        rd_kafka_mock_push_request_errors_array(cluster_, 0, times, errors.data());
    }
    void clear_errors() { rd_kafka_mock_clear_request_errors(cluster_, 0); }
    void down() {
        for (int i = 1; i <= brokers_; ++i) rd_kafka_mock_broker_set_down(cluster_, i);
    }
    void up() {
        for (int i = 1; i <= brokers_; ++i) rd_kafka_mock_broker_set_up(cluster_, i);
    }
    void rtt(int ms) {
        for (int i = 1; i <= brokers_; ++i) rd_kafka_mock_broker_set_rtt(cluster_, i, ms);
    }

private:
    int brokers_;
    rd_kafka_t* client_;
    rd_kafka_mock_cluster_t* cluster_;
};

struct read_record {
    std::string topic;
    int partition = 0;
    std::optional<std::string> key;
    std::string value;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

// Reads a topic from its beginning, all partitions, each in its order.
class topic_reader {
public:
    topic_reader(const std::string& brokers, std::string topic, int partitions)
        : topic_(std::move(topic)) {
        rd_kafka_conf_t* conf = rd_kafka_conf_new();
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), nullptr, 0);
        rd_kafka_conf_set(conf, "group.id", "reader", nullptr, 0);
        rd_kafka_conf_set(conf, "enable.auto.commit", "false", nullptr, 0);
        rd_kafka_conf_set(conf, "log_level", "0", nullptr, 0);
        client_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, nullptr, 0);
        rd_kafka_poll_set_consumer(client_);
        rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
        for (int i = 0; i < partitions; ++i)
            rd_kafka_topic_partition_list_add(list, topic_.c_str(), i)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
        rd_kafka_assign(client_, list);
        rd_kafka_topic_partition_list_destroy(list);
    }
    ~topic_reader() { rd_kafka_destroy_flags(client_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }
    topic_reader(const topic_reader&) = delete;

    // Until `n` records are read, or `limit` is over.
    std::vector<read_record> read(std::size_t n, std::chrono::milliseconds limit = patience) {
        std::vector<read_record> all;
        const auto deadline = clock::now() + limit;
        while (all.size() < n && clock::now() < deadline) {
            rd_kafka_message_t* m = rd_kafka_consumer_poll(client_, 50);
            if (m == nullptr) continue;
            if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) all.push_back(copy(*m));
            rd_kafka_message_destroy(m);
        }
        return all;
    }

private:
    static std::string text(const void* at, std::size_t n) {
        return {static_cast<const char*>(at), n};
    }
    read_record copy(const rd_kafka_message_t& m) const {
        read_record r;
        r.topic = topic_;
        r.partition = m.partition;
        if (m.key != nullptr) r.key = text(m.key, m.key_len);
        if (m.payload != nullptr) r.value = text(m.payload, m.len);
        rd_kafka_headers_t* headers = nullptr;
        if (rd_kafka_message_headers(&m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return r;
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) ==
                                RD_KAFKA_RESP_ERR_NO_ERROR;
             ++i)
            r.headers.emplace_back(
                name, value == nullptr ? std::nullopt : std::optional(text(value, size))
            );
        return r;
    }

    std::string topic_;
    rd_kafka_t* client_;
};

}  // namespace headrace::test
