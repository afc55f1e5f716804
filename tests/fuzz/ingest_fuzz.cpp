// Decoding and ingestion of one hostile request. Three bytes choose route, mode, query, and
// headers; the rest is the body. Aborts when the count identity of D19 does not hold, when a value
// is not JSON, or when the document inside its `data` is not JSON.
#include "ingest/json_text.hpp"
#include "ingest/parse_diagnose.hpp"
#include "ingest/pipeline.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>

using namespace headrace;
using namespace headrace::ingest;

namespace {

[[noreturn]] void fail(const char* what, std::string_view text) {
    std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
    std::abort();
}

struct bench {
    explicit bench(bool strict) {
        settings.limits.inflated = 1 << 20;
        settings.limits.events_per_request = 50;
        settings.ingest.ai_event_max = 4096;
        if (strict) settings.ingest.mode = config::ingest_mode::strict;
        to = intern_lanes(topics, settings.kafka.topics);
        line = std::make_unique<pipeline>(settings, to, 20'000);
    }
    config::settings settings;
    kafka::topic_table topics;
    lanes to{};
    std::unique_ptr<pipeline> line;
};

constexpr std::string_view queries[] = {
    "",
    "compression=gzip",
    "compression=lz64",
    "beacon=1",
    "_=1750000000123",
    "compression=base64&ip=1",
    "data=eyJ9",
    "sent_at=x",
};
constexpr std::string_view content_types[] = {
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "",
};
constexpr std::string_view encodings[] = {"", "gzip", "lz64", "br"};

void check_json(const char* what, std::string_view text) {
    const std::string fault = diagnose_json(text);
    if (!fault.empty()) fail(what, std::string(text) + " -> " + fault);
}

void check_record(const kafka::record& r) {
    check_json("value", r.value);
    if (r.kind == kafka::record_kind::dead_letter) return;
    if (r.headers.size() < 9) fail("headers", r.value);
    std::string scratch, data;
    for_each_member(r.value, [&](std::string_view key, std::string_view, std::string_view v) {
        if (key == "data") data = unescape(v.substr(1, v.size() - 2), scratch);
    });
    if (data.empty() || data[0] != '{') fail("no data", r.value);
    check_json("data", data);
}

void check(const outcome& out, const kafka::batch& batch) {
    const event_counts& n = out.counts;
    const auto sum = [](const auto& a) { return std::accumulate(a.begin(), a.end(), 0u); };
    if (n.received != n.to_write + n.dead_lettered + sum(n.dropped) + sum(n.refused)) {
        fail("counts", out.answer.body);
    }
    if (out.refused != (out.answer.status >= 400)) fail("status", out.answer.body);
    if (out.answer.json && !out.answer.body.empty()) check_json("answer", out.answer.body);
    std::uint32_t events = 0;
    for (const kafka::record& r : batch.records) {
        check_record(r);
        if (r.kind == kafka::record_kind::event) ++events;
    }
    if (events != n.to_write) fail("events", out.answer.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static bench salvage(false), strict(true);
    static kafka::batch batch;
    if (size < 3) return 0;
    std::string body(reinterpret_cast<const char*>(data + 3), size - 3);
    request rq;
    rq.body_size = body.size();
    body.append(json_padding, '"');
    rq.route = static_cast<route>(data[0] % 8);
    rq.path = "/e";
    rq.query = queries[data[1] % 8];
    rq.content_type = content_types[data[2] % 4];
    rq.content_encoding = encodings[data[2] / 4 % 4];
    rq.request_id = "fuzz";
    rq.ip = "203.0.113.9";
    rq.body = body.data();
    rq.now = 1'709'294'400'123'456'789;
    batch.reset();
    bench& b = data[0] / 8 % 2 == 0 ? salvage : strict;
    const outcome out = b.line->process(rq, batch);
    check(out, batch);
    return 0;
}
