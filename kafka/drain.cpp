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
constexpr std::size_t lone_max = 10'000;

}  // namespace

drain::drain(
    producer_pool& pool,
    spool& store,
    topic_table& topics,
    supervisor& judge,
    std::function<void(std::uint32_t)> answered
)
    : pool_(pool),
      spool_(store),
      topics_(topics),
      supervisor_(judge),
      answered_(std::move(answered)) {}

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
        if (in_flight_ == 0 && !more) probe(now);
        std::unique_lock lock(mutex_);
        if (stopping_) return;
        if (more) continue;
        const clock::time_point until = std::max(now + idle_look, resume_at_);
        const bool may_send = in_flight_ < window_records;
        wake_.wait_until(lock, until, [this, may_send, now] {
            return stopping_ || !results_.empty() || (grew_ && may_send && now >= resume_at_);
        });
        grew_ = false;
    }
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
    const std::pair id(s.instance, s.sequence);
    const bool ok = error == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (ok) {
        backoff_ = milliseconds(0);
        lone_.erase(id);
        shipped_.fetch_add(1, std::memory_order_relaxed);
    } else if (!s.alone && fate_of(error, false) == error_fate::send_alone && lone_.size() < lone_max) {
        lone_.insert(id);
    } else if (now >= resume_at_) {
        backoff_ = std::clamp(backoff_ * 2, backoff_min, backoff_max);
        resume_at_ = now + backoff_;
    }
    spool_.drained(s.instance, s.sequence, ok);
    delete &s;
}

// Fills the window. True: there may be more and room for it.
bool drain::send_some(clock::time_point now) {
    stored_record r;
    std::uint32_t instance = 0;
    for (int i = 0; i < 256; ++i) {
        if (in_flight_ >= window_records || in_flight_bytes_ >= window_bytes) return false;
        if (!spool_.next_unshipped(r, instance)) return false;
        const bool alone = lone_.contains({instance, r.sequence});
        auto* s = new slot{instance, r.sequence, r.key.size() + r.value.size(), alone};
        ++in_flight_;
        in_flight_bytes_ += s->bytes;
        const rd_kafka_resp_err_t error = send(r, s);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        settle(*s, error, now);
        if (resume_at_ > now) return false;
    }
    return true;
}

rd_kafka_resp_err_t drain::send(const stored_record& r, slot* s) {
    const topic& to = topics_.intern(r.topic);
    void* opaque = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(s) | drain_tag);
    producer& by =
        s->alone ? pool_.acquire_alone() : pool_.acquire(producer_of(r.key, pool_.size()));
    const rd_kafka_resp_err_t error = by.produce(to, r.key, r.value, r.headers, opaque, true);
    producer_pool::release(by, error == RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0);
    return error;
}

// Asks for metadata while nothing else would tell that Kafka is there.
void drain::probe(clock::time_point now) {
    if ((supervisor_.proven() && !supervisor_.sick()) || now < next_probe_) return;
    next_probe_ = now + probe_every;
    producer& by = pool_.acquire(0);
    const rd_kafka_metadata_t* found = nullptr;
    const rd_kafka_resp_err_t error =
        rd_kafka_metadata(by.client(), 0, nullptr, &found, probe_timeout_ms);
    producer_pool::release(by, 0);
    const client_handle<const rd_kafka_metadata_t> metadata(found);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->broker_cnt == 0) return;
    answered_(static_cast<std::uint32_t>(metadata->broker_cnt));
}

}  // namespace headrace::kafka
