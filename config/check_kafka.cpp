// The Kafka half of check(): brokers, acknowledgement, TLS, SASL, properties, topics.
#include "config/findings.hpp"
#include "config/listener.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace headrace::config {
namespace {

constexpr std::uint64_t broker_default_max = 1'048'588;

void brokers(findings& to) {
    for (const auto& broker : to.all().kafka.brokers) {
        to.error_if(check_broker(broker), "kafka.brokers");
    }
}

void acknowledgement(findings& to) {
    auto ack = to.all().kafka.ack;
    bool standalone = to.all().kafka.brokers.empty();
    if (ack == ack_mode::enqueued && standalone) {
        to.error(
            "kafka.ack", "there are no brokers to send to", "Set kafka.brokers, or remove it."
        );
    } else if (ack == ack_mode::enqueued) {
        to.warn(
            "kafka.ack",
            "a 200 is sent before any event is safe; a crash loses events",
            "Use it for benchmarks only; kafka is the safe choice."
        );
    } else if (standalone && !to.is_default("kafka.ack")) {
        to.warn(
            "kafka.ack",
            "it has no effect without brokers: the local store is all there is",
            "Set kafka.brokers, or remove it."
        );
    }
}

void sending(findings& to) {
    const auto& kafka = to.all().kafka;
    if (kafka.linger >= kafka.ack_timeout) {
        to.error(
            "kafka.linger",
            fmt::format(
                "records would wait longer than kafka.ack_timeout ({})",
                to.show("kafka.ack_timeout")
            ),
            "Write 5ms, for example."
        );
    }
    if (kafka.message_timeout <= kafka.ack_timeout) {
        to.warn(
            "kafka.message_timeout",
            fmt::format(
                "it is not longer than kafka.ack_timeout ({})", to.show("kafka.ack_timeout")
            ),
            "Write 300s, for example."
        );
    }
    if (kafka.message_max > broker_default_max) {
        to.warn(
            "kafka.message_max",
            fmt::format("brokers refuse more than {}B unless told otherwise", broker_default_max),
            "Raise message.max.bytes of the brokers and max.message.bytes of the topics too."
        );
    }
    auto ai_max = to.all().ingest.ai_event_max;
    if (!to.is_default("ingest.ai_event_max") && ai_max > kafka.message_max) {
        to.warn(
            "ingest.ai_event_max",
            fmt::format("records end at kafka.message_max ({})", to.show("kafka.message_max")),
            "Lower it below kafka.message_max."
        );
    }
}

// A property of librdkafka wins over the setting that headrace has for it.
std::string effective(const findings& to, std::string_view key, const char* property) {
    const auto& map = to.all().kafka.librdkafka;
    auto found = map.find(property);
    return found == map.end() ? to.show(key) : lower(found->second);
}

bool has_property(const findings& to, const char* property) {
    return to.all().kafka.librdkafka.contains(property);
}

void readable(findings& to, std::string_view key, const std::string& path) {
    if (path.empty()) return;
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (in && in.peek() != std::ifstream::traits_type::eof()) return;
    auto why = errno != 0 ? std::generic_category().message(errno) : std::string("it is empty");
    to.error(
        key,
        fmt::format("the file cannot be read ({})", why),
        "Name a PEM file that the user of headrace may read."
    );
}

void tls(findings& to) {
    const auto& kafka = to.all().kafka;
    bool on = effective(to, "kafka.security_protocol", "security.protocol").ends_with("ssl");
    std::pair<std::string_view, const std::string*> files[] = {
        {"kafka.ssl_ca", &kafka.ssl_ca},
        {"kafka.ssl_certificate", &kafka.ssl_certificate},
        {"kafka.ssl_key", &kafka.ssl_key}};
    for (auto [key, path] : files) {
        if (!path->empty() && !on) {
            to.error(
                key,
                fmt::format(
                    "kafka.security_protocol is {}, which has no TLS",
                    to.show("kafka.security_protocol")
                ),
                "Set kafka.security_protocol to ssl or sasl_ssl."
            );
        }
        readable(to, key, *path);
    }
    if (!kafka.ssl_certificate.empty() && kafka.ssl_key.empty()) {
        to.error(
            "kafka.ssl_certificate",
            "the key of this certificate is missing",
            "Set kafka.ssl_key to its PEM file."
        );
    }
    if (kafka.ssl_certificate.empty() && !kafka.ssl_key.empty()) {
        to.error(
            "kafka.ssl_key",
            "the certificate of this key is missing",
            "Set kafka.ssl_certificate to its PEM file."
        );
    }
    if (!kafka.ssl_key_password.empty() && kafka.ssl_key.empty()) {
        to.error(
            "kafka.ssl_key_password",
            "there is no key that it opens",
            "Set kafka.ssl_key, or remove it."
        );
    }
    if (on && !kafka.ssl_verify) {
        to.warn(
            "kafka.ssl_verify",
            "anyone between headrace and the brokers can read and change what is sent",
            "Set it to true, and kafka.ssl_ca for a private CA."
        );
    }
}

void sasl(findings& to) {
    const auto& kafka = to.all().kafka;
    auto protocol = effective(to, "kafka.security_protocol", "security.protocol");
    bool on = protocol.starts_with("sasl_");
    std::pair<std::string_view, bool> parts[] = {
        {"kafka.sasl_mechanism", !kafka.sasl_mechanism.empty()},
        {"kafka.sasl_username", !kafka.sasl_username.empty()},
        {"kafka.sasl_password", !kafka.sasl_password.empty()}};
    if (kafka.sasl_password == "replace-me") {
        to.warn(
            "kafka.sasl_password",
            "this is the placeholder of the example",
            "Set HEADRACE_KAFKA_SASL_PASSWORD_FILE to a file with the real one."
        );
    }
    if (!on) {
        for (auto [key, set] : parts) {
            if (!set) continue;
            to.error(
                key,
                fmt::format("kafka.security_protocol is {}, which has no SASL", protocol),
                "Set kafka.security_protocol to sasl_ssl (or sasl_plaintext)."
            );
        }
        return;
    }
    if (protocol == "sasl_plaintext") {
        to.warn(
            "kafka.security_protocol",
            "events and credentials cross the network unencrypted",
            "Use sasl_ssl."
        );
    }
    // Mechanisms of librdkafka that we have no settings for bring their own credentials.
    if (has_property(to, "sasl.mechanism") || has_property(to, "sasl.mechanisms")) return;
    std::pair<const char*, const char*> needed[] = {
        {"", "Set it to SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN."},
        {"sasl.username", "Set it to the user's name."},
        {"sasl.password", "Set it, best by HEADRACE_KAFKA_SASL_PASSWORD_FILE."}};
    for (std::size_t i = 0; i < std::size(needed); ++i) {
        if (parts[i].second || has_property(to, needed[i].first)) continue;
        to.error(
            parts[i].first, fmt::format("{} needs it, it is not set", protocol), needed[i].second
        );
    }
}

// The client library takes "topic." off the name of a property of topics.
bool is_acks(std::string_view name) {
    constexpr std::string_view prefix = "topic.";
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
    return name == "acks" || name == "request.required.acks";
}

// Properties that would take from headrace what its promises rest on.
void properties(findings& to) {
    for (const auto& [name, value] : to.all().kafka.librdkafka) {
        auto key = "kafka.librdkafka." + name;
        auto word = lower(value);
        if (is_acks(name) && word != "all" && word != "-1") {
            to.error(
                key,
                "headrace answers 200 only when all in-sync replicas have the event",
                "Set it to all, or remove it."
            );
        } else if (name == "bootstrap.servers" || name == "metadata.broker.list") {
            to.error(key, "brokers have a setting of their own", "Use kafka.brokers instead.");
        } else if (name == "test.mock.num.brokers") {
            to.error(key, "a cluster in memory keeps no event", "Remove it.");
        } else if (name == "transactional.id") {
            to.error(key, "headrace does not use transactions", "Remove it.");
        } else if (name == "enable.ssl.certificate.verification" && word == "false") {
            to.warn(
                key,
                "anyone between headrace and the brokers can read and change what is sent",
                "Set it to true, and kafka.ssl_ca for a private CA."
            );
        }
    }
}

bool is_topic_name(std::string_view name) {
    if (name.empty() || name.size() > 249 || name == "." || name == "..") return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    });
}

}  // namespace

void check_topics(findings& to) {
    for (const auto& one : catalog()) {
        if (!one.key.starts_with("kafka.topics.")) continue;
        auto name = to.show(one.key);
        if (name.empty() && one.automatic.empty()) {
            to.error(one.key, "the name of the topic is empty", "Name a topic.");
        } else if (!name.empty() && !is_topic_name(name)) {
            to.error(
                one.key,
                "this is no name for a topic",
                "Use 1 to 249 letters, digits, dots, underscores and hyphens."
            );
        }
    }
    const auto& topics = to.all().kafka.topics;
    if (topics.dead_letters == topics.dlq) {
        to.warn(
            "kafka.topics.dead_letters",
            "it is kafka.topics.dlq too, whose readers expect PostHog's form",
            "Name a topic of its own, for example headrace_dead_letters."
        );
    }
}

void check_kafka(findings& to) {
    brokers(to);
    acknowledgement(to);
    sending(to);
    tls(to);
    sasl(to);
    properties(to);
}

}  // namespace headrace::config
