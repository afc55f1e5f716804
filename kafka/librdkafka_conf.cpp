#include "kafka/librdkafka_conf.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

namespace headrace::kafka {

namespace {

using config::kafka_settings;

constexpr std::uint32_t lines_per_window = 20;
constexpr std::int64_t window_ms = 10'000;
constexpr std::uint64_t messages_max = 10'000'000;  // librdkafka's own upper limit

std::int64_t now_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

void on_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
    auto* log = static_cast<client_log*>(rd_kafka_opaque(client));
    if (log != nullptr) log->line(level, std::string("librdkafka ") + facility + ": " + text);
}

std::string joined(const std::vector<std::string>& parts) {
    std::string all;
    for (const std::string& part : parts) all += (all.empty() ? "" : ",") + part;
    return all;
}

// Sets properties one by one and remembers what the library refused.
class setter {
public:
    setter(rd_kafka_conf_t* conf, std::vector<std::string>& warnings)
        : conf_(conf), warnings_(warnings) {}

    void set(const std::string& name, const std::string& value) {
        std::array<char, 512> text{};
        const auto result =
            rd_kafka_conf_set(conf_, name.c_str(), value.c_str(), text.data(), text.size());
        if (result == RD_KAFKA_CONF_OK) return;
        const bool unknown = result == RD_KAFKA_CONF_UNKNOWN;
        warnings_.push_back(
            "librdkafka " + std::string(rd_kafka_version_str()) +
            (unknown ? " does not know the property " : " refuses the value of ") + name +
            "; it is ignored"
        );
    }
    void set(const std::string& name, std::uint64_t value) { set(name, std::to_string(value)); }
    void set(const std::string& name, std::chrono::milliseconds value) {
        set(name, std::to_string(std::max<std::int64_t>(0, value.count())));
    }
    void set_if(const std::string& name, const std::string& value) {
        if (!value.empty()) set(name, value);
    }
    void warn(std::string text) { warnings_.push_back(std::move(text)); }

private:
    rd_kafka_conf_t* conf_;
    std::vector<std::string>& warnings_;
};

void set_security(setter& to, const kafka_settings& from) {
    to.set("security.protocol", from.security_protocol);
    const bool tls = from.security_protocol.ends_with("ssl");
    if (from.security_protocol.starts_with("sasl")) {
        to.set_if("sasl.mechanism", from.sasl_mechanism);
        to.set_if("sasl.username", from.sasl_username);
        to.set_if("sasl.password", from.sasl_password);
    }
    if (!tls) return;
    to.set_if("ssl.ca.location", from.ssl_ca);
    to.set_if("ssl.certificate.location", from.ssl_certificate);
    to.set_if("ssl.key.location", from.ssl_key);
    to.set_if("ssl.key.password", from.ssl_key_password);
    to.set("enable.ssl.certificate.verification", from.ssl_verify ? "true" : "false");
    to.set("ssl.endpoint.identification.algorithm", from.ssl_verify ? "https" : "none");
}

struct guarded {
    std::string_view name;
    std::string_view reason;
};

// Properties whose value follows from the promises of design.md section 1.
constexpr std::array guarded_properties{
    guarded{"delivery.report.only.error", "every record's report is needed"},
    guarded{"transactional.id", "headrace writes without transactions"},
    guarded{"queuing.strategy", "records of a key keep their order"},
    guarded{"log.queue", "headrace reads the log itself"},
    guarded{"enabled_events", "headrace reads the events itself"},
    guarded{"statistics.interval.ms", "health is judged by the statistics"},
    guarded{"message.send.max.retries", "retries are not limited, message.timeout.ms bounds them"},
    guarded{"retries", "retries are not limited, message.timeout.ms bounds them"},
    guarded{"produce.offset.report", "offsets are not used"},
};

bool is_acks(const std::string& name) { return name == "acks" || name == "request.required.acks"; }

bool is_in_flight(const std::string& name) {
    return name == "max.in.flight" || name == "max.in.flight.requests.per.connection";
}

std::uint64_t number_in(const std::string& text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

// The library names the property whose file it could not use, but not the file.
std::string files_named(const kafka_settings& from, std::string_view error) {
    const std::array files{
        std::pair{std::string_view("ssl.ca.location"), &from.ssl_ca},
        std::pair{std::string_view("ssl.certificate.location"), &from.ssl_certificate},
        std::pair{std::string_view("ssl.key.location"), &from.ssl_key},
    };
    for (const auto& [property, file] : files)
        if (error.find(property) != std::string_view::npos && !file->empty())
            return " (file " + *file + ")";
    return {};
}

// Whether the operator's property may be set; `value` may be clamped. A refusal warns.
bool admit(const std::string& name, std::string& value, std::uint64_t memory, setter& to) {
    for (const guarded& g : guarded_properties) {
        if (name != g.name) continue;
        to.warn("[kafka.librdkafka] " + name + " is ignored: " + std::string(g.reason));
        return false;
    }
    if (is_acks(name)) {
        if (value == "all" || value == "-1") return true;
        to.warn(
            "[kafka.librdkafka] " + name + " = " + value +
            " is ignored: a success answer needs acks=all"
        );
        return false;
    }
    const bool sound = idempotence_is_sound(rd_kafka_version());
    if (name == "enable.idempotence" && value == "true" && !sound) {
        to.warn(
            "[kafka.librdkafka] enable.idempotence is ignored: it loses records before "
            "librdkafka 2.5, this is " +
            std::string(rd_kafka_version_str())
        );
        return false;
    }
    if (is_in_flight(name) && number_in(value) > (sound ? 5u : 1u)) {
        to.warn(
            "[kafka.librdkafka] " + name + " is held at " + (sound ? "5" : "1") +
            ": more would reorder the records of a key"
        );
        return false;
    }
    if (memory != 0 && name == "queue.buffering.max.kbytes" && number_in(value) > memory / 1024) {
        value = std::to_string(memory / 1024);
        to.warn(
            "[kafka.librdkafka] " + name + " is held at " + value +
            ", the memory budget (limits.memory) allows no more"
        );
    }
    return true;
}

void set_passthrough(setter& to, const kafka_settings& from, std::uint64_t memory) {
    bool idempotence_off = false;
    for (const auto& [name, configured] : from.librdkafka) {
        std::string value = configured;
        if (!admit(name, value, memory, to)) continue;
        if (name == "enable.idempotence" && value != "true") idempotence_off = true;
        to.set(name, value);
    }
    // Without idempotence only one request in flight keeps the order over a retry (D5, D17).
    if (idempotence_off) to.set("max.in.flight", "1");
}

void set_producer(setter& to, const kafka_settings& from, const conf_choice& choice) {
    const bool sound = idempotence_is_sound(rd_kafka_version());
    to.set("acks", "all");
    to.set("enable.idempotence", sound ? "true" : "false");
    to.set("max.in.flight", sound ? "5" : "1");
    to.set("message.send.max.retries", std::uint64_t{2147483647});
    to.set("partitioner", "murmur2_random");
    to.set("linger.ms", choice.alone ? std::chrono::milliseconds(0) : from.linger);
    to.set("compression.codec", from.compression);
    to.set("message.max.bytes", from.message_max);
    to.set("message.timeout.ms", from.message_timeout);
    // How long a missing topic may be a fresh one whose metadata has not spread yet.
    to.set("topic.metadata.propagation.max.ms", std::uint64_t{5'000});
    if (choice.memory != 0) {
        to.set(
            "queue.buffering.max.kbytes",
            std::clamp<std::uint64_t>(choice.memory / 1024, 1, 2147483647)
        );
        to.set(
            "queue.buffering.max.messages",
            std::clamp<std::uint64_t>(choice.memory / 1024, 1'000, messages_max)
        );
    }
}

}  // namespace

void client_log::line(int syslog_level, std::string_view text) {
    const log_level level = syslog_level <= 3   ? log_level::error
                            : syslog_level == 4 ? log_level::warn
                            : syslog_level <= 6 ? log_level::info
                                                : log_level::debug;
    std::uint32_t told = 0;
    {
        const std::lock_guard lock(mutex_);
        const std::int64_t now = now_ms();
        if (now - window_start_ms_ >= window_ms) {
            window_start_ms_ = now;
            in_window_ = 0;
        }
        if (++in_window_ > lines_per_window) {
            ++held_back_;
            return;
        }
        told = std::exchange(held_back_, 0);
    }
    if (!out_) return;
    std::string whole(text);
    if (told != 0) whole += " (" + std::to_string(told) + " earlier lines held back)";
    out_(level, whole);
}

bool idempotence_is_sound(int library_version) { return library_version >= 0x02050000; }

std::string conf_value(const rd_kafka_conf_t* conf, const char* name) {
    std::array<char, 1024> text{};
    std::size_t size = text.size();
    if (rd_kafka_conf_get(conf, name, text.data(), &size) != RD_KAFKA_CONF_OK) return {};
    return text.data();
}

conf_ptr make_conf(
    const kafka_settings& from, const conf_choice& choice, std::vector<std::string>& warnings
) {
    conf_ptr conf(rd_kafka_conf_new());
    setter to(conf.get(), warnings);
    to.set_if("bootstrap.servers", joined(from.brokers));
    to.set_if("client.id", from.client_id);
    to.set("socket.timeout.ms", from.socket_timeout);
    to.set("socket.keepalive.enable", "true");
    to.set("socket.nagle.disable", "true");
    to.set("topic.metadata.refresh.interval.ms", from.metadata_refresh);
    to.set("metadata.max.age.ms", from.metadata_refresh * 3);
    to.set("reconnect.backoff.ms", std::uint64_t{100});
    to.set("reconnect.backoff.max.ms", std::uint64_t{2'000});
    to.set("log.connection.close", "false");
    set_security(to, from);
    set_producer(to, from, choice);
    if (choice.passthrough) set_passthrough(to, from, choice.memory);
    // After the operator's own, so that nothing above can undo them.
    to.set("statistics.interval.ms", std::uint64_t{choice.statistics ? 5'000u : 0u});
    if (choice.alone) to.set("batch.num.messages", "1");
    if (choice.delivery_events)
        rd_kafka_conf_set_events(
            conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS
        );
    rd_kafka_conf_set_log_cb(conf.get(), on_log);
    return conf;
}

client_ptr make_client(
    const kafka_settings& settings,
    conf_choice choice,
    client_log& log,
    std::vector<std::string>& warnings,
    std::string& error
) {
    for (;;) {
        conf_ptr conf = make_conf(settings, choice, warnings);
        rd_kafka_conf_set_opaque(conf.get(), &log);
        std::array<char, 512> text{};
        client_ptr client(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), text.data(), text.size()));
        if (client) {
            static_cast<void>(conf.release());  // the client owns it now
            return client;
        }
        error = std::string("the Kafka client cannot be set up: ") + text.data() +
                files_named(settings, text.data());
        if (!choice.passthrough || settings.librdkafka.empty()) return {};
        choice.passthrough = false;
        warnings.push_back("[kafka.librdkafka] is ignored as a whole, with it " + error);
    }
}

}  // namespace headrace::kafka
