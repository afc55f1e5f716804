#include "ingest/pipeline.hpp"

#include "ingest/answer.hpp"
#include "ingest/dead_letter.hpp"
#include "ingest/decode.hpp"
#include "ingest/event_facts.hpp"
#include "ingest/event_writer.hpp"
#include "ingest/json_text.hpp"
#include "ingest/parse.hpp"

#include <new>
#include <optional>
#include <string>
#include <vector>

namespace headrace::ingest {
namespace {

constexpr std::size_t events_kept = 1024;  // room held between requests

template <typename E>
constexpr std::size_t at(E e) {
    return static_cast<std::size_t>(e);
}

}  // namespace

std::string_view label(drop_cause cause) {
    switch (cause) {
        case drop_cause::performance_event:
            return "performance_event";
        case drop_cause::dead_letter_cap:
            return "dead_letter_cap";
        case drop_cause::dead_letter_refused:
            return "dead_letter_refused";
        case drop_cause::black_hole:
            return "black_hole";
        case drop_cause::count_:
            break;
    }
    return "";
}

struct pipeline::impl {
    impl(const config::settings& s, const lanes& to, std::size_t max)
        : settings(s),
          to_lanes(to),
          record_bytes_max(max),
          decode(s.limits.inflated),
          caps(s.dead_letters),
          writer(s.ingest, to_lanes, max) {}

    const config::settings& settings;
    const lanes to_lanes;
    const std::size_t record_bytes_max;
    decoder decode;
    parser parse;
    dead_letter_caps caps;
    event_writer writer;

    // Of the request at hand; kept for their memory.
    document doc;
    query_parameters query;
    std::vector<std::uint32_t> live;  // events left after the filter
    std::vector<refused_event> listed;
    std::array<std::uint32_t, at(reason::count_)> bad{};  // refused events by reason
    std::uint32_t bad_count = 0, lettered = 0, capped = 0;
    std::string scratch, token;
    char now_text[40], sent_at_text[40];
    event_context context;

    bool salvage() const { return settings.ingest.mode == config::ingest_mode::salvage; }

    std::optional<reject> read(request&, outcome&);
    std::optional<reject> choose_events(const request&);
    std::optional<reject> find_token();
    std::optional<reject> shape_of_all();
    void begin_records(const request&, kafka::batch&);
    std::optional<reject> write_events(const request&, kafka::batch&, outcome&);
    void refuse_event(const request&, kafka::batch&, std::uint32_t index, reject);
    void refuse_excess(const request&, kafka::batch&);
    void letter(const request&, kafka::batch&, dead_letter&);
    void refuse_all(outcome&, const reject&);
    void conclude(const request&, kafka::batch&, outcome&);
    void run(request&, kafka::batch&, outcome&);
    void tidy();
};

// Everything before the events: query, decoding, JSON (http-v0.md 2, 3.1).
std::optional<reject> pipeline::impl::read(request& rq, outcome& out) {
    query = {};
    if (auto bad_query = parse_query(rq.query, query)) return bad_query;
    decoded text;
    if (auto bad_body = decode.decode(rq, query, text)) return bad_body;
    out.decoded_bytes = text.size;
    parse_options options;
    options.events_max = settings.limits.events_per_request;
    options.salvage = salvage();
    return parse.parse(text.text, text.size, text.utf8_detail, options, doc);
}

// Empty batch, engage bodies, and the filter that comes before everything else (4.3, 5.5).
std::optional<reject> pipeline::impl::choose_events(const request& rq) {
    if (doc.received() == 0) return reject{reason::empty_batch, {}};
    if (doc.shape == payload_shape::engage) {
        raw_event& ev = doc.events.front();
        if (rq.route != route::engage) return reject{reason::hydration, {}};
        ev.event = {"\"$identify\"", json_type::string, false};
        ev.event_repeated = false;
    }
    if (doc.excess != 0 && !salvage()) {
        return reject{
            reason::too_many_events,
            "at most " + std::to_string(settings.limits.events_per_request) +
                " events per request are accepted"};
    }
    for (std::uint32_t i = 0; i < doc.events.size(); ++i) {
        const raw_event& ev = doc.events[i];
        if (ev.as_event() == shape_problem::none) {
            const std::string_view name =
                ev.event.escaped ? unescape(ev.event.inner(), scratch) : ev.event.inner();
            if (name == performance_event) continue;
        }
        live.push_back(i);
    }
    return std::nullopt;
}

// The request's token, trimmed, into `token` (3.4).
std::optional<reject> pipeline::impl::find_token() {
    token.clear();
    bool found = false;
    if (doc.shape == payload_shape::batch) {
        token = trim_white_space(
            doc.token.escaped ? unescape(doc.token.inner(), scratch) : doc.token.inner()
        );
        found = true;
    } else {
        for (const std::uint32_t i : live) {
            const auto mine = found_token(doc.events[i], scratch);
            if (!mine) continue;
            if (found && *mine != token) return reject{reason::multiple_tokens, {}};
            if (!found) token = *mine;
            found = true;
        }
    }
    if (!found) return reject{reason::no_token, {}};
    const std::string_view fault = token_fault(token);
    if (!fault.empty()) return reject{reason::invalid_token, std::string(fault)};
    return std::nullopt;
}

// If no event at all has an acceptable shape, the first one's fault is the answer, and it comes
// before any word about the token (4.3).
std::optional<reject> pipeline::impl::shape_of_all() {
    for (const std::uint32_t i : live) {
        if (doc.events[i].as_event() == shape_problem::none) return std::nullopt;
    }
    if (live.empty()) return std::nullopt;
    const raw_event& first = doc.events[live.front()];
    return shape_reject(first, first.as_event());
}

void pipeline::impl::begin_records(const request& rq, kafka::batch& batch) {
    context = {};
    context.now = from_ns(rq.now);
    context.historical_migration = doc.historical_migration;
    if (doc.sent_at.is(json_type::string)) {
        context.sent_at = parse_sent_at(
            doc.sent_at.escaped ? unescape(doc.sent_at.inner(), scratch) : doc.sent_at.inner()
        );
    }
    if (!context.sent_at && query.sent_at_ms) context.sent_at = sent_at_from_ms(*query.sent_at_ms);
    request_facts& facts = context.facts;
    facts.token.bytes = batch.memory.copy(token);
    for (const char c : token) {
        if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20)
            facts.token.plain = false;
    }
    facts.ip = rq.ip;
    facts.now = batch.memory.copy({now_text, render_utc(context.now, now_text)});
    if (context.sent_at) {
        facts.sent_at = {sent_at_text, render_sent_at(*context.sent_at, sent_at_text)};
    }
}

