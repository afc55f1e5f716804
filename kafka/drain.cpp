#include "kafka/drain.hpp"

#include "kafka/partitioner.hpp"

#include <algorithm>

namespace headrace::kafka {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds backoff_min{100}, backoff_max{5'000};
constexpr milliseconds idle_look{250};  // adopted instances appear without a call
constexpr milliseconds probe_every{1'000};
constexpr int probe_timeout_ms = 500;
constexpr milliseconds parked_pause{10};
constexpr std::size_t lone_max = 10'000, refused_max = 10'000;

}  // namespace

drain::drain(
    producer_pool& pool,
    spool& store,
    topic_table& topics,
    supervisor& judge,
    std::function<void(std::uint32_t)> probed,
    log_function log
)
    : pool_(pool),
      spool_(store),
      topics_(topics),
      supervisor_(judge),
      probed_(std::move(probed)),
      log_(std::move(log)) {}

drain::~drain() {
    stop();
    for (const result& r : results_) delete r.which;
}

void drain::start() {
    thread_ = std::thread([this] { run(); });
}

void drain::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void drain::finish() { take_results(clock::now()); }

void drain::drain_report(void* opaque, rd_kafka_resp_err_t error) noexcept {
    {
        const std::lock_guard lock(mutex_);
        results_.push_back({static_cast<slot*>(opaque), error});
    }
    wake_.notify_one();
}

void drain::backlog_grew() noexcept {
    {
        const std::lock_guard lock(mutex_);
        grew_ = true;
    }
    wake_.notify_one();
}

void drain::run() {
    for (;;) {
        const clock::time_point now = clock::now();
        take_results(now);
        const bool more = now >= resume_at_ && send_some(now);
        if (!more) probe(now);
        std::unique_lock lock(mutex_);
        if (stopping_) return;
        if (more) continue;
        const clock::time_point until = next_look(now);
        const bool may_send = in_flight_ < window_records && now >= resume_at_;
        wake_.wait_until(lock, until, [this, may_send] {
            return stopping_ || !results_.empty() || (grew_ && may_send);
        });
        grew_ = false;
    }
}

drain::clock::time_point drain::next_look(clock::time_point now) const {
    clock::time_point until = now + (paused_ ? parked_pause : idle_look);
    if (now < resume_at_) until = std::min(until, resume_at_);
    if (supervisor_.sick()) return until;
    for (const auto& [index, g] : gates_)
        if (g.scout && !g.out)
            until = std::min(until, std::max(g.resume_at, now + backoff_min / 10));
    return until;
}

void drain::take_results(clock::time_point now) {
    {
        const std::lock_guard lock(mutex_);
        taken_.swap(results_);
    }
    for (const result& r : taken_) settle(*r.which, r.error, now);
    taken_.clear();
}

void drain::settle(slot& s, rd_kafka_resp_err_t error, clock::time_point now) {
    --in_flight_;
    in_flight_bytes_ -= s.bytes;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        settle_failed(s, error, now);
    } else {
        backoff_ = milliseconds(0);
        lone_.erase(s.id);
        shipped_.fetch_add(1, std::memory_order_relaxed);
        spool_.drained(s.id.first, s.id.second, true);
        const auto at = gates_.find(s.to->index);
        if (s.scout) {
            gates_.erase(at);
            spool_.unpark();
        } else if (at != gates_.end()) {
            at->second.resume_at = now;
        }
    }
    delete &s;
}

void drain::settle_failed(slot& s, rd_kafka_resp_err_t error, clock::time_point now) {
    const bool size = fate_of(error, false) == error_fate::send_alone;
    if (size && s.alone) return too_large(s);
    if (size && lone_.size() < lone_max) {
        lone_.insert(s.id);
    } else if (is_of_sink(error)) {
        if (now >= resume_at_) back_off(backoff_, resume_at_, now);
    } else {
        gate& g = gates_[s.to->index];
        g.to = s.to;
        if (s.scout || now >= g.resume_at) back_off(g.backoff, g.resume_at, now);
    }
    put_back(s);
}

void drain::back_off(milliseconds& wait, clock::time_point& until, clock::time_point now) {
    wait = std::clamp(wait * 2, backoff_min, backoff_max);
    until = now + wait;
}

// A scout stays with its gate, any other record goes back to the spool.
void drain::put_back(slot& s) {
    if (s.scout)
        gates_.at(s.to->index).out = false;
    else
        spool_.drained(s.id.first, s.id.second, false);
}

// The broker takes no request of this record alone: it stays in the store and holds up no other.
void drain::too_large(slot& s) {
    lone_.erase(s.id);
    if (log_ && refused_.empty())
        log_(
            log_level::error,
            "a stored record of topic " + s.to->name +
                " stays in the spool: it is larger than the broker takes (message.max.bytes of "
                "the broker, max.message.bytes of the topic); raise it and restart"
        );
    if (refused_.size() < refused_max) refused_.insert(s.id);
    spool_.park(s.id.first, s.id.second);
    if (!s.scout) return;
    gate& g = gates_.at(s.to->index);
    g.scout.reset();
    g.out = false;
    spool_.unpark();
}

// Fills the window. True: there may be more and room for it.
bool drain::send_some(clock::time_point now) {
    paused_ = false;
    if (supervisor_.sick()) return false;
    send_scouts(now);
    stored_record r;
    std::uint32_t instance = 0;
    bool sent = false;
    for (int i = 0; i < 256; ++i) {
        if (in_flight_ >= window_records || in_flight_bytes_ >= window_bytes) return false;
        if (resume_at_ > now || !spool_.next_unshipped(r, instance)) return false;
        const topic& to = topics_.intern(r.topic);
        if (gated(r, instance, to)) continue;
        send(r, {instance, r.sequence}, to, false, now);
        sent = true;
    }
    // Nothing but parked records: their reading is slowed down.
    paused_ = !sent;
    return sent;
}

void drain::send_scouts(clock::time_point now) {
    for (auto& [index, g] : gates_) {
        if (!g.scout || g.out || g.resume_at > now) continue;
        g.out = true;
        send(g.scout->view(), g.scout->id, *g.to, true, now);
    }
}

// True: the record waits at its topic's gate, or was refused for good.
bool drain::gated(const stored_record& r, std::uint32_t instance, const topic& to) {
    const stored_id id(instance, r.sequence);
    if (refused_.contains(id)) {
        spool_.park(instance, r.sequence);
        return true;
    }
    auto at = gates_.find(to.index);
    if (at == gates_.end() && (!supervisor_.proven(to) || supervisor_.held(to)))
        at = gates_.try_emplace(to.index).first;
    if (at == gates_.end()) return false;
    gate& g = at->second;
    g.to = &to;
    if (g.scout) {
        spool_.park(instance, r.sequence);
        return true;
    }
    kept_record& k = g.scout.emplace();
    k.id = id;
    k.key = r.key;
    k.value = r.value;
    k.null_key = r.key.data() == nullptr;
    for (const header& h : r.headers) {
        auto& kept = k.headers.emplace_back(h.name, std::nullopt);
        if (h.value.data() != nullptr) kept.second = h.value;
    }
    return true;
}

stored_record kept_record::view() const {
    stored_record r;
    r.sequence = id.second;
    if (!null_key) r.key = key;
    r.value = value;
    for (const auto& [name, text] : headers)
        r.headers.push_back({name, text ? std::string_view(*text) : std::string_view()});
    return r;
}

void drain::send(
    const stored_record& r, stored_id id, const topic& to, bool scout, clock::time_point now
) {
    auto* s = new slot{id, &to, r.key.size() + r.value.size(), lone_.contains(id), scout};
    ++in_flight_;
    in_flight_bytes_ += s->bytes;
    void* opaque = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(s) | drain_tag);
    producer& by =
        s->alone ? pool_.acquire_alone() : pool_.acquire(producer_of(r.key, pool_.size()));
    const rd_kafka_resp_err_t error = by.produce(to, r.key, r.value, r.headers, opaque, true);
    producer_pool::release(by, error == RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) settle(*s, error, now);
}

// Asks for metadata while nothing else would tell that Kafka is there. The client thereby also
// learns of topics that were created meanwhile.
void drain::probe(clock::time_point now) {
    if (!supervisor_.in_doubt() || now < next_probe_) return;
    next_probe_ = now + probe_every;
    producer& by = pool_.acquire(0);
    const rd_kafka_metadata_t* found = nullptr;
    const rd_kafka_resp_err_t error =
        rd_kafka_metadata(by.client(), 0, nullptr, &found, probe_timeout_ms);
    producer_pool::release(by, 0);
    const client_handle<const rd_kafka_metadata_t> metadata(found);
    const bool ok = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    probed_(ok ? static_cast<std::uint32_t>(metadata->broker_cnt) : 0);
}

}  // namespace headrace::kafka
