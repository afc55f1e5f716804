// What the ingestion path costs without sockets and without Kafka: bodies as bench/targets.sh sends
// them, read from build/bench/bodies when they are there, else a small one made here.
#include "ingest/escape.hpp"
#include "ingest/inflate.hpp"
#include "ingest/pipeline.hpp"
#include "ingest/timestamp.hpp"
#include "ingest/uuid.hpp"
#include "kafka/topics.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

using namespace headrace;

namespace {

constexpr ingest::wall_ns now = 1'790'000'000'123'456'789;

std::string made_event(int i) {
    const std::string id = std::to_string(1000 + i);
    std::string properties = R"("token":"phc_bench","distinct_id":"user-)" + id + '"';
    for (int p = 0; p < 40; ++p)
        properties += ",\"$property_" + std::to_string(p) + "\":\"value " + id + '"';
    return R"({"api_key":"phc_bench","uuid":"019a0000-0000-7000-8000-00000000)" + id +
           R"(","event":"$pageview","distinct_id":"user-)" + id +
           R"(","timestamp":"2026-09-21T12:00:00.123Z","properties":{)" + properties + "}}";
}

// Bodies behind their length in 4 bytes, big endian.
std::vector<std::string> bodies(const std::string& name) {
    std::vector<std::string> all;
    std::ifstream file("build/bench/bodies/" + name + ".bin", std::ios::binary);
    unsigned char size[4];
    while (file.read(reinterpret_cast<char*>(size), sizeof size)) {
        const std::size_t n = static_cast<std::size_t>(size[0]) << 24 |
                              static_cast<std::size_t>(size[1]) << 16 |
                              static_cast<std::size_t>(size[2]) << 8 | size[3];
        std::string body(n, '\0');
        file.read(body.data(), static_cast<std::streamsize>(n));
        all.push_back(std::move(body));
    }
    if (!all.empty() || name == "gzip") return all;
    for (int i = 0; i < 64; ++i) {
        std::string body = made_event(i);
        if (name == "batch") {
            body = R"({"api_key":"phc_bench","batch":[)" + body;
            for (int e = 1; e < 50; ++e) body += ',' + made_event(i + e);
            body += "]}";
        }
        all.push_back(std::move(body));
    }
    return all;
}

void run_pipeline(benchmark::State& state, const std::string& name) {
    const std::vector<std::string> input = bodies(name);
    if (input.empty())
        return state.SkipWithError("run bench/targets.sh once: it prepares these bodies");
    config::settings settings;
    kafka::topic_table topics;
    const ingest::lanes lanes = ingest::intern_lanes(topics, settings.kafka.topics);
    ingest::pipeline pipeline(settings, lanes, 1'000'000);
    kafka::batch batch;
    std::string body;
    std::size_t at = 0, events = 0, bytes = 0;
    for (auto _ : state) {
        const std::string& from = input[at];
        at = (at + 1) % input.size();
        body.resize(from.size() + ingest::json_padding);
        std::memcpy(body.data(), from.data(), from.size());
        ingest::request request;
        request.route = name == "single" ? ingest::route::i_v0_e : ingest::route::batch;
        request.path = "/batch/";
        request.content_type = "application/json";
        if (name == "gzip") request.content_encoding = "gzip";
        request.request_id = "019a0000-0000-7000-8000-000000000000";
        request.ip = "203.0.113.77";
        request.body = body.data();
        request.body_size = from.size();
        request.now = now;
        const ingest::outcome out = pipeline.process(request, batch);
        if (out.refused || out.counts.to_write == 0)
            return state.SkipWithError("a body was refused");
        events += out.counts.to_write;
        bytes += from.size();
        benchmark::DoNotOptimize(batch.records.data());
        batch.reset();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
    state.counters["per_event"] = benchmark::Counter(
        static_cast<double>(events), benchmark::Counter::kIsRate | benchmark::Counter::kInvert
    );
}

void escape_event(benchmark::State& state, ingest::escape_variant variant) {
    if (!ingest::available(variant)) return state.SkipWithError("not on this CPU");
    const std::string text = bodies("single").front();
    std::string out(ingest::escaped_max(text.size()), '\0');
    for (auto _ : state) benchmark::DoNotOptimize(ingest::escape_with(variant, text, out.data()));
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

void inflate_batch(benchmark::State& state) {
    const std::vector<std::string> input = bodies("gzip");
    if (input.empty())
        return state.SkipWithError("run bench/targets.sh once: it prepares these bodies");
    ingest::inflater inflater(100 << 20);
    std::size_t at = 0, bytes = 0;
    for (auto _ : state) {
        if (inflater.gunzip(input[at]) != ingest::inflate_result::ok)
            return state.SkipWithError("bad gzip");
        bytes += inflater.size();
        at = (at + 1) % input.size();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

void uuid_parse(benchmark::State& state) {
    std::string text = "019a3c5e-7b1d-7c4a-9f00-1a2b3c4d5e6f";
    for (auto _ : state) {
        benchmark::DoNotOptimize(text.data());
        benchmark::DoNotOptimize(ingest::parse_uuid(text));
    }
}

void uuid_make_and_render(benchmark::State& state) {
    ingest::random_source random(7);
    char out[36];
    for (auto _ : state) {
        ingest::render_uuid(ingest::make_uuid_v7(now / 1'000'000, random), out);
        benchmark::DoNotOptimize(out);
    }
}

void timestamp_parse(benchmark::State& state, const std::string& text) {
    const ingest::instant at = ingest::from_ns(now);
    for (auto _ : state) benchmark::DoNotOptimize(ingest::parse_timestamp(text, at));
}

void timestamp_render(benchmark::State& state) {
    char out[40];
    for (auto _ : state) {
        benchmark::DoNotOptimize(ingest::render_utc(ingest::from_ns(now), out));
        benchmark::DoNotOptimize(out);
    }
}

}  // namespace

BENCHMARK_CAPTURE(run_pipeline, single, "single");
BENCHMARK_CAPTURE(run_pipeline, batch_of_50, "batch");
BENCHMARK_CAPTURE(run_pipeline, batch_of_50_gzip, "gzip");
BENCHMARK_CAPTURE(escape_event, scalar, ingest::escape_variant::scalar);
BENCHMARK_CAPTURE(escape_event, sse2, ingest::escape_variant::sse2);
BENCHMARK_CAPTURE(escape_event, vbmi2, ingest::escape_variant::vbmi2);
BENCHMARK(inflate_batch);
BENCHMARK(uuid_parse);
BENCHMARK(uuid_make_and_render);
BENCHMARK_CAPTURE(timestamp_parse, rfc3339, "2026-09-21T12:00:00.123Z");
BENCHMARK_CAPTURE(timestamp_parse, loose, "Sep 21, 2026 12:00 PM");
BENCHMARK(timestamp_render);

BENCHMARK_MAIN();