// Salvage: bad events become dead letters. Strict: the first bad one is the answer for all, a
// size limit only if nothing else is wrong (4.3).
std::optional<reject> pipeline::impl::write_events(
    const request& rq, kafka::batch& batch, outcome& out
) {
    std::optional<reject> too_big;
    for (const std::uint32_t i : live) {
        const raw_event& ev = doc.events[i];
        const shape_problem problem = ev.as_event();
        written result;
        if (problem != shape_problem::none) {
            result.refused = shape_reject(ev, problem);
        } else {
            result = writer.write(ev, i, context, batch);
        }
        if (!result.refused) {
            ++out.counts.to_write;
            if (result.rerouted) ++out.counts.historical_rerouted;
            if (result.split) ++out.counts.heatmaps_split;
            continue;
        }
        if (salvage()) {
            refuse_event(rq, batch, i, std::move(*result.refused));
        } else if (!result.sink_limit) {
            return result.refused;
        } else if (!too_big) {
            too_big = std::move(result.refused);
        }
    }
    if (doc.excess != 0) refuse_excess(rq, batch);
    return too_big;
}

void pipeline::impl::letter(const request& rq, kafka::batch& batch, dead_letter& what) {
    if (!caps.take(token, rq.now)) {
        capped += what.count;
        return;
    }
    what.token = context.facts.token.bytes;
    what.received_at = context.facts.now;
    kafka::record& record = batch.add();
    record.to = to_lanes.dead_letters;
    record.event_index = what.index;
    record.kind = kafka::record_kind::dead_letter;
    write_dead_letter(what, rq, record_bytes_max, batch.memory, record);
    lettered += what.count;
}

void pipeline::impl::refuse_event(
    const request& rq, kafka::batch& batch, std::uint32_t index, reject why
) {
    ++bad_count;
    ++bad[at(why.reason)];
    dead_letter what;
    what.why = why;
    what.index = index;
    what.raw = doc.events[index].text;
    letter(rq, batch, what);
    if (listed.size() < listed_max) listed.push_back({index, std::move(why)});
}

