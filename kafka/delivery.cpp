#include "kafka/delivery.hpp"

#include "kafka/topic_setting.hpp"

#include <algorithm>
#include <string>

namespace headrace::kafka {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t reports_per_read = 512;
constexpr int events_per_round = 64;
constexpr milliseconds tick_every{100};

}  // namespace

bool room::take(std::uint64_t messages, std::uint64_t bytes) noexcept {
    const std::uint64_t m = messages_.fetch_add(messages, std::memory_order_relaxed) + messages;
    // Release: what the worker wrote to the records is visible to whoever reads bytes() later.
    const std::uint64_t b = bytes_.fetch_add(bytes, std::memory_order_acq_rel) + bytes;
    if (m <= messages_max_ && b <= bytes_max_) return true;
    give(messages, bytes);
    return false;
}

void room::give(std::uint64_t messages, std::uint64_t bytes) noexcept {
    messages_.fetch_sub(messages, std::memory_order_relaxed);
    bytes_.fetch_sub(bytes, std::memory_order_acq_rel);
}

delivery::delivery(
    const config::kafka_settings& settings,
    producer_pool& pool,
    spool& store,
    supervisor& judge,
    drain_reports& drain,
    room& live,
    room& spooling
)
    : settings_(settings),
      pool_(pool),
      spool_(store),
      supervisor_(judge),
      drain_(drain),
      live_(live),
      spooling_(spooling),
      messages_(reports_per_read) {}

delivery::~delivery() {
    if (thread_.joinable()) stop(clock::now(), clock::now());
}

void delivery::start() {
    spool_.after_group([this] { pool_.wake(); });
    thread_ = std::thread([this] { run(); });
}

void delivery::add(const note& n, bool wake) {
    {
        const std::lock_guard lock(mutex_);
        notes_.push_back(n);
    }
    if (wake) pool_.wake();
}

void delivery::expire(batch& b) {
    // A batch whose last reference is gone is on its way back: nothing to expire.
    const std::atomic_ref<std::uint32_t> references(b.references);
    std::uint32_t now = references.load(std::memory_order_relaxed);
    do {
        if (now == 0) return;
    } while (!references.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel));
    add({.kind = note_kind::expire, .about = &b});
}

void delivery::spool_all(batch& b) { add({.kind = note_kind::spool_all, .about = &b}); }

void delivery::hand_back(batch& b) { add({.kind = note_kind::hand_back, .about = &b}); }

void delivery::spool_rest(batch& b) { add({.kind = note_kind::spool_rest, .about = &b}); }

void delivery::refused(record& r, rd_kafka_resp_err_t error) {
    add({.kind = note_kind::refused, .error = error, .one = &r});
}

void delivery::probed(std::uint32_t brokers) {
    add({.kind = note_kind::probe, .brokers = brokers});
}

void delivery::run() {
    for (;;) {
        clock::time_point now = clock::now();
        collect_events(now);
        take_notes(now);
        flush_jobs();
        push_completions();
        now = clock::now();
        if (now >= next_tick_) tick(now);
        if (stopping_.load(std::memory_order_acquire) && stop_round(now)) return;
    }
}

void delivery::collect_events(clock::time_point now) {
    const auto left = std::chrono::duration_cast<milliseconds>(next_tick_ - now);
    pool_.wait(more_ ? milliseconds(0) : std::clamp(left, milliseconds(0), tick_every));
    more_ = false;
    pool_.active(active_);
    for (const producer* p : active_) {
        int i = 0;
        for (; i < events_per_round; ++i) {
            const event_ptr event(rd_kafka_queue_poll(p->events(), 0));
            if (!event) break;
            on_event(event.get(), clock::now());
        }
        more_ |= i == events_per_round;
    }
}

void delivery::on_event(rd_kafka_event_t* event, clock::time_point now) {
    switch (rd_kafka_event_type(event)) {
        case RD_KAFKA_EVENT_DR:
            on_reports(event, now);
            break;
        case RD_KAFKA_EVENT_ERROR: {
            const char* text = rd_kafka_event_error_string(event);
            on_error(
                rd_kafka_event_error(event),
                rd_kafka_event_error_is_fatal(event) != 0,
                text != nullptr ? text : "",
                now
            );
            break;
        }
        case RD_KAFKA_EVENT_STATS: {
            const client_stats stats = parse_client_stats(rd_kafka_event_stats(event));
            figures_.brokers_up.store(stats.brokers_up, std::memory_order_relaxed);
            figures_.brokers_known.store(stats.brokers_known, std::memory_order_relaxed);
            break;
        }
        default:
            break;
    }
}

