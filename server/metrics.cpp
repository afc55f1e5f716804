#include "server/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sstream>

namespace headrace::server {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using labels = std::vector<ClientMetric::Label>;

// Collects families; every series carries `role` and `capture_mode` (kafka-ops.md section 5).
class page {
public:
    explicit page(const process_facts& facts)
        : common_{{"role", facts.role}, {"capture_mode", facts.capture_mode}} {}

    MetricFamily& family(std::string name, std::string help, MetricType type) {
        MetricFamily f;
        f.name = std::move(name);
        f.help = std::move(help);
        f.type = type;
        families_.push_back(std::move(f));
        return families_.back();
    }

    ClientMetric& series(MetricFamily& f, const labels& own = {}) {
        ClientMetric m;
        m.label = common_;
        m.label.insert(m.label.end(), own.begin(), own.end());
        f.metric.push_back(std::move(m));
        return f.metric.back();
    }

    void counter(std::string name, std::string help, double value) {
        series(family(std::move(name), std::move(help), MetricType::Counter)).counter.value = value;
    }
    void gauge(std::string name, std::string help, double value) {
        series(family(std::move(name), std::move(help), MetricType::Gauge)).gauge.value = value;
    }

    template <typename H, typename Bounds>
    void fill(ClientMetric& m, const H& h, const Bounds& bounds) {
        m.histogram.sample_count = h.count;
        m.histogram.sample_sum = h.sum;
        std::uint64_t cumulative = 0;
        for (std::size_t i = 0; i <= bounds.size(); ++i) {
            cumulative += h.buckets[i];
            ClientMetric::Bucket b;
            b.cumulative_count = cumulative;
            b.upper_bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
            m.histogram.bucket.push_back(b);
        }
    }
    template <typename H, typename Bounds>
    void single_histogram(std::string name, std::string help, const H& h, const Bounds& bounds) {
        fill(series(family(std::move(name), std::move(help), MetricType::Histogram)), h, bounds);
    }

    std::string text() const {
        std::ostringstream out;
        prometheus::TextSerializer().Serialize(out, families_);
        return out.str();
    }

private:
    labels common_;
    std::vector<MetricFamily> families_;
};

double number(auto value) { return static_cast<double>(value); }

// Only series that have counted something: 1,000 zero series help nobody.
void http_families(page& p, const worker_metrics& m) {
    MetricFamily total, duration;
    total.name = "http_requests_total";
    total.help = "Answered requests by method, route and status.";
    total.type = MetricType::Counter;
    duration.name = "http_requests_duration_seconds";
    duration.help = "From the complete head (routes without body) or body to the answer.";
    duration.type = MetricType::Histogram;
    for (std::size_t path = 0; path < path_labels.size(); ++path)
        for (std::size_t method = 0; method < method_labels.size(); ++method)
            for (std::size_t status = 0; status < status_labels.size(); ++status) {
                const auto& h = m.http[path][method][status];
                if (h.count == 0) continue;
                const labels own = {
                    {"method", std::string(method_labels[method])},
                    {"path", std::string(path_labels[path])},
                    {"status", std::to_string(status_labels[status])}};
                p.series(total, own).counter.value = number(h.count);
                p.fill(p.series(duration, own), h, duration_bounds);
            }
    p.family(total.name, total.help, total.type).metric = std::move(total.metric);
    p.family(duration.name, duration.help, duration.type).metric = std::move(duration.metric);
}

void by_reason(page& p, const char* name, const char* help, const auto& counts) {
    MetricFamily& f = p.family(name, help, MetricType::Counter);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const auto label = ingest::describe(static_cast<ingest::reason>(i)).label;
        p.series(f, {{"cause", std::string(label)}}).counter.value = number(counts[i]);
    }
}

