// PostHog's own variables, so that its deployments run unchanged. kafka-ops.md 1.3, 2.1, 4.4, 6;
// limits-redis.md 4. Two generations are in use; the newer one (G3) wins.
#include "config/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace headrace::config {
namespace {

using environment = std::map<std::string, std::string>;

struct alias {
    std::string_view newer;  // G3; "" where there is none
    std::string_view older;  // G2
    std::string_view key;    // one of ours, or a property of librdkafka
    scale how = scale::own;
};

// clang-format off
constexpr alias aliases[] = {
    {"ADDRESS", "", "server.listen"},
    {"HTTP1_HEADER_READ_TIMEOUT_MS", "", "server.header_timeout", scale::bare},
    {"BODY_CHUNK_READ_TIMEOUT_MS", "", "server.body_timeout", scale::bare},
    {"EXPORT_PROMETHEUS", "", "server.export_prometheus"},
    {"ENABLE_HISTORICAL_REROUTING", "", "ingest.historical_rerouting"},
    {"HISTORICAL_REROUTING_THRESHOLD_DAYS", "", "ingest.historical_threshold_days"},
    {"AI_MAX_EVENT_BYTES", "", "ingest.ai_event_max", scale::bare},
    {"KAFKA_INGESTION_PRODUCER_METADATA_BROKER_LIST", "KAFKA_HOSTS", "kafka.brokers"},
    {"KAFKA_INGESTION_PRODUCER_CLIENT_ID", "KAFKA_CLIENT_ID", "kafka.client_id"},
    {"KAFKA_INGESTION_PRODUCER_LINGER_MS", "KAFKA_PRODUCER_LINGER_MS", "kafka.linger", scale::bare},
    {"KAFKA_INGESTION_PRODUCER_COMPRESSION_CODEC", "KAFKA_COMPRESSION_CODEC", "kafka.compression"},
    {"KAFKA_INGESTION_PRODUCER_MESSAGE_MAX_BYTES", "KAFKA_PRODUCER_MESSAGE_MAX_BYTES", "kafka.message_max", scale::bare},
    {"KAFKA_INGESTION_PRODUCER_MESSAGE_TIMEOUT_MS", "KAFKA_MESSAGE_TIMEOUT_MS", "kafka.message_timeout", scale::bare},
    {"KAFKA_INGESTION_PRODUCER_SOCKET_TIMEOUT_MS", "KAFKA_SOCKET_TIMEOUT_MS", "kafka.socket_timeout", scale::bare},
    {"KAFKA_INGESTION_PRODUCER_TOPIC_METADATA_REFRESH_INTERVAL_MS", "KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS", "kafka.metadata_refresh", scale::bare},
    {"KAFKA_INGESTION_PRODUCER_SECURITY_PROTOCOL", "", "kafka.security_protocol"},
    {"KAFKA_INGESTION_PRODUCER_ENABLE_SSL_CERTIFICATE_VERIFICATION", "", "kafka.ssl_verify"},
    {"CAPTURE_OUTPUT_ANALYTICS_MAIN_TOPIC", "KAFKA_TOPIC", "kafka.topics.analytics_main"},
    {"CAPTURE_OUTPUT_ANALYTICS_OVERFLOW_TOPIC", "KAFKA_OVERFLOW_TOPIC", "kafka.topics.analytics_overflow"},
    {"CAPTURE_OUTPUT_ANALYTICS_HISTORICAL_TOPIC", "KAFKA_HISTORICAL_TOPIC", "kafka.topics.analytics_historical"},
    {"CAPTURE_OUTPUT_HEATMAPS_TOPIC", "KAFKA_HEATMAPS_TOPIC", "kafka.topics.heatmaps"},
    {"CAPTURE_OUTPUT_CLIENT_WARNINGS_TOPIC", "KAFKA_CLIENT_INGESTION_WARNING_TOPIC", "kafka.topics.client_warnings"},
    {"", "KAFKA_EXCEPTIONS_TOPIC", "kafka.topics.error_tracking"},
    {"CAPTURE_OUTPUT_ERROR_TRACKING_TOPIC", "KAFKA_ERROR_TRACKING_TOPIC", "kafka.topics.error_tracking"},
    {"CAPTURE_OUTPUT_DLQ_TOPIC", "KAFKA_DLQ_TOPIC", "kafka.topics.dlq"},
    {"CAPTURE_OUTPUT_AI_MAIN_TOPIC", "CAPTURE_ANALYTICS_AI_EVENTS_TOPIC", "kafka.topics.ai_main"},
    {"CAPTURE_OUTPUT_AI_OVERFLOW_TOPIC", "CAPTURE_ANALYTICS_AI_EVENTS_OVERFLOW_TOPIC", "kafka.topics.ai_overflow"},
    {"REDIS_URL", "", "redis.url"},
    {"OTEL_SERVICE_NAME", "", "metrics.role"},
};

// Straight into the table of librdkafka's properties.
constexpr alias properties[] = {
    {"KAFKA_INGESTION_PRODUCER_BATCH_SIZE", "KAFKA_PRODUCER_BATCH_SIZE", "batch.size"},
    {"KAFKA_INGESTION_PRODUCER_BATCH_NUM_MESSAGES", "KAFKA_PRODUCER_BATCH_NUM_MESSAGES", "batch.num.messages"},
    {"KAFKA_INGESTION_PRODUCER_RETRY_BACKOFF_MAX_MS", "KAFKA_RETRY_BACKOFF_MAX_MS", "retry.backoff.max.ms"},
    {"KAFKA_INGESTION_PRODUCER_STICKY_PARTITIONING_LINGER_MS", "KAFKA_PRODUCER_STICKY_PARTITIONING_LINGER_MS", "sticky.partitioning.linger.ms"},
    {"KAFKA_INGESTION_PRODUCER_METADATA_MAX_AGE_MS", "KAFKA_METADATA_MAX_AGE_MS", "metadata.max.age.ms"},
    {"KAFKA_INGESTION_PRODUCER_LOG_CONNECTION_CLOSE", "KAFKA_LOG_CONNECTION_CLOSE", "log.connection.close"},
    {"KAFKA_INGESTION_PRODUCER_SOCKET_SEND_BUFFER_BYTES", "KAFKA_SOCKET_SEND_BUFFER_BYTES", "socket.send.buffer.bytes"},
    {"KAFKA_INGESTION_PRODUCER_SOCKET_RECEIVE_BUFFER_BYTES", "KAFKA_SOCKET_RECEIVE_BUFFER_BYTES", "socket.receive.buffer.bytes"},
    {"KAFKA_INGESTION_PRODUCER_BROKER_ADDRESS_FAMILY", "KAFKA_BROKER_ADDRESS_FAMILY", "broker.address.family"},
};

// Accepted, without effect, and worth a reason.
struct overruled { std::string_view variable, usual, reason; };
constexpr std::string_view by_memory = "headrace derives its queues from one memory budget";
constexpr std::string_view by_safety = "headrace sets this itself so that no acknowledged event is lost";
constexpr std::string_view by_order = "headrace places records as PostHog's consumers expect it";
constexpr overruled decided[] = {
    {"KAFKA_INGESTION_PRODUCER_QUEUE_BUFFERING_MAX_MESSAGES", "", by_memory},
    {"KAFKA_PRODUCER_QUEUE_BUFFERING_MAX_MESSAGES", "", by_memory},
    {"KAFKA_INGESTION_PRODUCER_QUEUE_BUFFERING_MAX_KBYTES", "", by_memory},
    {"KAFKA_PRODUCER_QUEUE_MIB", "", by_memory},
    {"KAFKA_INGESTION_PRODUCER_RETRIES", "", by_safety},
    {"KAFKA_PRODUCER_MAX_RETRIES", "", by_safety},
    {"KAFKA_INGESTION_PRODUCER_ENABLE_IDEMPOTENCE", "true", by_safety},
    {"KAFKA_PRODUCER_ENABLE_IDEMPOTENCE", "true", by_safety},
    {"KAFKA_INGESTION_PRODUCER_MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION", "", by_safety},
    {"KAFKA_PRODUCER_MAX_IN_FLIGHT_REQUESTS", "", by_safety},
    {"KAFKA_INGESTION_PRODUCER_PARTITIONER", "murmur2_random", by_order},
    {"KAFKA_PRODUCER_PARTITIONER", "murmur2_random", by_order},
};

// Known, but not used by this version. A name that ends with _ stands for all that begin so.
constexpr std::string_view unused[] = {
    "REDIS_RESPONSE_TIMEOUT_MS", "REDIS_CONNECTION_TIMEOUT_MS", "REDIS_KEY_PREFIX",
    "CONCURRENCY_LIMIT", "BODY_READ_CHUNK_SIZE_KB", "REQUEST_TIMEOUT_SECONDS", "OVERFLOW_",
    "INGESTION_FORCE_OVERFLOW_BY_TOKEN_DISTINCT_ID", "DROP_EVENTS_BY_TOKEN_DISTINCT_ID",
    "HISTORICAL_TOKENS_KEYS", "KAFKA_REPLAY_", "CAPTURE_OUTPUTS_COMPLETENESS_CHECK_ENABLED",
    "CAPTURE_OUTPUT_SESSION_REPLAY_", "AI_MAX_SUM_OF_PARTS_BYTES", "AI_BYTE_LIMIT_",
    "AI_GATEWAY_SIGNING_SECRET", "AI_S3_", "AI_SECONDARY_", "GLOBAL_RATE_LIMIT_",
    "EVENT_RESTRICTIONS_", "S3_FALLBACK_BUCKET", "S3_FALLBACK_PREFIX", "S3_FALLBACK_ENDPOINT",
    "CAPTURE_INGESTION_WARNINGS_", "CAPTURE_V1_", "OTEL_URL", "OTEL_SAMPLING_RATE", "RUST_LOG",
    "IS_MIRROR_DEPLOY", "VERBOSE_SAMPLE_PERCENT", "TOKEN_VALIDATION_MODE", "KNOWN_TOKENS_",
    "KAFKA_INGESTION_PRODUCER_STATISTICS_INTERVAL_MS",
};
// clang-format on

struct reader {
    const environment& variables;
    std::vector<given>& out;
    std::vector<problem>& problems;

