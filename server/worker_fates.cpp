// What the sink decided about a request's records: counting (D19) and answering.
#include <algorithm>
#include <ctime>
#include <string>
#include <string_view>

#include "ingest/answer.hpp"
#include "server/session.hpp"
#include "server/worker.hpp"

namespace headrace::server {

namespace {

using ingest::reason;
constexpr std::size_t index(auto e) { return static_cast<std::size_t>(e); }

ingest::reply plain(reason why, std::string detail) {
    ingest::reply r;
    r.status = ingest::describe(why).status;
    r.json = false;
    r.retry_after = r.status == 503;
    r.body = ingest::reject{why, std::move(detail)}.text();
    return r;
}

bool too_large(const kafka::record& r) {
    return r.kind == kafka::record_kind::event && r.outcome == kafka::fate::too_large;
}

// The event at `i` was written, the second record of its heatmap split was not.
bool halved(const std::vector<kafka::record>& records, std::size_t i) {
    if (records[i].kind != kafka::record_kind::event || too_large(records[i])) return false;
    return i + 1 < records.size() && records[i + 1].kind == kafka::record_kind::companion &&
           records[i + 1].outcome == kafka::fate::too_large;
}

// Events of which a dead letter was refused; those of one event follow each other.
std::uint32_t letters_refused(const std::vector<kafka::record>& records) {
    std::uint32_t n = 0;
    const kafka::record* last = nullptr;
    for (const kafka::record& r : records) {
        if (r.kind != kafka::record_kind::dead_letter || r.outcome != kafka::fate::too_large) continue;
        if (last == nullptr || last->event_index != r.event_index) ++n;
        last = &r;
    }
    return n;
}

// The envelope's third member; quotes in the first two are escaped, so this is its only place.
std::string_view ip_in(std::string_view value) {
    constexpr std::string_view name = ",\"ip\":\"";
    const std::size_t at = value.find(name);
    if (at == std::string_view::npos) return {};
    value.remove_prefix(at + name.size());
    return value.substr(0, value.find('"'));
}

// Adds the too large events to the list of a success answer, which names at most listed_max and
// then the number of all (D6). Quotes inside the body's texts are escaped: keys are found as text.
void list_too_large(std::string& body, const kafka::batch& b) {
    constexpr std::string_view entry_start = "{\"index\":", count_key = ",\"rejected_count\":";
    if (body.empty()) return;   // 204
    std::size_t listed = 0;
    for (std::size_t at = 0; (at = body.find(entry_start, at)) != std::string::npos; ++at) ++listed;
    std::size_t all = listed;
    if (const std::size_t at = body.find(count_key); at != std::string::npos) {
        all = std::stoul(body.substr(at + count_key.size()));
        body.erase(at, body.size() - 1 - at);
    }
    std::string entries;
    for (const kafka::record& r : b.records) {
        if (!too_large(r)) continue;
        ++all;
        if (listed >= ingest::listed_max) continue;
        entries += listed++ == 0 ? "" : ",";
        entries += entry_start;
        entries += std::to_string(r.event_index) + ",\"reason\":\"";
        entries += ingest::describe(reason::event_too_big).label;
        entries += "\"}";
    }
    if (const std::size_t end = body.rfind(']'); end != std::string::npos)
        body.insert(end, entries);
    else if (!entries.empty())
        body.insert(body.size() - 1, ",\"rejected\":[" + entries + "]");
    if (all > listed) body.insert(body.size() - 1, std::string(count_key) + std::to_string(all));
}

}  // namespace

ingest::reply unavailable_reply() { return plain(reason::unavailable, {}); }

void worker::land(flight* f) {
    bool failed = false;
    std::uint32_t large = 0, halves = 0, events = 0;
    const auto& records = f->batch.records;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const kafka::fate outcome = records[i].outcome;
        failed = failed || outcome == kafka::fate::failed || outcome == kafka::fate::pending;
        events += records[i].kind == kafka::record_kind::event ? 1 : 0;
        large += too_large(records[i]) ? 1 : 0;
        halves += halved(records, i) ? 1 : 0;
    }
    const bool strict = settings().ingest.mode == config::ingest_mode::strict;
    const bool all = large != 0 && (strict || large == events);
    const bool some = large + halves != 0 && !all;
    count_fates(*f, failed ? fates::undecided : some ? fates::some_too_large : fates::good);
    unanswered_.fetch_sub(1, std::memory_order_relaxed);
    session_ptr s = std::move(f->requester);
    f->requester = nullptr;
    // A refusal stands, whatever became of its dead letters.
    if (f->result.refused) return s->answer(f->result.answer, f->result);
    if (failed) return s->answer(unavailable_reply(), f->result);
    if (large + halves == 0) return s->answer(f->result.answer, f->result);
    if (strict && large != 0) return s->answer(plain(reason::event_too_big, "the broker refused the record"), f->result);
    refuse_too_large(*f, std::move(s), large + halves, all);
}

