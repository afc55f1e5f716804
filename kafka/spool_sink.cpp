#include "kafka/spool_sink.hpp"

#include <algorithm>
#include <new>

namespace headrace::kafka {

// Lives in its batch.
class spool_sink::job final : public append_job, public sink_slot {
public:
    explicit job(spool_sink& sink) : sink_(sink) {}

    void fill(batch& b) {
        batch_ = &b;
        pointers_.clear();
        for (record& r : b.records) pointers_.push_back(&r);
        records = pointers_;
    }
    void synced(bool ok) noexcept override { sink_.decide(*batch_, ok); }

private:
    spool_sink& sink_;
    batch* batch_ = nullptr;
    std::vector<record*> pointers_;
};

spool_sink::spool_sink(std::unique_ptr<spool> store) : spool_(std::move(store)) {
    returning_.reserve(256);
    spool_->after_group([this] { push_all(); });
}

spool_sink::~spool_sink() {
    if (hangs_)
        spool_.release()->abandon();
    else
        spool_->stop();
}

bool spool_sink::submit(batch& b) noexcept {
    try {
        if (!b.slot) b.slot = std::make_unique<job>(*this);
        job& j = static_cast<job&>(*b.slot);
        j.fill(b);
        const std::size_t n = b.records.size();
        undecided_.fetch_add(n, std::memory_order_relaxed);
        if (spool_->append(j)) return true;
        undecided_.fetch_sub(n, std::memory_order_relaxed);
        return false;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

void spool_sink::decide(batch& b, bool ok) noexcept {
    undecided_.fetch_sub(b.records.size(), std::memory_order_relaxed);
    for (record& r : b.records) r.outcome = ok ? fate::stored : fate::failed;
    auto it = std::find_if(returning_.begin(), returning_.end(), [&](const auto& entry) {
        return entry.first == b.home;
    });
    if (it == returning_.end()) it = returning_.insert(returning_.end(), {b.home, nullptr});
    b.give_back(batch::decided | batch::released, it->second);
}

void spool_sink::push_all() noexcept {
    for (auto& [home, first] : returning_)
        if (first != nullptr) home->push(std::exchange(first, nullptr));
}

sink_health spool_sink::health() const {
    sink_health h;
    h.spool_ok = spool_->healthy(&h.reason);
    return h;
}

sink_stats spool_sink::stats() const {
    const spool_figures f = spool_->figures();
    sink_stats s;
    s.spooled = f.stored_total;
    s.shipped = f.shipped_total;
    s.spool_events = f.events;
    s.spool_bytes = f.bytes;
    s.spool_max_bytes = f.max_bytes;
    s.dead_letters_stored = f.dead_letters;
    if (f.oldest_stored_at_ns != 0) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto age = now - std::chrono::nanoseconds(f.oldest_stored_at_ns);
        s.spool_oldest_seconds = std::max(0.0, std::chrono::duration<double>(age).count());
    }
    return s;
}

std::size_t spool_sink::stop(std::chrono::steady_clock::time_point deadline) {
    if (!std::exchange(stopped_, true)) hangs_ = !spool_->stop_by(deadline);
    return undecided_.load();
}

}  // namespace headrace::kafka
