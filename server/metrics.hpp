#pragma once
// Counters of one worker: plain numbers that only its thread changes. A scrape asks every worker
// for a copy, adds them up and renders Prometheus text (server/metrics.cpp). Names and labels:
// server/README.md; those of kafka-ops.md section 5 where one exists.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ingest/pipeline.hpp"
#include "ingest/reject.hpp"
#include "kafka/record_sink.hpp"
#include "server/router.hpp"

namespace headrace::server {

template <std::size_t N>
struct histogram {
    std::array<std::uint64_t, N + 1> buckets{};   // the last one is +Inf
    double sum = 0;
    std::uint64_t count = 0;

    void observe(const std::array<double, N>& bounds, double value) {
        std::size_t i = 0;
        while (i < N && value > bounds[i]) ++i;
        ++buckets[i];
        sum += value;
        ++count;
    }
    void add(const histogram& other) {
        for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
        sum += other.sum;
        count += other.count;
    }
};

constexpr std::array<double, 15> duration_bounds = {
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300};
constexpr std::array<double, 10> batch_size_bounds = {1, 10, 25, 50, 75, 100, 250, 500, 750, 1000};
constexpr std::array<double, 8> payload_bounds = {
    1e3, 5e3, 1e4, 5e4, 1e5, 1e6, 1e7, 2e7};

constexpr std::array<std::string_view, 5> method_labels = {"GET", "POST", "HEAD", "OPTIONS", "other"};
constexpr std::array<std::uint16_t, 15> status_labels = {
    200, 204, 400, 401, 403, 404, 405, 408, 413, 414, 417, 431, 500, 503, 505};

std::size_t status_index(unsigned status);

struct worker_metrics {
    using requests = histogram<duration_bounds.size()>;
    std::array<std::array<std::array<requests, status_labels.size()>, method_labels.size()>,
               path_labels.size()>
        http{};

    // D19, in client events. in_flight is counted itself.
    std::uint64_t received = 0, acked = 0, spooled = 0, dead_lettered = 0;
    std::int64_t in_flight = 0;
    std::array<std::uint64_t, static_cast<std::size_t>(ingest::drop_cause::count_)> dropped{};
    std::array<std::uint64_t, static_cast<std::size_t>(ingest::reason::count_)> refused{};

    std::array<std::uint64_t, static_cast<std::size_t>(ingest::reason::count_)> refused_bodies{};
    std::uint64_t heatmaps_split = 0, historical_rerouted = 0;
    std::uint64_t late_answers = 0;          // 503 because neither ack nor sync came in time
    std::uint64_t expired_acks = 0;          // requests handed to the spool after ack_timeout
    std::uint64_t malformed_heads = 0, header_timeouts = 0, body_timeouts = 0, drained_bodies = 0;
    std::uint64_t accepted = 0, over_connection_cap = 0;
    std::int64_t connections = 0, requests_active = 0;
    std::uint64_t memory_used = 0;
    histogram<payload_bounds.size()> raw_bytes, decoded_bytes;
    histogram<batch_size_bounds.size()> batch_size;

    void count_request(std::size_t path, std::size_t method, unsigned status, double seconds) {
        http[path][method][status_index(status)].observe(duration_bounds, seconds);
    }
    void add(const worker_metrics& other);
};

struct process_facts {
    std::string role, capture_mode;
    double start_time = 0;        // Unix seconds
    std::uint64_t memory_limit = 0;
    bool ready = false, ephemeral = false;
};

// Prometheus text format of everything.
std::string render_metrics(
    const worker_metrics&, const kafka::sink_stats&, const kafka::sink_health&, const process_facts&
);

}  // namespace headrace::server