// The broker refused records that our own limit let pass: each becomes a dead letter, in a second
// round trip to the sink, and the answer tells (D6). Not of a half of an event, whose other half is
// written; the event counts as a dead letter then. `count`: events concerned.
void worker::refuse_too_large(flight& f, session_ptr s, std::uint32_t count, bool all) {
    flight* const g = take_flight();
    ingest::request where;
    where.path = s->waiting_path();
    where.request_id = s->waiting_id();
    where.now = static_cast<ingest::wall_ns>(std::time(nullptr)) * 1'000'000'000;
    std::uint32_t capped = 0;
    const kafka::record* last_capped = nullptr;
    for (const kafka::record& r : f.batch.records) {
        if (r.outcome != kafka::fate::too_large || r.kind == kafka::record_kind::dead_letter) continue;
        where.ip = ip_in(r.value);
        if (pipeline_.letter_for(r, where, g->batch)) continue;
        if (last_capped == nullptr || last_capped->event_index != r.event_index) ++capped;
        last_capped = &r;
    }
    const std::uint32_t letters = count - capped;
    g->result.refused = all;
    g->result.answer = all ? plain(reason::event_too_big, "the broker refused the record") : f.result.answer;
    if (!all) {
        list_too_large(g->result.answer.body, f.batch);
        g->result.counts.dead_lettered = letters;
        metrics_.dropped[index(ingest::drop_cause::dead_letter_cap)] += capped;
    }
    g->started = f.started;
    g->requester = s;
    if (!g->batch.records.empty() && launch(g)) return;
    const bool lost = !g->batch.records.empty() && !all;
    if (lost) metrics_.refused[index(reason::unavailable)] += letters;
    const ingest::reply answer = lost ? unavailable_reply() : g->result.answer;
    recycle(g);
    s->answer(answer, f.result);
}

// D19: every event of the request is counted once, at the fate that decided the answer.
void worker::count_fates(flight& f, fates outcome) {
    if (f.counted) return;
    f.counted = true;
    const auto& counts = f.result.counts;
    metrics_.in_flight -= counts.to_write + counts.dead_lettered;
    if (outcome == fates::undecided) {
        metrics_.refused[index(reason::unavailable)] += counts.to_write + counts.dead_lettered;
        return;
    }
    const std::uint32_t gone = std::min(letters_refused(f.batch.records), counts.dead_lettered);
    metrics_.dead_lettered += counts.dead_lettered - gone;
    metrics_.dropped[index(ingest::drop_cause::dead_letter_refused)] += gone;
    for (std::size_t i = 0; i < f.batch.records.size(); ++i) {
        const kafka::record& r = f.batch.records[i];
        if (r.kind != kafka::record_kind::event) continue;
        if (outcome == fates::some_too_large && halved(f.batch.records, i)) continue;
        if (r.outcome == kafka::fate::acked) ++metrics_.acked;
        if (r.outcome == kafka::fate::stored) ++metrics_.spooled;
        // Those of a request with better events are counted as dead letters in a second round.
        if (r.outcome == kafka::fate::too_large && outcome == fates::good)
            ++metrics_.refused[index(reason::event_too_big)];
    }
}

}  // namespace headrace::server