    // Its text without blanks; "" where the variable is unset or empty.
    std::string get(std::string_view name) const {
        auto found = variables.find(std::string(name));
        return found == variables.end() ? std::string{} : std::string(trim(found->second));
    }

    void complain(
        problem::level severity,
        std::string_view name,
        std::string_view setting,
        std::string reason,
        std::string remedy
    ) {
        problems.push_back(
            {.severity = severity,
             .setting = std::string(setting),
             .value = get(name),
             .origin = std::string(name),
             .reason = std::move(reason),
             .remedy = std::move(remedy)}
        );
    }

    void refuse(std::string_view name, std::string reason, std::string remedy) {
        complain(problem::level::error, name, name, std::move(reason), std::move(remedy));
    }

    void take(std::string_view name, std::string_view key, std::string text, scale how) {
        if (text.empty()) return;
        given one{
            .target = find(key),
            .text = std::move(text),
            .origin = std::string(name),
            .from = layer::environment,
            .how = how,
            .alias = true};
        if (one.target == nullptr) one.property = key;
        out.push_back(std::move(one));
    }

    // What would change where events go, or what a 200 means.
    void refusals() {
        auto mode = lower(get("CAPTURE_MODE"));
        if (!mode.empty() && mode != "events") {
            refuse(
                "CAPTURE_MODE",
                "this version captures events only",
                "Set CAPTURE_MODE=events, and keep PostHog's container for the other mode."
            );
        }
        auto sink_mode = lower(get("AI_SINK_MODE"));
        if (!sink_mode.empty() && sink_mode != "primary") {
            refuse(
                "AI_SINK_MODE",
                "this version writes to one Kafka cluster only",
                "Set AI_SINK_MODE=primary or remove it."
            );
        }
        refuse_if_true("S3_FALLBACK_ENABLED", "headrace falls back to its local store, not to S3");
        refuse_if_true("NOOP_SINK", "headrace does not answer 200 for events that it throws away");
        refuse_if_true("PRINT_SINK", "headrace does not answer 200 for events that it only prints");
        for (auto name : {"KAFKA_INGESTION_PRODUCER_ACKS", "KAFKA_PRODUCER_ACKS"}) {
            auto acks = lower(get(name));
            if (acks.empty() || acks == "all" || acks == "-1") continue;
            refuse(
                name,
                "headrace answers 200 only when all in-sync replicas have the event",
                fmt::format("Set {}=all or remove it.", name)
            );
        }
        for (const auto& [name, text] : variables) {
            if (!name.starts_with("CAPTURE_OUTPUT_") || !name.ends_with("_PRODUCER")) continue;
            auto producer = lower(trim(text));
            if (producer.empty() || producer == "ingestion") continue;
            refuse(
                name,
                "there is one producer only, INGESTION",
                fmt::format("Set {}=INGESTION or remove it.", name)
            );
        }
    }