void delivery::on_reports(rd_kafka_event_t* event, clock::time_point now) {
    static_cast<void>(live_.bytes());  // acquire: the workers' writes to the records
    for (;;) {
        const std::size_t n =
            rd_kafka_event_message_array(event, messages_.data(), messages_.size());
        for (std::size_t i = 0; i < n; ++i) {
            const rd_kafka_message_t& m = *messages_[i];
            auto& at = *static_cast<opened_topic*>(rd_kafka_topic_opaque(m.rkt));
            ++at.by->reported;
            ++at.reported;
            if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR)
                supervisor_.acked(*at.to, now);
            else
                topic_refused(*at.to, m.err, now);
            const auto opaque = reinterpret_cast<std::uintptr_t>(m._private);
            if ((opaque & drain_tag) != 0)
                drain_.drain_report(reinterpret_cast<void*>(opaque & ~drain_tag), m.err);
            else
                on_report(*static_cast<record*>(m._private), m.err);
        }
        if (n < messages_.size()) break;
    }
}

void delivery::on_report(record& r, rd_kafka_resp_err_t error) {
    r.state = static_cast<std::uint8_t>(r.state & ~place::attempt);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        figures_.acked.fetch_add(1, std::memory_order_relaxed);
        r.state |= place::acked;
        if (r.outcome == fate::pending) decide(r, fate::acked);
        if ((r.state & place::in_spool) != 0) {
            figures_.late_acks.fetch_add(1, std::memory_order_relaxed);
            spool_.shipped(r.spool_sequence);
        }
    } else {
        attempt_failed(r, error, false);
    }
    drop(*r.owner);
}

void delivery::attempt_failed(record& r, rd_kafka_resp_err_t error, bool local) {
    figures_.errors.fetch_add(1, std::memory_order_relaxed);
    if ((r.state & place::in_spool) != 0) {
        spool_.bind(r.spool_sequence, false);
        grew_ = true;
        return;
    }
    if ((r.state & place::job) != 0 || r.outcome == fate::failed) return;
    const error_fate f = fate_of(error, local || (r.state & place::alone) != 0);
    if (f == error_fate::too_large) {
        if (r.outcome == fate::pending) decide(r, fate::too_large);
        return;
    }
    if (f == error_fate::send_alone && !stopping_.load(std::memory_order_relaxed)) {
        producer& lone = pool_.acquire_alone();
        const bool sent = send_again(r, lone, place::alone);
        producer_pool::release(lone, 0);
        if (sent) return;
    }
    to_spool(r);
}

bool delivery::send_again(record& r, producer& by, std::uint8_t extra) {
    const rd_kafka_resp_err_t error = by.produce(*r.to, r.key, r.value, r.headers, &r, false);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    by.sent.fetch_add(1, std::memory_order_relaxed);
    r.state = static_cast<std::uint8_t>(r.state | place::attempt | extra);
    std::atomic_ref<std::uint32_t>(r.owner->references).fetch_add(1, std::memory_order_relaxed);
    return true;
}

void delivery::on_error(
    rd_kafka_resp_err_t error, bool fatal, const std::string& text, clock::time_point now
) {
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        figures_.brokers_up.store(0, std::memory_order_relaxed);
        supervisor_.brokers_down(now, text);
    } else if (fatal) {
        next_tick_ = now;
    }
}

void delivery::take_notes(clock::time_point now) {
    {
        const std::lock_guard lock(mutex_);
        taken_.swap(notes_);
    }
    for (const note& n : taken_) on_note(n, now);
    taken_.clear();
}

void delivery::on_note(const note& n, clock::time_point now) {
    switch (n.kind) {
        case note_kind::expire:
        case note_kind::spool_all:
            for (record& r : n.about->records)
                if (r.outcome == fate::pending && (r.state & place::job) == 0) to_spool(r);
            drop(*n.about);
            break;
        case note_kind::spool_rest:
            for (record& r : n.about->records)
                if (r.outcome == fate::pending && (r.state & (place::job | place::attempt)) == 0)
                    to_spool(r);
            drop(*n.about);
            break;
        case note_kind::hand_back:
            n.about->give_back(batch::decided, [this, &n]() -> batch*& {
                for (auto& [home, list] : back_)
                    if (home == n.about->home) return list;
                return back_.emplace_back(n.about->home, nullptr).second;
            }());
            drop(*n.about);
            break;
        case note_kind::refused:
            n.one->state = static_cast<std::uint8_t>(n.one->state & ~place::attempt);
            topic_refused(*n.one->to, n.error, now);
            attempt_failed(*n.one, n.error, true);
            drop(*n.one->owner);
            break;
        case note_kind::spooled:
            on_spooled(*n.job, n.ok);
            break;
        case note_kind::probe:
            on_probe(n.brokers, now);
            break;
    }
}

