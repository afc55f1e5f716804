#include "kafka/shipper.hpp"

#include "kafka/librdkafka_conf.hpp"
#include "kafka/producer.hpp"

#include <map>

namespace headrace::kafka {

namespace {

class shipper {
public:
    explicit shipper(config::kafka_settings settings) : settings_(std::move(settings)) {}
    ~shipper() {
        if (!producer_) return;
        const auto where = std::make_shared<background>();
        producer_->destroy(where);
        where->wait_until(std::chrono::steady_clock::now() + std::chrono::seconds(5));
    }
    shipper(const shipper&) = delete;
    shipper& operator=(const shipper&) = delete;

    bool connect(std::string& error) {
        std::vector<std::string> warnings;
        conf_choice choice;
        choice.alone = true;
        choice.statistics = false;
        client_ptr client = make_client(settings_, choice, *log_, warnings, error);
        if (!client) return false;
        producer_ = std::make_unique<producer>(std::move(client), log_, -1);
        return true;
    }

    bool ship(const stored_record& r) {
        topic& to = topics_[std::string(r.topic)];
        if (to.name.empty()) {
            to.name = r.topic;
            to.index = static_cast<std::uint16_t>(topics_.size() - 1);
        }
        if (producer_->produce(to, r.key, r.value, r.headers, nullptr, false) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            return false;
        return acknowledged();
    }

private:
    // Waits for the one report. It always comes: message.timeout.ms bounds it.
    bool acknowledged() {
        for (;;) {
            const event_ptr event(rd_kafka_queue_poll(producer_->events(), 1'000));
            if (!event || rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_DR) continue;
            const rd_kafka_message_t* m = rd_kafka_event_message_next(event.get());
            return m != nullptr && m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        }
    }

    config::kafka_settings settings_;
    std::shared_ptr<client_log> log_ = std::make_shared<client_log>(log_function{});
    std::unique_ptr<producer> producer_;
    std::map<std::string, topic> topics_;
};

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= list.size();) {
        const std::size_t end = std::min(list.find(',', at), list.size());
        if (end > at) parts.push_back(list.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

}  // namespace

shipper_factory make_shipper(const config::kafka_settings& settings) {
    return [settings](const std::string& brokers, std::string& error) -> ship_function {
        config::kafka_settings own = settings;
        if (!brokers.empty()) own.brokers = split(brokers);
        if (own.brokers.empty()) {
            error = "no brokers are given";
            return {};
        }
        auto s = std::make_shared<shipper>(std::move(own));
        if (!s->connect(error)) return {};
        return [s](const stored_record& r) { return s->ship(r); };
    };
}

}  // namespace headrace::kafka
