// The delivery thread's way to the spool and back.
#include "kafka/delivery.hpp"

#include <utility>

namespace headrace::kafka {

namespace {

constexpr std::size_t job_records_max = 1'000;
constexpr std::size_t job_bytes_max = 1 << 20;

std::uint64_t charged(const record& r) {
    return r.key.size() + r.value.size() + batch::record_overhead;
}

}  // namespace

void delivery::spool_job::synced(bool ok) noexcept {
    // Before the drain can see them: these wait for their first attempt (D5).
    if (ok && bound)
        for (const record* r : list) home.spool_.bind(r->spool_sequence, true);
    // The wake-up follows once for the whole group (spool::after_group).
    home.add({.kind = note_kind::spooled, .ok = ok, .job = this}, false);
}

void delivery::on_spooled(spool_job& job, bool ok) {
    for (record* r : job.list) {
        r->state = static_cast<std::uint8_t>(r->state & ~place::job);
        if (ok) {
            r->state |= place::in_spool;
            figures_.spooled.fetch_add(1, std::memory_order_relaxed);
            if (r->outcome == fate::pending) decide(*r, fate::stored);
            if ((r->state & place::acked) != 0)
                spool_.shipped(r->spool_sequence);
            else if (job.bound && (r->state & place::attempt) == 0)
                spool_.bind(r->spool_sequence, false);
            grew_ = true;
        } else if (r->outcome == fate::pending) {
            // The spool cannot. While Kafka is sick one such record a second still goes there, so
            // that its recovery is noticed with nothing in the spool to try it with.
            const clock::time_point now = clock::now();
            const bool accepts = supervisor_.accepts(*r->to);
            bool sent = (r->state & place::attempt) != 0 && accepts;
            if (!sent && (r->state & place::attempt) == 0 && (accepts || now >= next_try_) &&
                !stopping_.load(std::memory_order_relaxed)) {
                if (!accepts) next_try_ = now + std::chrono::seconds(1);
                producer& by = pool_.acquire(0);
                sent = send_again(*r, by, 0);
                producer_pool::release(by, 0);
            }
            if (!sent) decide(*r, fate::failed);
        }
        drop(*r->owner);
    }
    jobs_.erase(&job);
}

void delivery::to_spool(record& r) {
    const bool bound = (r.state & place::attempt) != 0;
    std::unique_ptr<spool_job>& open = bound ? open_bound_ : open_plain_;
    if (!open) {
        open = std::make_unique<spool_job>(*this);
        open->bound = bound;
    }
    r.state |= place::job;
    std::atomic_ref<std::uint32_t>(r.owner->references).fetch_add(1, std::memory_order_relaxed);
    open->list.push_back(&r);
    open->bytes += charged(r);
    if (open->list.size() >= job_records_max || open->bytes >= job_bytes_max) flush_job(open);
}

void delivery::flush_jobs() {
    flush_job(open_plain_);
    flush_job(open_bound_);
    if (std::exchange(grew_, false)) drain_.backlog_grew();
}

void delivery::flush_job(std::unique_ptr<spool_job>& open) {
    if (!open) return;
    spool_job* job = open.get();
    job->records = job->list;
    jobs_.emplace(job, std::move(open));
    if (!spool_.append(*job)) add({.kind = note_kind::spooled, .ok = false, .job = job});
}

}  // namespace headrace::kafka