void delivery::topic_refused(const topic& to, rd_kafka_resp_err_t error, clock::time_point now) {
    if (!is_of_topic(error) || supervisor_.heard(to)) return;
    std::string why = rd_kafka_err2str(error);
    const std::string setting = setting_of(settings_.topics, to.name);
    why += setting.empty() ? " (no setting names this topic)" : " (" + setting + ")";
    supervisor_.refused(to, now, why + "; `headrace check` tells more, --create-topics creates it");
}

void delivery::on_probe(std::uint32_t brokers, clock::time_point now) {
    if (brokers == 0) return supervisor_.unanswered(now);
    figures_.brokers_known.store(std::max(brokers, figures_.brokers_known.load()));
    if (figures_.brokers_up.load() == 0) figures_.brokers_up.store(1);
    supervisor_.answered(now);
}

void delivery::decide(record& r, fate f) {
    r.outcome = f;
    batch& b = *r.owner;
    figures_.undecided.fetch_sub(1, std::memory_order_relaxed);
    if (--b.undecided != 0) return;
    for (auto& [home, list] : back_)
        if (home == b.home) return b.give_back(batch::decided, list);
    b.give_back(batch::decided, back_.emplace_back(b.home, nullptr).second);
}

void delivery::drop(batch& b) {
    const std::atomic_ref<std::uint32_t> references(b.references);
    if (references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const bool spooling = !b.records.empty() && (b.records.front().state & place::spool_room) != 0;
    (spooling ? spooling_ : live_).give(b.records.size(), b.charge());
    for (auto& [home, list] : back_)
        if (home == b.home) return b.give_back(batch::released, list);
    b.give_back(batch::released, back_.emplace_back(b.home, nullptr).second);
}

void delivery::push_completions() {
    for (auto& [home, list] : back_)
        if (list != nullptr) home->push(std::exchange(list, nullptr));
    if (back_.size() > 256) back_.clear();
}

void delivery::tick(clock::time_point now) {
    next_tick_ = now + tick_every;
    const std::int64_t outstanding = pool_.outstanding();
    figures_.outstanding.store(outstanding, std::memory_order_relaxed);
    figures_.produced.store(
        static_cast<std::uint64_t>(pool_.sent_total()), std::memory_order_relaxed
    );
    pool_.loads(loads_);
    supervisor_.check(now, loads_);
    if (replacing_.due(now)) {
        const std::vector<std::string> reasons = pool_.replace_fatal();
        if (!reasons.empty() && replacing_.failed(now, reasons.front()))
            supervisor_.replaced(reasons.front());
        if (reasons.empty() && replacing_.settled(now)) supervisor_.settled();
    }
    pool_.collect_retired();
}

bool delivery::stop_round(clock::time_point now) {
    const bool used = pool_.in_use();  // before the count: release() adds to it
    const std::int64_t outstanding = pool_.outstanding();
    bool notes = false;
    {
        const std::lock_guard lock(mutex_);
        notes = !notes_.empty();
    }
    if (!used && outstanding == 0 && jobs_.empty() && !notes && !open_plain_ && !open_bound_)
        return true;
    if (now >= stop_hard_) return true;
    if (outstanding != 0 && (now >= stop_soft_ || supervisor_.stuck()) && now >= next_purge_) {
        next_purge_ = now + milliseconds(100);
        pool_.purge();
    }
    return false;
}

void delivery::stop(clock::time_point soft, clock::time_point hard) {
    stop_soft_ = soft;
    stop_hard_ = hard;
    stopping_.store(true, std::memory_order_release);
    pool_.wake();
    if (thread_.joinable()) thread_.join();
}

void delivery::finish() {
    take_notes(clock::now());
    flush_jobs();
    take_notes(clock::now());
    push_completions();
}

}  // namespace headrace::kafka
