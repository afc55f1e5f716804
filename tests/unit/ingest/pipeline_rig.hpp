#pragma once
// Runs one request through a pipeline and keeps everything that came out.
#include "ingest/pipeline.hpp"
#include "tests/support/catch.hpp"

#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

namespace headrace::ingest {

// 2024-03-01T12:00:00.123456789Z
constexpr wall_ns rig_now = 1'709'294'400'123'456'789;

struct shot {
    std::string body;
    ingest::route route = route::i_v0_e;
    std::string query{};
    std::string content_type = "application/json";
    std::string content_encoding{};
    std::string ip = "203.0.113.9";
    wall_ns now = rig_now;
};

class rig {
public:
    explicit rig(config::settings s = {}, std::size_t record_bytes_max = 1'000'000)
        : settings_(std::move(s)),
          to_(intern_lanes(topics_, settings_.kafka.topics)),
          pipeline_(std::make_unique<pipeline>(settings_, to_, record_bytes_max)) {}

    outcome send(const shot& what) {
        batch.reset();
        body_ = what.body;
        body_.append(json_padding, 'x');
        request rq;
        rq.route = what.route;
        rq.path = "/e";
        rq.query = what.query;
        rq.content_type = what.content_type;
        rq.content_encoding = what.content_encoding;
        rq.request_id = "req-1";
        rq.ip = what.ip;
        rq.body = body_.data();
        rq.body_size = what.body.size();
        rq.now = what.now;
        outcome out = pipeline_->process(rq, batch);
        check_counts(out);
        return out;
    }
    outcome send(std::string body) {
        shot what;
        what.body = std::move(body);
        return send(what);
    }

    // D19's identity, and that the batch holds what the counts say.
    void check_counts(const outcome& out) const {
        const event_counts& n = out.counts;
        const auto sum = [](const auto& a) { return std::accumulate(a.begin(), a.end(), 0u); };
        CHECK(n.received == n.to_write + n.dead_lettered + sum(n.dropped) + sum(n.refused));
        std::uint32_t events = 0, companions = 0;
        for (const kafka::record& r : batch.records) {
            if (r.kind == kafka::record_kind::event) ++events;
            if (r.kind == kafka::record_kind::companion) ++companions;
        }
        CHECK(events == n.to_write);
        CHECK(companions == n.heatmaps_split);
        CHECK(out.refused == (out.answer.status >= 400));
        if (out.refused) CHECK(n.to_write == 0);
    }

    std::string value(std::size_t i = 0) const { return std::string(batch.records.at(i).value); }
    std::string key(std::size_t i = 0) const { return std::string(batch.records.at(i).key); }
    std::string topic(std::size_t i = 0) const { return batch.records.at(i).to->name; }
    // "null" for a null header, nothing for an absent one.
    std::optional<std::string> header(const std::string& name, std::size_t i = 0) const {
        for (const kafka::header& h : batch.records.at(i).headers) {
            if (h.name != name) continue;
            if (h.value.data() == nullptr) return "null";
            return std::string(h.value);
        }
        return std::nullopt;
    }
    // A string field of the value, as it stands there (escaped).
    std::string field(const std::string& name, std::size_t i = 0) const {
        const std::string v = value(i);
        const std::string start = "\"" + name + "\":\"";
        std::size_t at = v.find(start);
        if (at == std::string::npos) return "(absent)";
        at += start.size();
        std::size_t end = at;
        while (v[end] != '"') end += v[end] == '\\' ? 2 : 1;
        return v.substr(at, end - at);
    }
    // The document inside `data`.
    std::string data(std::size_t i = 0) const {
        const std::string escaped = field("data", i);
        std::string out;
        for (std::size_t k = 0; k < escaped.size(); ++k) {
            if (escaped[k] != '\\') {
                out += escaped[k];
            } else {
                const char c = escaped[++k];
                out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
            }
        }
        return out;
    }

    kafka::batch batch;

private:
    config::settings settings_;
    kafka::topic_table topics_;
    lanes to_;
    std::unique_ptr<pipeline> pipeline_;
    std::string body_;
};

inline config::settings strict_settings() {
    config::settings s;
    s.ingest.mode = config::ingest_mode::strict;
    return s;
}

}  // namespace headrace::ingest