void event_families(page& p, const worker_metrics& m) {
    p.counter("headrace_events_received_total", "Client events of parsed requests.", number(m.received));
    p.counter("headrace_events_acked_total", "Answered after Kafka's ack.", number(m.acked));
    p.counter("headrace_events_spooled_total", "Answered after fsync in the spool.", number(m.spooled));
    p.counter("headrace_events_dead_lettered_total", "Rejected events of accepted requests.", number(m.dead_lettered));
    p.gauge("headrace_events_in_flight", "Waiting for ack or sync.", number(m.in_flight));
    MetricFamily& dropped = p.family(
        "headrace_events_dropped_total", "Dropped on purpose with a success answer.", MetricType::Counter
    );
    for (std::size_t i = 0; i < m.dropped.size(); ++i) {
        const auto cause = ingest::label(static_cast<ingest::drop_cause>(i));
        p.series(dropped, {{"cause", std::string(cause)}}).counter.value = number(m.dropped[i]);
    }
    by_reason(p, "headrace_events_refused_total", "Events whose request got an error answer.", m.refused);
    by_reason(p, "headrace_bodies_refused_total", "Requests refused before events could be counted.", m.refused_bodies);

    // PostHog's names for the same facts (kafka-ops.md 5.2).
    p.counter("capture_events_received_total", "As headrace_events_received_total.", number(m.received));
    p.counter("capture_events_ingested_total", "Events acknowledged by Kafka or fsync'ed.", number(m.acked + m.spooled));
    MetricFamily& causes = p.family(
        "capture_events_dropped_total", "Events not written, by cause.", MetricType::Counter
    );
    for (std::size_t i = 0; i < m.dropped.size(); ++i)
        p.series(causes, {{"cause", std::string(ingest::label(static_cast<ingest::drop_cause>(i)))}}).counter.value =
            number(m.dropped[i]);
    for (std::size_t i = 0; i < m.refused.size(); ++i) {
        const auto why = static_cast<ingest::reason>(i);
        if (m.refused[i] != 0)
            p.series(causes, {{"cause", std::string(ingest::describe(why).label)}}).counter.value = number(m.refused[i]);
    }
    p.counter("capture_heatmap_redirects_created", "Second records of the heatmap split.", number(m.heatmaps_split));
    p.series(p.family("capture_events_rerouted_historical", "Sent to the historical topic for their age.", MetricType::Counter),
             {{"reason", "timestamp"}})
        .counter.value = number(m.historical_rerouted);
    p.single_histogram("capture_event_batch_size", "Events per request.", m.batch_size, batch_size_bounds);
}

void server_families(page& p, const worker_metrics& m, const process_facts& facts) {
    p.gauge("capture_active_connections", "Requests waiting for their answer.", number(m.requests_active));
    p.gauge("headrace_connections", "Open client connections.", number(m.connections));
    p.series(p.family("capture_hyper_accepted_connections", "Accepted connections.", MetricType::Counter), {{"stage", "accept"}})
        .counter.value = number(m.accepted);
    p.counter("headrace_connections_refused_total", "Refused at the connection cap.", number(m.over_connection_cap));
    p.counter("headrace_malformed_heads_total", "Requests refused by the HTTP rules.", number(m.malformed_heads));
    p.counter("capture_hyper_header_read_timeout", "Heads that did not arrive in time.", number(m.header_timeouts));
    p.counter("capture_body_read_timeout_total", "Bodies that stalled.", number(m.body_timeouts));
    p.counter("capture_rejected_body_drain_total", "Refused bodies read away.", number(m.drained_bodies));
    p.single_histogram("capture_raw_payload_size", "Body bytes on the wire.", m.raw_bytes, payload_bounds);
    p.single_histogram("capture_full_payload_size", "JSON bytes after decoding.", m.decoded_bytes, payload_bounds);
    p.counter("headrace_acks_expired_total", "Requests handed to the spool after kafka.ack_timeout.", number(m.expired_acks));
    p.counter("headrace_answers_late_total", "503 because nothing was decided in server.answer_timeout.", number(m.late_answers));
    p.gauge("headrace_memory_used_bytes", "Charged to the memory budget.", number(m.memory_used));
    p.gauge("headrace_memory_limit_bytes", "limits.memory in effect.", number(facts.memory_limit));
    p.gauge("headrace_ready", "1 while /_readiness is green.", facts.ready ? 1 : 0);
    p.gauge("process_start_time_seconds", "Unix time of the start.", facts.start_time);
    p.series(p.family("headrace_build_info", "Version of this binary.", MetricType::Gauge), {{"version", HEADRACE_VERSION}})
        .gauge.value = 1;
}