void pipeline::impl::refuse_excess(const request& rq, kafka::batch& batch) {
    dead_letter what;
    what.why = {
        reason::too_many_events,
        "at most " + std::to_string(settings.limits.events_per_request) +
            " events per request are accepted"};
    what.index = static_cast<std::uint32_t>(doc.events.size());
    what.count = doc.excess;
    what.raw = doc.excess_text;
    letter(rq, batch, what);
    bad_count += doc.excess;
    bad[at(reason::too_many_events)] += doc.excess;
    for (std::uint32_t i = 0; i < doc.excess && listed.size() < listed_max; ++i) {
        listed.push_back({what.index + i, what.why});
    }
}

// The whole request is refused for one reason.
void pipeline::impl::refuse_all(outcome& out, const reject& why) {
    out.refused = true;
    out.why = why.reason;
    out.answer = error_reply(why);
    event_counts& n = out.counts;
    n.to_write = n.dead_lettered = n.historical_rerouted = n.heatmaps_split = 0;
    n.refused = {};
    std::uint32_t dropped = 0;
    for (const std::uint32_t d : n.dropped) dropped += d;
    n.refused[at(why.reason)] = n.received - dropped;
}

// All events are through: what do we answer, and where do the bad ones count?
void pipeline::impl::conclude(const request& rq, kafka::batch& batch, outcome& out) {
    event_counts& n = out.counts;
    if (rq.route == route::black_hole) {
        batch.records.clear();
        n.dropped[at(drop_cause::black_hole)] += n.to_write + bad_count;
        n.to_write = n.historical_rerouted = n.heatmaps_split = 0;
        out.answer = success_reply(query.beacon);
        return;
    }
    if (bad_count == 0) {
        out.answer = success_reply(query.beacon);
        return;
    }
    if (n.to_write == 0) {
        out.refused = true;
        out.why = listed.front().why.reason;
        out.answer = error_reply(listed.front().why);
        n.refused = bad;
        return;
    }
    n.dead_lettered = lettered;
    n.dropped[at(drop_cause::dead_letter_cap)] += capped;
    out.answer = salvage_reply(query.beacon, listed, bad_count);
}

void pipeline::impl::run(request& rq, kafka::batch& batch, outcome& out) {
    live.clear();
    listed.clear();
    bad = {};
    bad_count = lettered = capped = 0;
    doc.events.clear();
    doc.excess = 0;
    auto refused = read(rq, out);
    out.counts.received = doc.received();
    if (!refused) refused = choose_events(rq);
    if (refused) return refuse_all(out, *refused);

    const auto filtered = static_cast<std::uint32_t>(doc.events.size() - live.size());
    out.counts.dropped[at(drop_cause::performance_event)] = filtered;
    if (live.empty() && doc.excess == 0) {
        out.answer = success_reply(false);  // the token is never looked at (4.1)
        return;
    }
    const auto no_shape = shape_of_all();
    if (auto no_token = find_token()) return refuse_all(out, no_shape ? *no_shape : *no_token);
    begin_records(rq, batch);

    // Admission (known tokens, quotas, rates) belongs here: after the token, before the events.

    if (auto first = write_events(rq, batch, out)) {
        batch.records.clear();
        return refuse_all(out, *first);
    }
    conclude(rq, batch, out);
}

void pipeline::impl::tidy() {
    decode.release();
    parse.release();
    if (doc.events.capacity() <= events_kept) return;
    doc.events = {};
    live = {};
}

pipeline::pipeline(const config::settings& s, const lanes& to, std::size_t record_bytes_max)
    : impl_(std::make_unique<impl>(s, to, record_bytes_max)) {}
pipeline::~pipeline() = default;

bool pipeline::letter_for(
    const kafka::record& large, const request& where, kafka::batch& out
) {
    dead_letter what;
    what.why = {reason::event_too_big, "the broker refused the record"};
    what.index = large.event_index;
    for (const kafka::header& h : large.headers) {
        if (h.name == "token") what.token = out.memory.copy(h.value);
        if (h.name == "now") what.received_at = h.value;
    }
    what.raw = large.value;
    if (!impl_->caps.take(what.token, where.now)) return false;
    kafka::record& record = out.add();
    record.to = impl_->to_lanes.dead_letters;
    record.event_index = what.index;
    record.kind = kafka::record_kind::dead_letter;
    write_dead_letter(what, where, impl_->record_bytes_max, out.memory, record);
    return true;
}

outcome pipeline::process(request& rq, kafka::batch& out) {
    outcome result;
    try {
        impl_->run(rq, out, result);
    } catch (const std::bad_alloc&) {
        out.records.clear();
        result.counts.dropped = {};
        impl_->refuse_all(result, {reason::no_memory, {}});
    }
    impl_->tidy();
    return result;
}

}  // namespace headrace::ingest
