#include "ingest/event_writer.hpp"

#include "ingest/escape.hpp"
#include "ingest/event_facts.hpp"
#include "ingest/json_text.hpp"
#include "ingest/parse_fields.hpp"

#include <algorithm>
#include <array>

namespace headrace::ingest {
namespace {

constexpr std::string_view heatmap_data = "$heatmap_data";
constexpr std::string_view internal_ip = "127.0.0.1";

constexpr std::array<std::string_view, 13> companion_keys{
    heatmap_data,
    "$viewport_height",
    "$viewport_width",
    "$session_id",
    "$prev_pageview_pathname",
    "$prev_pageview_max_scroll",
    "$current_url",
    "$raw_user_agent",
    "$ip",
    "$host",
    "$timezone",
    "$cookieless_extra",
    "$cookieless_mode",
};

// The object with only those members whose decoded key `keep` accepts.
template <typename Keep>
void filter_members(std::string_view object, std::string& out, std::string& scratch, Keep keep) {
    out = "{";
    for_each_member(object, [&](std::string_view key, std::string_view member, std::string_view) {
        const bool escaped = key.find('\\') != std::string_view::npos;
        if (!keep(escaped ? unescape(key, scratch) : key)) return;
        if (out.size() > 1) out += ',';
        out += member;
    });
    out += '}';
}

// Bytes that the record has at least: objects go in as they came, and a text of n bytes holds at
// least n / 6 characters.
std::size_t least_bytes(const envelope& ev) {
    const std::size_t objects =
        ev.data_properties.size() + ev.data_set.raw.size() + ev.data_set_once.raw.size();
    return objects + (ev.data_event.raw.size() + ev.data_timestamp.raw.size()) / 6;
}

bool splits(const raw_event& ev, event_class kind) {
    const property_values& v = ev.values;
    if (kind == event_class::heatmap) return false;
    return v.heatmap_data || (v.prev_pageview_pathname && v.current_url);
}

reject too_big(const std::string& size, std::size_t limit) {
    return {
        reason::event_too_big,
        "the event's record has " + size + " bytes, the limit is " + std::to_string(limit)};
}

slice string_slice(std::string_view quoted) { return {quoted, json_type::string, false}; }

}  // namespace

event_writer::event_writer(
    const config::ingest_settings& s, const lanes& to, std::size_t record_bytes_max
)
    : settings_(s), lanes_(to), record_bytes_max_(record_bytes_max) {}

instant event_writer::time_of(const raw_event& ev, const event_context& rq, bool ignore_sent_at) {
    std::optional<std::string_view> text;
    if (ev.timestamp.given()) {
        text =
            ev.timestamp.escaped ? unescape(ev.timestamp.inner(), scratch_) : ev.timestamp.inner();
    }
    std::optional<std::int64_t> offset;
    if (ev.offset.given()) offset = ev.offset_ms;
    return event_time(rq.now, text, rq.sent_at, ignore_sent_at, offset);
}

std::optional<reject> event_writer::resolve(
    const raw_event& ev, const event_context& rq, kafka::arena& memory, envelope& out
) {
    if (ev.event.inner().empty()) return reject{reason::no_event_name, {}};
    out.event = decode_text(ev.event, memory, scratch_);
    const auto id = resolve_distinct_id(ev, memory, scratch_);
    if (!id) return reject{reason::no_distinct_id, {}};
    out.distinct_id = *id;
    const property_values& v = ev.values;
    const json_type mode = v.cookieless_mode;
    if (mode != json_type::absent && mode != json_type::yes && mode != json_type::no) {
        return reject{reason::invalid_cookieless_mode, {}};
    }
    out.cookieless = mode == json_type::yes;
    out.ip = v.capture_internal ? internal_ip : rq.facts.ip;
    out.time = time_of(ev, rq, v.ignore_sent_at == json_type::yes);
    out.client_id = ev.has_id;
    out.id = ev.has_id ? ev.id : make_uuid_v7(floor_ms(out.time), random_);
    out.data_token = ev.token;
    out.data_distinct_id = ev.distinct_id;
    out.data_event = ev.event;
    out.data_timestamp = ev.timestamp;
    out.data_offset = ev.offset;
    out.data_set = ev.set;
    out.data_set_once = ev.set_once;
    if (ev.properties.is(json_type::object)) out.data_properties = ev.properties.raw;
    return std::nullopt;
}

written event_writer::write(
    const raw_event& ev, std::uint32_t index, const event_context& rq, kafka::batch& batch
) {
    written result;
    envelope out;
    result.refused = resolve(ev, rq, batch.memory, out);
    if (result.refused) return result;

    const event_class kind = classify(out.event.bytes, settings_.ai_lane_by_prefix);
    out.historical = rq.historical_migration && kind == event_class::analytics;
    if (settings_.historical_rerouting && kind == event_class::analytics && !out.historical) {
        constexpr std::int64_t day = 86'400;
        instant limit = rq.now;
        limit.seconds -= day * settings_.historical_threshold_days;
        out.historical = result.rerouted = out.time <= limit;
    }
    result.split = splits(ev, kind);
    const bool clean = ev.values.ai_gateway && has_ai_prefix(out.event.bytes);
    const std::string_view as_sent = out.data_properties;
    const auto rewrite = [&] {
        if (!clean && !result.split) return;
        filter_members(as_sent, properties_, scratch_, [&](std::string_view key) {
            if (clean && key.substr(0, ai_gateway_prefix.size()) == ai_gateway_prefix) return false;
            return !result.split || key != heatmap_data;
        });
        out.data_properties = properties_;
    };
    rewrite();
    out.skip_heatmap = result.split;
    // Far too large: refused before room for its worst case is taken. AI events have a limit and a
    // text of their own, judged below.
    if (least_bytes(out) > record_bytes_max_ && !has_ai_prefix(out.event.bytes)) {
        result.refused = too_big("more than " + std::to_string(record_bytes_max_), record_bytes_max_);
        result.sink_limit = true;
        result.split = result.rerouted = false;
        return result;
    }

    kafka::record& record = batch.add();
    record.to = lane_of(kind, out.historical, lanes_);
    record.event_index = index;
    record.kind = kafka::record_kind::event;
    std::string_view data = writer_.write(rq.facts, out, batch.memory, record);
    result.refused = check_size(record, out, data);
    if (!result.refused && result.split && !companion(ev, out, index, rq, batch)) {
        // The second record cannot go out, so the first one keeps everything (kafka-ops.md 1.1).
        result.split = out.skip_heatmap = false;
        out.data_properties = as_sent;
        rewrite();
        kafka::record& whole = batch.records.back();
        data = writer_.write(rq.facts, out, batch.memory, whole);
        result.refused = check_size(whole, out, data);
    }
    if (result.refused) {
        batch.records.pop_back();
        result.sink_limit = true;
        result.split = result.rerouted = false;
    }
    return result;
}

bool event_writer::companion(
    const raw_event& ev,
    const envelope& original,
    std::uint32_t index,
    const event_context& rq,
    kafka::batch& batch
) {
    envelope out;
    out.event = {heatmap_event, true};
    out.distinct_id = original.distinct_id;
    out.ip = rq.facts.ip;
    out.cookieless = original.cookieless;
    out.time = time_of(ev, rq, false);
    out.id = make_uuid_v7(floor_ms(out.time), random_);
    out.data_token = ev.token;
    companion_id_.resize(escaped_max(out.distinct_id.bytes.size()) + 2);
    companion_id_[0] = '"';
    const char* end = escape(out.distinct_id.bytes, companion_id_.data() + 1);
    companion_id_.resize(static_cast<std::size_t>(end - companion_id_.data()));
    companion_id_ += '"';
    out.data_distinct_id = string_slice(companion_id_);
    out.data_event = string_slice("\"$$heatmap\"");
    out.data_timestamp = ev.timestamp;
    out.data_offset = ev.offset;
    filter_members(ev.properties.raw, companion_properties_, scratch_, [](std::string_view key) {
        return std::find(companion_keys.begin(), companion_keys.end(), key) != companion_keys.end();
    });
    out.data_properties = companion_properties_;

    kafka::record& record = batch.add();
    record.to = lanes_.heatmaps;
    record.event_index = index;
    record.kind = kafka::record_kind::companion;
    writer_.write(rq.facts, out, batch.memory, record);
    if (record_bytes(record) <= record_bytes_max_) return true;
    batch.records.pop_back();
    return false;
}

std::optional<reject> event_writer::check_size(
    const kafka::record& record, const envelope& ev, std::string_view data
) {
    if (settings_.ai_event_max != 0 && has_ai_prefix(ev.event.bytes) &&
        data.size() > settings_.ai_event_max) {
        const std::size_t size = unescaped_size(data);
        if (size > settings_.ai_event_max) {
            char id[36];
            render_uuid(ev.id, id);
            return reject{
                reason::ai_event_too_big,
                "AI event " + std::string(first_code_points(ev.event.bytes, 200)) + " (uuid " +
                    std::string(id, sizeof id) + ") is " + std::to_string(size) +
                    " bytes, over the " + std::to_string(settings_.ai_event_max) + "-byte limit"};
        }
    }
    const std::size_t size = record_bytes(record);
    if (size <= record_bytes_max_) return std::nullopt;
    return too_big(std::to_string(size), record_bytes_max_);
}

}  // namespace headrace::ingest
