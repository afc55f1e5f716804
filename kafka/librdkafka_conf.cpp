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

    void set(const std::string& name, const std::string& value) { set_in(conf_, name, value); }
    bool set_in(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
        std::array<char, 512> text{};
        const auto result =
            rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size());
        if (result == RD_KAFKA_CONF_OK) return true;
        const bool unknown = result == RD_KAFKA_CONF_UNKNOWN;
        warnings_.push_back(
            "librdkafka " + std::string(rd_kafka_version_str()) +
            (unknown ? " does not know the property " : " refuses the value of ") + name +
            "; it is ignored"
        );
        return false;
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

// A property whose value follows from the promises of design.md section 1.
struct promise {
    const char* name;
    const char* value;  // as read back; null: whatever it was before the operator's own
    std::string_view reason;
};

constexpr std::array promises{
    promise{"acks", "-1", "a success answer needs acks=all"},
    promise{"delivery.report.only.error", "false", "every record's report is needed"},
    promise{"transactional.id", "", "headrace writes without transactions"},
    promise{"queuing.strategy", "fifo", "records of a key keep their order"},
    promise{"log.queue", "false", "headrace reads the log itself"},
    promise{"enabled_events", nullptr, "headrace reads the events itself"},
    promise{"statistics.interval.ms", nullptr, "health is judged by the statistics"},
    promise{
        "message.send.max.retries",
        "2147483647",
        "retries are not limited, message.timeout.ms bounds them"},
    promise{"produce.offset.report", nullptr, "offsets are not used"},
    promise{"test.mock.num.brokers", "0", "records belong in a real cluster"},
};

std::uint64_t in_flight_max() { return idempotence_is_sound(rd_kafka_version()) ? 5 : 1; }

