#include "ingest/envelope.hpp"

#include "ingest/escape.hpp"
#include "ingest/json_text.hpp"

#include <charconv>
#include <cstring>

namespace headrace::ingest {
namespace {

constexpr std::string_view yes = "true";

char* put(char* p, std::string_view text) {
    std::memcpy(p, text.data(), text.size());
    return p + text.size();
}

char* put_escaped(char* p, const text_value& text) {
    return text.plain ? put(p, text.bytes) : escape(text.bytes, p);
}

std::size_t room(const text_value& text) {
    return text.plain ? text.bytes.size() : escaped_max(text.bytes.size());
}

std::size_t room(const slice& s) { return escaped_json_max(s.raw.size()); }

// Upper bound of the value's size: names, punctuation and fixed-length fields are below 768.
std::size_t value_max(const request_facts& rq, const envelope& ev) {
    return 768 + room(rq.token) + room(ev.event) + room(ev.distinct_id) + ev.ip.size() +
           rq.now.size() + rq.sent_at.size() + room(ev.data_token) + room(ev.data_distinct_id) +
           room(ev.data_event) + room(ev.data_timestamp) + room(ev.data_offset) +
           room(ev.data_set) + room(ev.data_set_once) + escaped_json_max(ev.data_properties.size());
}

std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<std::size_t>(end - begin)};
}

std::string_view make_key(const request_facts& rq, const envelope& ev, kafka::arena& memory) {
    const std::string_view last = ev.cookieless ? ev.ip : ev.distinct_id.bytes;
    const std::size_t size = rq.token.bytes.size() + 1 + last.size();
    char* const begin = memory.allocate(size);
    char* p = put(begin, rq.token.bytes);
    *p++ = ':';
    put(p, last);
    return {begin, size};
}

std::string_view decimal(std::int64_t n, kafka::arena& memory) {
    char buffer[24];
    const char* end = std::to_chars(buffer, buffer + sizeof buffer, n).ptr;
    return memory.copy(between(buffer, end));
}

}  // namespace

// Room that is held between events.
static constexpr std::size_t kept_max = 256 * 1024;

char* envelope_writer::data_string(const slice& s, char* p) {
    p = put(p, "\\\"");
    if (s.escaped) {
        const std::string_view text = unescape(s.inner(), decoded_);
        escaped_.resize(escaped_max(text.size()));
        const char* end = escape(text, escaped_.data());
        p = escape(between(escaped_.data(), end), p);
    } else {
        p = put(p, s.inner());
    }
    return put(p, "\\\"");
}

// The document inside `data`, with its own quotes already escaped (kafka-ops.md 1.6).
char* envelope_writer::data(const envelope& ev, char* p) {
    *p++ = '{';
    if (ev.data_token.given()) {
        p = put(p, "\\\"token\\\":");
        p = data_string(ev.data_token, p);
        *p++ = ',';
    }
    if (ev.data_distinct_id.given()) {
        p = put(p, "\\\"distinct_id\\\":");
        p = escape(ev.data_distinct_id.raw, p);
        *p++ = ',';
    }
    if (ev.client_id) {
        p = put(p, "\\\"uuid\\\":\\\"");
        render_uuid(ev.id, p);
        p = put(p + 36, "\\\",\\\"event\\\":");
    } else {
        p = put(p, "\\\"uuid\\\":null,\\\"event\\\":");
    }
    p = data_string(ev.data_event, p);
    p = put(p, ",\\\"properties\\\":");
    p = escape(ev.data_properties, p);
    if (ev.data_timestamp.given()) {
        p = put(p, ",\\\"timestamp\\\":");
        p = data_string(ev.data_timestamp, p);
    }
    if (ev.data_offset.given()) {
        p = put(p, ",\\\"offset\\\":");
        p = put(p, ev.data_offset.raw);
    }
    if (ev.data_set.given()) {
        p = put(p, ",\\\"$set\\\":");
        p = escape(ev.data_set.raw, p);
    }
    if (ev.data_set_once.given()) {
        p = put(p, ",\\\"$set_once\\\":");
        p = escape(ev.data_set_once.raw, p);
    }
    *p++ = '}';
    return p;
}

std::string_view envelope_writer::write(
    const request_facts& rq, const envelope& ev, kafka::arena& memory, kafka::record& out
) {
    char* const begin = memory.allocate(value_max(rq, ev));
    char* p = put(begin, "{\"uuid\":\"");
    const std::string_view id(p, 36);
    render_uuid(ev.id, p);
    p = put(p + 36, "\",\"distinct_id\":\"");
    const char* const distinct_id_at = p;
    p = put_escaped(p, ev.distinct_id);
    p = put(p, "\",\"ip\":\"");
    p = put(p, ev.ip);
    p = put(p, "\",\"data\":\"");
    const char* const data_at = p;
    p = data(ev, p);
    const std::string_view data_text = between(data_at, p);
    p = put(p, "\",\"now\":\"");
    p = put(p, rq.now);
    if (!rq.sent_at.empty()) {
        p = put(p, "\",\"sent_at\":\"");
        p = put(p, rq.sent_at);
    }
    p = put(p, "\",\"token\":\"");
    p = put_escaped(p, rq.token);
    p = put(p, "\",\"event\":\"");
    const char* const event_at = p;
    p = put_escaped(p, ev.event);
    p = put(p, "\",\"timestamp\":\"");
    p += render_utc(ev.time, p);
    *p++ = '"';
    if (ev.cookieless) p = put(p, ",\"is_cookieless_mode\":true");
    if (ev.historical) p = put(p, ",\"historical_migration\":true");
    *p++ = '}';
    out.value = between(begin, p);
    memory.shrink(begin, out.value.size());
    if (escaped_.capacity() > kept_max) escaped_ = decoded_ = {};

    out.key = make_key(rq, ev, memory);
    // Plain texts stand unescaped in the value; the others live in the arena already.
    const auto shared = [](const text_value& text, const char* at) {
        return text.plain ? std::string_view(at, text.bytes.size()) : text.bytes;
    };
    const auto headers = memory.array<kafka::header>(ev.skip_heatmap ? 10 : 9);
    headers[0] = {"token", rq.token.bytes};
    headers[1] = {"distinct_id", shared(ev.distinct_id, distinct_id_at)};
    headers[2] = {"session_id", {}};
    headers[3] = {"timestamp", decimal(floor_ms(ev.time), memory)};
    headers[4] = {"event", shared(ev.event, event_at)};
    headers[5] = {"uuid", id};
    headers[6] = {"now", rq.now};
    headers[7] = {"force_disable_person_processing", {}};
    headers[8] = {"historical_migration", ev.historical ? yes : std::string_view()};
    if (ev.skip_heatmap) headers[9] = {"skip_heatmap_processing", yes};
    out.headers = headers;
    return data_text;
}

std::size_t record_bytes(const kafka::record& r) {
    std::size_t sum = r.key.size() + r.value.size();
    for (const kafka::header& h : r.headers) sum += h.name.size() + h.value.size();
    return sum;
}

std::size_t unescaped_size(std::string_view data) {
    // Its strings carry no control bytes, so every escape is two bytes long.
    std::size_t n = 0;
    for (std::size_t i = 0; i < data.size(); ++n) i += data[i] == '\\' ? 2 : 1;
    return n;
}

}  // namespace headrace::ingest