    void refuse_if_true(std::string_view name, std::string_view reason) {
        auto text = get(name);
        if (text.empty() || lower(text) == "false") return;
        refuse(name, std::string(reason), fmt::format("Set {}=false or remove it.", name));
    }

    void tls() {
        auto text = get("KAFKA_TLS");
        bool on = false;
        if (text.empty()) return;
        if (auto bad = parse_bool(text, on)) return refuse("KAFKA_TLS", bad->reason, bad->remedy);
        if (!on) return;
        take("KAFKA_TLS", "kafka.security_protocol", "ssl", scale::own);
        complain(
            problem::level::warning,
            "KAFKA_TLS",
            "kafka.security_protocol",
            "TLS is on and, unlike in PostHog's capture, the brokers' certificates are verified",
            "For brokers with a private CA set kafka.ssl_ca (HEADRACE_KAFKA_SSL_CA) to its PEM "
            "file."
        );
    }

    void ai_lane() {
        auto name = "CAPTURE_AI_LANE_PREDICATE";
        auto text = lower(get(name));
        if (text.empty()) return;
        if (text != "allowlist" && text != "prefix") {
            refuse(name, "the value is not known", "Use allowlist or prefix.");
            return;
        }
        take(name, "ingest.ai_lane_by_prefix", text == "prefix" ? "true" : "false", scale::own);
    }

