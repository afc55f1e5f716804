// The table itself. One entry per setting, in the order of the reference and of `init`.
#include "config/catalog.hpp"

// The address of one member of a settings object.
#define AT(member) [](settings& all) -> field { return &all.member; }

namespace headrace::config {
namespace {

constexpr std::uint64_t second = 1'000, minute = 60 * second, hour = 60 * minute;
constexpr std::uint64_t TiB = 1024 * GiB;

void add_server(std::vector<entry>& out) {
    const entry entries[] = {
        {.key = "server.listen",
         .at = AT(server.listen),
         .help = "Public listeners: host:port, [::]:port or unix:/path, separated by commas",
         .automatic = "[::]:3000 for IPv6 and IPv4, 0.0.0.0:3000 where IPv6 is off",
         .short_flag = "listen"},
        {.key = "server.workers",
         .at = AT(server.workers),
         .help = "Worker threads",
         .automatic = "one per core given to the process",
         .max = 1'024},
        {.key = "server.proxy_protocol",
         .at = AT(server.proxy_protocol),
         .help = "The entries of server.listen on which trusted peers speak PROXY v1 or v2"},
        {.key = "server.trusted_proxies",
         .at = AT(server.trusted_proxies),
         .help = "Networks (CIDR) of the proxies whose word on the client's address counts",
         .automatic = "PostHog's rule: the first entry of X-Forwarded-For is believed"},
        {.key = "server.client_ip_header",
         .at = AT(server.client_ip_header),
         .help = "Header with the client's address, set by trusted proxies",
         .automatic = "X-Forwarded-For"},
        {.key = "server.header_timeout",
         .at = AT(server.header_timeout),
         .help = "From the first byte of a request's head to its end",
         .min = 100,
         .max = hour},
        {.key = "server.body_timeout",
         .at = AT(server.body_timeout),
         .help = "Longest gap between two pieces of a body",
         .min = 100,
         .max = hour},
        {.key = "server.idle_timeout",
         .at = AT(server.idle_timeout),
         .help = "How long a connection may stay open without a request",
         .min = second,
         .max = 24 * hour},
        {.key = "server.answer_timeout",
         .at = AT(server.answer_timeout),
         .help = "From the last byte of a body to its answer, whatever Kafka and the disk do",
         .min = 100,
         .max = 2 * minute},
        {.key = "server.drain_delay",
         .at = AT(server.drain_delay),
         .help = "At shutdown: how long to accept connections after readiness turned red",
         .max = 10 * minute},
        {.key = "server.shutdown_timeout",
         .at = AT(server.shutdown_timeout),
         .help = "From SIGTERM to exit, drain_delay included",
         .min = 100,
         .max = hour},
        {.key = "server.export_prometheus",
         .at = AT(server.export_prometheus),
         .help = "Serve /metrics on the public listeners too"},
        {.key = "admin.listen",
         .at = AT(server.admin_listen),
         .help = "Admin listeners: metrics, health, inspection"},
        {.key = "admin.token",
         .at = AT(server.admin_token),
         .help = "Bearer token for what is not open on the admin listeners",
         .automatic = "loopback and unix socket peers only",
         .secret = true},
    };
    out.insert(out.end(), std::begin(entries), std::end(entries));
}

void add_limits(std::vector<entry>& out) {
    const entry entries[] = {
        {.key = "limits.memory",
         .at = AT(limits.memory),
         .help = "Memory for sockets, bodies, records and queues together",
         .automatic = "half of the cgroup's limit, else half of the RAM, at most 4GiB",
         .min = 32 * MiB,
         .max = 16 * TiB},
        {.key = "limits.body",
         .at = AT(limits.body),
         .help = "Largest request body on the wire",
         .min = KiB,
         .max = GiB},
        {.key = "limits.inflated",
         .at = AT(limits.inflated),
         .help = "Largest request body after decompression",
         .min = KiB,
         .max = 4 * GiB - 1},
        {.key = "limits.head",
         .at = AT(limits.head),
         .help = "Largest request line and header fields together",
         .min = 4 * KiB,
         .max = MiB},
        {.key = "limits.connections",
         .at = AT(limits.connections),
         .help = "Connections open at once, over all listeners",
         .min = 1,
         .max = 10'000'000},
        {.key = "limits.events_per_request",
         .at = AT(limits.events_per_request),
         .help = "Events in one request",
         .min = 1,
         .max = 10'000'000},
    };
    out.insert(out.end(), std::begin(entries), std::end(entries));
}

void add_ingest(std::vector<entry>& out) {
    const entry entries[] = {
        {.key = "ingest.mode",
         .at = AT(ingest.mode),
         .help = "salvage keeps the good events of a batch; strict refuses the batch as PostHog "
                 "does"},
        {.key = "ingest.capture", .at = AT(ingest.capture), .help = "Which routes are served"},
        {.key = "ingest.overflow",
         .at = AT(ingest.overflow),
         .help = "Burst overflow: g3 on the AI lane only, g2 on analytics too"},
        {.key = "ingest.historical_rerouting",
         .at = AT(ingest.historical_rerouting),
         .help = "Send events with old timestamps to the historical topic"},
        {.key = "ingest.historical_threshold_days",
         .at = AT(ingest.historical_threshold_days),
         .help = "Age in days from which a timestamp is old",
         .max = 36'500},
        {.key = "ingest.ai_lane_by_prefix",
         .at = AT(ingest.ai_lane_by_prefix),
         .help = "Every $ai_ event takes the AI lane, not only the known names"},
        {.key = "ingest.ai_event_max",
         .at = AT(ingest.ai_event_max),
         .help = "Largest data of one $ai_ event",
         .automatic = "no limit of its own",
         .min = KiB,
         .max = GiB},
        {.key = "privacy.ip",
         .at = AT(privacy.ip),
         .help = "What becomes of the client's address before anything is stored"},
    };
    out.insert(out.end(), std::begin(entries), std::end(entries));
}

void add_kafka(std::vector<entry>& out) {
    const entry entries[] = {
        {.key = "kafka.brokers",
         .at = AT(kafka.brokers),
         .help = "Brokers to start from: host:port, separated by commas",
         .automatic = "standalone: events stay in the local store"},
        {.key = "kafka.ack",
         .at = AT(kafka.ack),
         .help = "What a 200 stands for: kafka (all in-sync replicas, else the local disk), disk, "
                 "or enqueued (nothing safe yet; for benchmarks)"},
        {.key = "kafka.ack_timeout",
         .at = AT(kafka.ack_timeout),
         .help = "How long to wait for Kafka before a record is stored locally",
         .min = 10,
         .max = minute},
        {.key = "kafka.client_id", .at = AT(kafka.client_id), .help = "Name shown to the brokers"},
        {.key = "kafka.linger",
         .at = AT(kafka.linger),
         .help = "How long a record may wait for others to share its request",
         .automatic = "send at once",
         .max = 10 * second},
        {.key = "kafka.compression",
         .at = AT(kafka.compression),
         .help = "Compression of what is sent to Kafka",
         .choices = {"none", "lz4", "snappy", "zstd", "gzip"}},
        {.key = "kafka.message_max",
         .at = AT(kafka.message_max),
         .help = "Largest record, uncompressed, with key, headers and overhead",
         .min = 1'000,
         .max = 1'000'000'000},
        {.key = "kafka.message_timeout",
         .at = AT(kafka.message_timeout),
         .help = "How long the client library tries before it gives a record back",
         .min = second,
         .max = 24 * hour},
        {.key = "kafka.socket_timeout",
         .at = AT(kafka.socket_timeout),
         .help = "How long a broker may take for one answer",
         .min = 10,
         .max = 5 * minute},
        {.key = "kafka.metadata_refresh",
         .at = AT(kafka.metadata_refresh),
         .help = "How often topics and leaders are asked for",
         .min = 10,
         .max = hour},
        {.key = "kafka.producers",
         .at = AT(kafka.producers),
         .help = "Producer instances",
         .min = 1,
         .max = 64},
        {.key = "kafka.security_protocol",
         .at = AT(kafka.security_protocol),
         .help = "How to talk to the brokers",
         .choices = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"}},
        {.key = "kafka.sasl_mechanism",
         .at = AT(kafka.sasl_mechanism),
         .help = "SASL mechanism",
         .automatic = "no SASL",
         .choices = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}},
        {.key = "kafka.sasl_username", .at = AT(kafka.sasl_username), .help = "SASL user"},
        {.key = "kafka.sasl_password",
         .at = AT(kafka.sasl_password),
         .help = "SASL password",
         .secret = true},
        {.key = "kafka.ssl_ca",
         .at = AT(kafka.ssl_ca),
         .help = "PEM file with the CAs that may sign a broker's certificate",
         .automatic = "the system's CAs"},
        {.key = "kafka.ssl_certificate",
         .at = AT(kafka.ssl_certificate),
         .help = "PEM file with our own certificate (mTLS)"},
        {.key = "kafka.ssl_key",
         .at = AT(kafka.ssl_key),
         .help = "PEM file with the key of that certificate"},
        {.key = "kafka.ssl_key_password",
         .at = AT(kafka.ssl_key_password),
         .help = "Password of that key",
         .secret = true},
        {.key = "kafka.ssl_verify",
         .at = AT(kafka.ssl_verify),
         .help = "Verify the brokers' certificates and names"},
    };
    out.insert(out.end(), std::begin(entries), std::end(entries));
}

void add_topics(std::vector<entry>& out) {
    const entry entries[] = {
        {.key = "kafka.topics.analytics_main",
         .at = AT(kafka.topics.analytics_main),
         .help = "Topic for events"},
        {.key = "kafka.topics.analytics_overflow",
         .at = AT(kafka.topics.analytics_overflow),
         .help = "Topic for events of keys that send too much"},
        {.key = "kafka.topics.analytics_historical",
         .at = AT(kafka.topics.analytics_historical),
         .help = "Topic for imports and old events"},
        {.key = "kafka.topics.heatmaps",
         .at = AT(kafka.topics.heatmaps),
         .help = "Topic for heatmap data"},
        {.key = "kafka.topics.client_warnings",
         .at = AT(kafka.topics.client_warnings),
         .help = "Topic for warnings that SDKs send"},
        {.key = "kafka.topics.error_tracking",
         .at = AT(kafka.topics.error_tracking),
         .help = "Topic for $exception events"},
        {.key = "kafka.topics.dlq",
         .at = AT(kafka.topics.dlq),
         .help = "Topic for events that a restriction redirects, in PostHog's form"},
        {.key = "kafka.topics.ai_main",
         .at = AT(kafka.topics.ai_main),
         .help = "Topic for $ai_ events"},
        {.key = "kafka.topics.ai_overflow",
         .at = AT(kafka.topics.ai_overflow),
         .help = "Topic for $ai_ events of keys that send too much",
         .automatic = "they never overflow"},
        {.key = "kafka.topics.dead_letters",
         .at = AT(kafka.topics.dead_letters),
         .help = "Topic for headrace's own dead letters"},
    };
    out.insert(out.end(), std::begin(entries), std::end(entries));
}

void add_store(std::vector<entry>& out) {
    const entry entries[] = {
        {.key = "spool.dir",
         .at = AT(spool.dir),
         .help = "Directory of the local store",
         .automatic = "/var/lib/headrace where writable, else $XDG_STATE_HOME/headrace",
         .short_flag = "spool-dir"},
        {.key = "spool.max_size",
         .at = AT(spool.max_size),
         .help = "Largest size of the store; then new events get 503",
         .automatic = "half of the space that is free at start",
         .min = 2 * MiB,
         .max = 1'024 * TiB},
        {.key = "spool.min_free",
         .at = AT(spool.min_free),
         .help = "Space always left free on the file system",
         .max = 1'024 * TiB},
        {.key = "spool.segment",
         .at = AT(spool.segment),
         .help = "Size at which a segment file is closed",
         .min = MiB,
         .max = GiB},
        {.key = "spool.allow_tmpfs",
         .at = AT(spool.allow_tmpfs),
         .help = "Accept a store in memory, which a reboot loses"},
        {.key = "spool.ship_old",
         .at = AT(spool.ship_old),
         .help = "Ship what a standalone store holds once brokers are set, without asking"},
        {.key = "dead_letters.per_token_per_hour",
         .at = AT(dead_letters.per_token_per_hour),
         .help = "Dead letters written for one token in an hour; beyond, they are only counted"},
        {.key = "dead_letters.per_hour",
         .at = AT(dead_letters.per_hour),
         .help = "The same for all tokens together"},
        {.key = "dead_letters.keep",
         .at = AT(dead_letters.keep),
         .help = "How long the local store keeps dead letters, in whole hours",
         .min = hour,
         .max = 87'600 * hour},
    };
    out.insert(out.end(), std::begin(entries), std::end(entries));
}

void add_rest(std::vector<entry>& out) {
    const entry entries[] = {
        {.key = "redis.url",
         .at = AT(redis.url),
         .help = "redis://[user:password@]host[:port][/db]",
         .automatic = "no Redis",
         .url = true},
        {.key = "log.level", .at = AT(log.level), .help = "Least severe lines that are written"},
        {.key = "log.format", .at = AT(log.format), .help = "Form of log lines"},
        {.key = "metrics.role",
         .at = AT(metrics.role),
         .help = "Value of the label role on every metric"},
    };
    out.insert(out.end(), std::begin(entries), std::end(entries));
}

}  // namespace

const std::vector<entry>& catalog() {
    static const std::vector<entry> all = [] {
        std::vector<entry> out;
        add_server(out);
        add_limits(out);
        add_ingest(out);
        add_kafka(out);
        add_topics(out);
        add_store(out);
        add_rest(out);
        return out;
    }();
    return all;
}

}  // namespace headrace::config