std::uint64_t number_of(const rd_kafka_conf_t* conf, const char* name) {
    const std::string text = conf_value(conf, name);
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

bool idempotent(const rd_kafka_conf_t* conf) {
    return conf_value(conf, "enable.idempotence") == "true";
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

// Sets the operator's property unless a promise would be broken by it, which a copy of `conf`
// tells: the library reads more notations of a value than are worth knowing here.
void set_own(
    rd_kafka_conf_t* conf,
    setter& to,
    const std::string& name,
    const std::string& value,
    std::uint64_t memory
) {
    const conf_ptr trial(rd_kafka_conf_dup(conf));
    if (!to.set_in(trial.get(), name, value)) return;
    const std::string own = "[kafka.librdkafka] " + name;
    for (const promise& p : promises) {
        if (conf_value(trial.get(), p.name) == conf_value(conf, p.name)) continue;
        return to.warn(own + " is ignored: " + std::string(p.reason));
    }
    if (idempotent(trial.get()) && !idempotence_is_sound(rd_kafka_version()))
        return to.warn(
            own + " is ignored: idempotence loses records before librdkafka 2.5, this is " +
            std::string(rd_kafka_version_str())
        );
    if (number_of(trial.get(), "max.in.flight") > in_flight_max())
        return to.warn(
            own + " is held at " + std::to_string(in_flight_max()) +
            ": more would reorder the records of a key"
        );
    constexpr const char* queue = "queue.buffering.max.kbytes";
    if (memory != 0 && number_of(trial.get(), queue) > std::max<std::uint64_t>(1, memory / 1024))
        return to.warn(
            own + " is held at " + conf_value(conf, queue) +
            ", the memory budget (limits.memory) allows no more"
        );
    to.set(name, value);
}

void set_passthrough(
    rd_kafka_conf_t* conf, setter& to, const kafka_settings& from, const conf_choice& choice
) {
    for (const auto& [name, value] : from.librdkafka)
        if (!choice.left_out.contains(name)) set_own(conf, to, name, value, choice.memory);
    to.set("acks", "all");
    // Without idempotence only one request in flight keeps the order over a retry (D5, D17).
    if (!idempotent(conf)) to.set("max.in.flight", "1");
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
    to.set("statistics.interval.ms", std::uint64_t{choice.statistics ? 5'000u : 0u});
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
    set_passthrough(conf.get(), to, from, choice);
    // After the operator's own, so that nothing above can undo it.
    if (choice.alone) to.set("batch.num.messages", "1");
    if (choice.delivery_events)
        rd_kafka_conf_set_events(
            conf.get(), RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS
        );
    rd_kafka_conf_set_log_cb(conf.get(), on_log);
    return conf;
}

std::string broken_promise(const rd_kafka_conf_t* conf) {
    for (const promise& p : promises) {
        const std::string value = conf_value(conf, p.name);
        if (p.value == nullptr || value == p.value) continue;
        return "librdkafka has " + std::string(p.name) + " = " + value + ", but " +
               std::string(p.reason);
    }
    const std::uint64_t most = idempotent(conf) ? in_flight_max() : 1;
    if (number_of(conf, "max.in.flight") > most)
        return "librdkafka has more requests in flight than keep the order of a key";
    return {};
}

namespace {

client_ptr try_client(
    const kafka_settings& settings,
    const conf_choice& choice,
    client_log& log,
    std::vector<std::string>& warnings,
    std::string& error
) {
    conf_ptr conf = make_conf(settings, choice, warnings);
    error = broken_promise(conf.get());
    if (!error.empty()) return {};
    rd_kafka_conf_set_opaque(conf.get(), &log);
    std::array<char, 512> text{};
    client_ptr client(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), text.data(), text.size()));
    if (client)
        static_cast<void>(conf.release());  // the client owns it now
    else
        error = std::string("the Kafka client cannot be set up: ") + text.data() +
                files_named(settings, text.data());
    return client;
}

// The operator's property that is to be left out next to get a client: one that `error` names, or
// any. Without security.protocol records might leave unencrypted. Empty: none is left.
std::string suspect(
    const kafka_settings& settings, const std::set<std::string>& left_out, const std::string& error
) {
    std::string any;
    for (const auto& [name, value] : settings.librdkafka) {
        if (name == "security.protocol" || left_out.contains(name)) continue;
        if (error.find(name) != std::string::npos) return name;
        if (any.empty()) any = name;
    }
    return any;
}

// Whether one property alone is at fault; it is then the only one left out.
client_ptr try_without_one(
    const kafka_settings& settings, conf_choice& choice, client_log& log, const std::string& error
) {
    std::set<std::string> tried;
    std::vector<std::string> warnings;  // as in the first attempt
    for (;;) {
        const std::string name = suspect(settings, tried, error);
        if (name.empty()) return {};
        tried.insert(name);
        choice.left_out = {name};
        std::string other;
        client_ptr client = try_client(settings, choice, log, warnings, other);
        if (client) return client;
    }
}

// Leaves out one after the other until it works.
client_ptr try_with_fewer(
    const kafka_settings& settings, conf_choice& choice, client_log& log, std::string error
) {
    std::vector<std::string> warnings;
    choice.left_out.clear();
    for (;;) {
        const std::string name = suspect(settings, choice.left_out, error);
        if (name.empty()) return {};
        choice.left_out.insert(name);
        client_ptr client = try_client(settings, choice, log, warnings, error);
        if (client) return client;
    }
}

}  // namespace

client_ptr make_client(
    const kafka_settings& settings,
    conf_choice choice,
    client_log& log,
    std::vector<std::string>& warnings,
    std::string& error
) {
    client_ptr client = try_client(settings, choice, log, warnings, error);
    if (!client) client = try_without_one(settings, choice, log, error);
    if (!client) client = try_with_fewer(settings, choice, log, error);
    if (!client) return {};
    for (const std::string& name : choice.left_out)
        warnings.push_back("[kafka.librdkafka] " + name + " is ignored, with it " + error);
    return client;
}

}  // namespace headrace::kafka
