#pragma once
// Every setting of headrace, typed, with its default. Built once at start by config::load() and
// read-only afterwards; any thread may read it. The table that names each setting, its
// environment variable, flag, unit and help text is config/catalog.cpp.
//
// Units: sizes are bytes, durations are std::chrono. Names and precedence: design.md section 2.
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace headrace::config {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB;

struct server_settings {
    std::vector<std::string> listen;  // host:port, [::]:port, unix:/path; empty: dual-stack 3000
    std::vector<std::string> admin_listen{"127.0.0.1:3001"};
    std::string admin_token;                   // secret; empty: loopback and unix peers only
    std::uint32_t workers = 0;                 // 0: one per core given to the process
    std::vector<std::string> proxy_protocol;   // the entries of `listen` that speak PROXY v1/v2
    std::vector<std::string> trusted_proxies;  // CIDRs; empty: the contract's rule (http-v0.md 5.2)
    std::string client_ip_header;              // named header to trust instead of X-Forwarded-For
    milliseconds header_timeout{10'000};       // from the first byte of a head to its end
    milliseconds body_timeout{30'000};         // longest gap between two pieces of a body
    milliseconds idle_timeout{330'000};        // keep-alive connection without a request
    milliseconds answer_timeout{3'000};        // last body byte to the answer (D21)
    milliseconds drain_delay{0};               // readiness red, still accepting
    milliseconds shutdown_timeout{8'000};      // SIGTERM to exit, in all
    bool export_prometheus = false;            // /metrics on the public port too (D14)
};

struct limits_settings {
    std::uint64_t memory =
        0;  // bytes; 0: half of the cgroup limit, else half of RAM, at most 4 GiB
    std::uint64_t body = 20 * MiB;       // wire bytes of one request body
    std::uint64_t inflated = 100 * MiB;  // after decompression
    std::uint64_t head = 64 * KiB;       // request line and header fields
    std::uint32_t connections = 16'000;  // open at once, all listeners
    std::uint32_t events_per_request = 100'000;
};

enum class ingest_mode { salvage, strict };
enum class capture_mode { events };  // others are refused until they are built (design.md 2)
enum class overflow_mode { g3, g2 };

struct ingest_settings {
    ingest_mode mode = ingest_mode::salvage;
    capture_mode capture = capture_mode::events;
    overflow_mode overflow = overflow_mode::g3;
    bool historical_rerouting = false;  // by age of the event's timestamp
    std::uint32_t historical_threshold_days = 1;
    bool ai_lane_by_prefix = false;        // CAPTURE_AI_LANE_PREDICATE=prefix
    std::uint64_t ai_event_max = 8 * MiB;  // bytes of `data` of one $ai_* event; 0: off
};

enum class ip_policy { keep, truncate, drop };
struct privacy_settings {
    ip_policy ip = ip_policy::keep;
};

enum class ack_mode { kafka, disk, enqueued };

struct topic_settings {
    std::string analytics_main = "events_plugin_ingestion";
    std::string analytics_overflow = "events_plugin_ingestion_overflow";
    std::string analytics_historical = "events_plugin_ingestion_historical";
    std::string heatmaps = "heatmaps_ingestion";
    std::string client_warnings = "ingestion-clientwarnings-main-1";
    std::string error_tracking = "error_tracking_events";
    std::string dlq = "events_plugin_ingestion_dlq";
    std::string ai_main = "events_plugin_ingestion_ai";
    std::string ai_overflow;  // empty: AI events never overflow
    std::string dead_letters = "headrace_dead_letters";
};

struct kafka_settings {
    std::vector<std::string> brokers;  // empty: standalone, the spool is the store (D2)
    ack_mode ack = ack_mode::kafka;
    milliseconds ack_timeout{2'000};  // then the record is spooled (D21)
    topic_settings topics;
    std::string client_id = "headrace";
    milliseconds linger{1};
    std::string compression = "none";  // none lz4 snappy zstd gzip
    std::uint64_t message_max =
        1'000'000;  // bytes of key + value + headers + overhead, uncompressed
    milliseconds message_timeout{300'000};
    milliseconds socket_timeout{10'000};
    milliseconds metadata_refresh{20'000};
    std::uint32_t producers = 1;                  // librdkafka instances
    std::string security_protocol = "plaintext";  // plaintext ssl sasl_plaintext sasl_ssl
    std::string sasl_mechanism;                   // PLAIN SCRAM-SHA-256 SCRAM-SHA-512
    std::string sasl_username;
    std::string sasl_password;     // secret
    std::string ssl_ca;            // PEM file; empty: the system's
    std::string ssl_certificate;   // PEM file (mTLS)
    std::string ssl_key;           // PEM file
    std::string ssl_key_password;  // secret
    bool ssl_verify = true;
    std::map<std::string, std::string> librdkafka;  // any property, wins over the above
};

struct spool_settings {
    std::string dir;                   // empty: /var/lib/headrace, else $XDG_STATE_HOME/headrace
    std::uint64_t max_size = 0;        // bytes; 0: half of the free space at start (D25)
    std::uint64_t min_free = 1 * GiB;  // always left free on the file system
    std::uint64_t segment = 64 * MiB;
    bool allow_tmpfs = false;
    bool ship_old = false;  // D2: ship an old standalone store unattended
};

struct dead_letter_settings {
    std::uint32_t per_token_per_hour = 1'000;  // beyond: dropped{dead_letter_cap}
    std::uint32_t per_hour = 100'000;          // all tokens together
    std::chrono::hours keep{7 * 24};           // in the store
};

struct redis_settings {
    std::string url;
};  // used from admission on; empty: none

enum class log_format { json, text };
enum class log_level { debug, info, warn, error };
struct log_settings {
    log_level level = log_level::info;
    log_format format = log_format::json;
};

struct metrics_settings {
    std::string role = "capture";
};  // label `role`, alias OTEL_SERVICE_NAME

struct settings {
    server_settings server;
    limits_settings limits;
    ingest_settings ingest;
    privacy_settings privacy;
    kafka_settings kafka;
    spool_settings spool;
    dead_letter_settings dead_letters;
    redis_settings redis;
    log_settings log;
    metrics_settings metrics;
};

}  // namespace headrace::config