void sink_families(page& p, const kafka::sink_stats& s, const kafka::sink_health& h, const process_facts& facts) {
    p.counter("headrace_records_produced_total", "Records handed to the Kafka client.", number(s.produced));
    p.counter("headrace_records_acked_total", "Records acknowledged by Kafka.", number(s.acked));
    p.counter("capture_kafka_produce_errors_total", "Failed attempts.", number(s.produce_errors));
    p.counter("headrace_spool_records_stored_total", "Records fsync'ed in the spool.", number(s.spooled));
    p.counter("headrace_spool_records_shipped_total", "Spooled records acknowledged by Kafka later.", number(s.shipped));
    p.gauge("headrace_spool_events", "Unshipped events in the spool.", number(s.spool_events));
    p.gauge("headrace_spool_bytes", "Bytes of spool segments on disk.", number(s.spool_bytes));
    p.gauge("headrace_spool_max_bytes", "Cap of the spool.", number(s.spool_max_bytes));
    p.gauge("headrace_spool_oldest_seconds", "Age of the oldest unshipped record.", s.spool_oldest_seconds);
    p.gauge("headrace_spool_ephemeral", "1 when the spool lies on a container's own layer.", facts.ephemeral ? 1 : 0);
    p.gauge("headrace_dead_letters_stored", "Dead letters in the store.", number(s.dead_letters_stored));
    p.gauge("headrace_kafka_ok", "1 while Kafka takes records.", h.kafka_ok ? 1 : 0);
    p.gauge("headrace_spool_ok", "1 while the spool takes records.", h.spool_ok ? 1 : 0);
    if (!h.kafka_configured) return;
    p.gauge("capture_kafka_any_brokers_down", "1 if any known broker is not up.", s.brokers_up < s.brokers_known ? 1 : 0);
    p.gauge("capture_kafka_producer_queue_depth", "Records in the Kafka client.", number(s.queue_messages));
    p.gauge("capture_kafka_producer_queue_depth_limit", "Cap of records in the Kafka client.", number(s.queue_messages_max));
    p.gauge("capture_kafka_producer_queue_bytes", "Bytes in the Kafka client.", number(s.queue_bytes));
    p.gauge("capture_kafka_producer_queue_bytes_limit", "Cap of bytes in the Kafka client.", number(s.queue_bytes_max));
}

}  // namespace

std::size_t status_index(unsigned status) {
    for (std::size_t i = 0; i < status_labels.size(); ++i)
        if (status_labels[i] == status) return i;
    return status_index(500);
}

void worker_metrics::add(const worker_metrics& o) {
    for (std::size_t p = 0; p < http.size(); ++p)
        for (std::size_t m = 0; m < http[p].size(); ++m)
            for (std::size_t s = 0; s < http[p][m].size(); ++s) http[p][m][s].add(o.http[p][m][s]);
    for (std::size_t i = 0; i < dropped.size(); ++i) dropped[i] += o.dropped[i];
    for (std::size_t i = 0; i < refused.size(); ++i) refused[i] += o.refused[i];
    for (std::size_t i = 0; i < refused_bodies.size(); ++i) refused_bodies[i] += o.refused_bodies[i];
    received += o.received;
    acked += o.acked;
    spooled += o.spooled;
    dead_lettered += o.dead_lettered;
    in_flight += o.in_flight;
    heatmaps_split += o.heatmaps_split;
    historical_rerouted += o.historical_rerouted;
    late_answers += o.late_answers;
    expired_acks += o.expired_acks;
    malformed_heads += o.malformed_heads;
    header_timeouts += o.header_timeouts;
    body_timeouts += o.body_timeouts;
    drained_bodies += o.drained_bodies;
    accepted += o.accepted;
    over_connection_cap += o.over_connection_cap;
    connections += o.connections;
    requests_active += o.requests_active;
    memory_used += o.memory_used;
    raw_bytes.add(o.raw_bytes);
    decoded_bytes.add(o.decoded_bytes);
    batch_size.add(o.batch_size);
}

std::string render_metrics(
    const worker_metrics& m,
    const kafka::sink_stats& stats,
    const kafka::sink_health& sink,
    const process_facts& facts
) {
    page p(facts);
    event_families(p, m);
    http_families(p, m);
    server_families(p, m, facts);
    sink_families(p, stats, sink, facts);
    return p.text();
}

}  // namespace headrace::server