    void logging() {
        auto text = lower(get("LOG_LEVEL"));
        if (text == "trace") text = "debug";
        if (text == "warning") text = "warn";
        if (text == "off" || text == "critical" || text == "fatal") text = "error";
        if (text.empty()) return;
        settings scratch;
        if (!assign(*find("log.level"), scratch, text)) {
            return take("LOG_LEVEL", "log.level", text, scale::own);
        }
        complain(
            problem::level::warning,
            "LOG_LEVEL",
            "log.level",
            "the value is not known, it has no effect",
            "Use debug, info, warn or error."
        );
    }

    void overrule() {
        for (const auto& each : decided) {
            auto text = lower(get(each.variable));
            if (text.empty() || text == each.usual) continue;
            complain(
                problem::level::warning,
                each.variable,
                each.variable,
                std::string(each.reason),
                each.reason == by_memory ? "Remove it; limits.memory sets the budget."
                                         : "Remove it."
            );
        }
    }

    void list_unused() {
        std::vector<std::string> names;
        for (const auto& [name, text] : variables) {
            if (trim(text).empty() || (name.ends_with("_PRODUCER"))) continue;
            auto matches = [&](std::string_view pattern) {
                return pattern.ends_with('_') ? name.starts_with(pattern) : name == pattern;
            };
            if (std::any_of(std::begin(unused), std::end(unused), matches)) names.push_back(name);
        }
        if (names.empty()) return;
        problems.push_back(
            {.severity = problem::level::warning,
             .setting = fmt::format("{}", fmt::join(names, ", ")),
             .origin = "environment",
             .reason = "variables of PostHog that this version knows but does not use",
             .remedy = "Remove them, or leave them; they have no effect."}
        );
    }

    void take_all(bool newer) {
        for (auto table : {std::span<const alias>(aliases), std::span<const alias>(properties)}) {
            for (const auto& each : table) {
                auto name = newer ? each.newer : each.older;
                if (!name.empty()) take(name, each.key, get(name), each.how);
            }
        }
    }
};

}  // namespace

void read_posthog(
    const environment& variables, std::vector<given>& out, std::vector<problem>& problems
) {
    reader in{variables, out, problems};
    in.refusals();
    in.tls();
    in.take_all(false);
    in.take_all(true);
    in.ai_lane();
    in.logging();
    in.overrule();
    in.list_unused();
}

std::vector<std::string> aliases_of(std::string_view key) {
    std::vector<std::string> out;
    for (const auto& each : aliases) {
        if (each.key != key) continue;
        for (auto name : {each.newer, each.older}) {
            if (!name.empty()) out.emplace_back(name);
        }
    }
    if (key == "kafka.security_protocol") out.emplace_back("KAFKA_TLS");
    if (key == "ingest.ai_lane_by_prefix") out.emplace_back("CAPTURE_AI_LANE_PREDICATE");
    if (key == "log.level") out.emplace_back("LOG_LEVEL");
    return out;
}

}  // namespace headrace::config
