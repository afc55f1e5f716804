// The spool's thread: groups, syncs, answers, housekeeping, and its end.
#include "kafka/disk_spool.hpp"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <utility>

namespace headrace::kafka {
namespace {

constexpr auto tick_every = std::chrono::seconds(1);
constexpr auto idle_close = std::chrono::seconds(30);

std::int64_t wall_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch()
    )
        .count();
}

}  // namespace

append_job* disk_spool::take_queue(append_job* replacement) {
    append_job* newest = queue_.exchange(replacement, std::memory_order_acq_rel);
    append_job* first = nullptr;
    while (newest != nullptr && newest != &closed_queue) {
        append_job* older = newest->next;
        newest->next = first;
        first = newest;
        newest = older;
    }
    return first;
}

void disk_spool::run() {
    while (!stopping_.load()) {
        if (append_job* first = take_queue(nullptr)) write_group(first);
        const auto now = steady::now();
        if (now >= next_tick_) {
            tick();
            next_tick_ = now + tick_every;
        }
        wait(next_tick_);
    }
    // Nothing is accepted any more; what was before is written.
    if (!cut_.load())
        if (append_job* first = take_queue(&closed_queue)) write_group(first);
    finish();
}

void disk_spool::start() {
    thread_ = std::thread([this] {
        run();
        bool mine = false;
        {
            const std::lock_guard lock(end_mutex_);
            ended_ = true;
            mine = ownerless_;
            end_.notify_all();
        }
        if (mine) delete this;
    });
}

void disk_spool::ask_to_stop() {
    stopping_.store(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake_, &one, sizeof one);
}

void disk_spool::stop() {
    if (!thread_.joinable()) return;
    ask_to_stop();
    thread_.join();
    own_.lock.release();
    for (const auto& a : adopted_) a->lock.release();
}

bool disk_spool::stop_by(steady::time_point deadline) {
    if (!thread_.joinable()) return !cut_.load();
    ask_to_stop();
    {
        std::unique_lock lock(end_mutex_);
        if (!end_.wait_until(lock, deadline, [this] { return ended_; })) {
            // The system call that hangs may return at any time: from here on the thread
            // answers nobody and reads no record.
            cut_.store(true);
            lock.unlock();
            thread_.detach();
            return false;
        }
    }
    stop();
    return true;
}

void disk_spool::abandon() noexcept {
    {
        const std::lock_guard lock(end_mutex_);
        ownerless_ = true;
        if (!ended_) return;
    }
    delete this;
}

void disk_spool::wait(steady::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady::now());
    pollfd descriptor{wake_, POLLIN, 0};
    if (left.count() > 0) ::poll(&descriptor, 1, static_cast<int>(left.count()));
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(wake_, &count, sizeof count);
}

void disk_spool::put(work& w, std::int64_t now) {
    if (cut_.load()) w.ok = false;
    if (!w.ok) return;
    for (record* r : w.job->records) {
        log_writer& log = r->to->dead_letters ? *dead_ : *main_;
        std::uint64_t sequence = 0;
        w.ok = log.put(*r, now, sequence);
        if (cut_.load()) w.ok = false;  // put() may have waited for the disk
        if (!w.ok) return;
        r->spool_sequence = sequence;
    }
}

void disk_spool::write_group(append_job* first) {
    group_.clear();
    std::uint64_t set_aside = 0;
    for (append_job* job = first; job != nullptr; job = job->next) {
        group_.push_back({job, !broken_.load(std::memory_order_relaxed)});
        set_aside += job->bytes;
    }
    const std::uint64_t written = main_->written() + dead_->written();
    if (group_.front().ok) {
        const std::int64_t now = wall_ns();
        const std::uint64_t free = room();
        main_->begin(free);
        dead_->begin(free);
        for (work& w : group_) put(w, now);
        main_->commit();
        dead_->commit();
        last_write_ = steady::now();
        note_state();
    }
    used_.fetch_add(main_->written() + dead_->written() - written, std::memory_order_relaxed);
    answer(set_aside);
}

// After the sync: which jobs are durable as a whole.
void disk_spool::answer(std::uint64_t set_aside) {
    const std::lock_guard lock(end_mutex_);
    if (cut_.load()) return;
    std::uint64_t stored = 0;
    for (work& w : group_)
        for (const record* r : w.job->records) {
            const log_writer& log = r->to->dead_letters ? *dead_ : *main_;
            w.ok = w.ok && r->spool_sequence < log.failed_from();
            if (w.ok) ++stored;
        }
    stored_total_.fetch_add(stored, std::memory_order_relaxed);
    pending_.fetch_sub(set_aside, std::memory_order_relaxed);
    // A job may be gone when synced() returns.
    for (const work& w : group_) w.job->synced(w.ok);
    main_store_.publish();
    dead_store_.publish();
    if (after_group_) after_group_();
}

void disk_spool::note_state() {
    sync_errors_.store(main_->sync_errors() + dead_->sync_errors());
    const log_writer& log = main_->broken() ? *main_ : *dead_;
    if (log.broken()) {
        const std::lock_guard lock(reason_mutex_);
        reason_ = log.error();
    }
    broken_.store(log.broken());
}

void disk_spool::tick() {
    main_store_.look_again();
    dead_store_.look_again();
    main_store_.drop_shipped();
    dead_store_.drop_shipped();
    dead_store_.drop_older(
        wall_ns() - static_cast<std::int64_t>(options_.dead_letter_keep_seconds) * 1'000'000'000
    );
    main_store_.checkpoint();
    for (const auto& a : adopted_) {
        if (a->gone) continue;
        a->store.look_again();
        a->store.drop_shipped();
        a->store.checkpoint();
        if (!a->store.nothing_left()) continue;
        remove_empty_instance(disk_, a->dir);
        a->gone = true;
    }
    if (main_store_.active_shipped() && steady::now() - last_write_ > idle_close) main_->close();
    const auto dead_age = std::chrono::nanoseconds(wall_ns() - dead_->opened_ns());
    if (dead_->open() && dead_age > std::chrono::seconds(options_.dead_letter_keep_seconds / 8))
        dead_->close();
    used_.store(on_disk().bytes, std::memory_order_relaxed);
    if (!broken_.load(std::memory_order_relaxed)) return;
    // Also without traffic: nobody sends any to a server that is not ready.
    if (main_->broken() || !main_->open()) main_->prepare(room());
    if (dead_->broken()) dead_->prepare(room());
    note_state();
}

void disk_spool::finish() {
    main_->close();
    dead_->close();
    main_store_.checkpoint();
    for (const auto& a : adopted_)
        if (!a->gone) a->store.checkpoint();
    main_store_.drop_shipped();
    dead_store_.drop_shipped();
    if (main_store_.nothing_left() && dead_store_.nothing_left())
        remove_empty_instance(disk_, own_.dir);
}

}  // namespace headrace::kafka
