#include "kafka/spool.hpp"

#include "kafka/spool_instance.hpp"
#include "kafka/spool_writer.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <limits>
#include <mutex>
#include <thread>

namespace headrace::kafka {
namespace {

using steady = std::chrono::steady_clock;
constexpr auto tick_every = std::chrono::seconds(1);
constexpr auto idle_close = std::chrono::seconds(30);
constexpr std::uint64_t dead_segment_max = 8ull << 20;
// With less room than this the spool calls itself full.
constexpr std::uint64_t full_margin = 1ull << 20;

std::int64_t wall_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch()
    )
        .count();
}

// Stands at the head of the queue once the spool takes nothing any more.
class closed_mark final : public append_job {
public:
    void synced(bool) noexcept override {}
};
closed_mark closed_queue;

class disk_spool final : public spool {
public:
    disk_spool(const spool_options&, spool_disk&, own_instance, bool ephemeral);
    ~disk_spool() override {
        stop();
        ::close(wake_);
    }

    void after_group(std::function<void()> call) override { after_group_ = std::move(call); }
    bool append(append_job&) noexcept override;
    void shipped(std::uint64_t sequence) noexcept override { main_store_.shipped(sequence); }
    bool next_unshipped(stored_record&, std::uint32_t& instance) override;
    void drained(std::uint32_t instance, std::uint64_t sequence, bool ok) noexcept override {
        store_of(instance).drained(sequence, ok);
    }
    void park(std::uint32_t instance, std::uint64_t sequence) noexcept override {
        store_of(instance).park(sequence);
    }
    void unpark() noexcept override {
        main_store_.unpark();
        for (const auto& a : adopted_) a->store.unpark();
    }
    void bind(std::uint64_t sequence, bool bound) noexcept override {
        main_store_.bind(sequence, bound);
    }
    spool_figures figures() const override;
    bool healthy(std::string* reason) const override;
    bool ephemeral() const override { return ephemeral_; }
    held_store held() const override { return held_; }
    void stop() override;

private:
    struct work {
        append_job* job;
        bool ok;
    };

    log_store& store_of(std::uint32_t instance) {
        return instance == 0 ? main_store_ : adopted_[instance - 1]->store;
    }
    void load();
    void run();
    void wait(steady::time_point until);
    append_job* take_queue(append_job* replacement);
    void write_group(append_job* first);
    void put(work&, std::int64_t now);
    void answer(std::uint64_t set_aside);
    void tick();
    void finish();
    void note_state();
    log_figures on_disk() const;
    std::uint64_t room() const;
    log_writer::place place(spool_log) const;

    const spool_options options_;
    spool_disk& disk_;
    own_instance own_;
    const bool ephemeral_;
    held_store held_;
    std::uint64_t max_ = 0;
    log_store main_store_, dead_store_;
    std::vector<std::unique_ptr<adopted_instance>> adopted_;  // never shrinks
    std::unique_ptr<log_writer> main_, dead_;
    std::function<void()> after_group_;

    std::atomic<append_job*> queue_{nullptr};  // newest first
    std::atomic<bool> broken_{false}, stopping_{false};
    std::atomic<std::uint64_t> used_{0}, pending_{0};
    std::atomic<std::uint64_t> stored_total_{0}, sync_errors_{0};
    mutable std::mutex reason_mutex_;
    std::string reason_;

    int wake_ = -1;
    std::vector<work> group_;
    steady::time_point next_tick_, last_write_;
    bool stopped_ = false;
    std::thread thread_;
};

disk_spool::disk_spool(
    const spool_options& options, spool_disk& disk, own_instance own, bool ephemeral
)
    : options_(options),
      disk_(disk),
      own_(std::move(own)),
      ephemeral_(ephemeral),
      main_store_(disk, own_.dir, spool_log::main, options.mode == spool_mode::backlog),
      dead_store_(disk, own_.dir, spool_log::dead, false) {
    load();
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) throw spool_error("spool: eventfd: " + os_error(errno), 1);
    next_tick_ = last_write_ = steady::now();
    thread_ = std::thread([this] { run(); });
}

log_writer::place disk_spool::place(spool_log log) const {
    log_writer::place p;
    p.spool_dir = options_.dir;
    p.instance = own_.dir;
    p.instance_id = own_.id;
    p.mode = options_.mode;
    p.log = log;
    p.segment_bytes = options_.segment;
    if (log == spool_log::dead) p.segment_bytes = std::min(options_.segment, dead_segment_max);
    p.min_free = options_.min_free;
    return p;
}

void disk_spool::load() {
    main_store_.load(true);
    dead_store_.load(true);
    adopted_ = adopt_instances(options_, disk_, own_, held_);
    max_ = options_.max_size;
    if (max_ == 0) {
        const long free = disk_.free_bytes(options_.dir);
        max_ = free > 0 ? static_cast<std::uint64_t>(free) / 2 : 0;
        max_ += main_store_.figures().allocated + dead_store_.figures().allocated;
    }
    main_ = std::make_unique<log_writer>(disk_, place(spool_log::main), main_store_);
    dead_ = std::make_unique<log_writer>(disk_, place(spool_log::dead), dead_store_);
    used_.store(on_disk().bytes, std::memory_order_relaxed);
    main_->prepare(room());
    note_state();
}

log_figures disk_spool::on_disk() const {
    log_figures sum = main_store_.figures();
    sum.add(dead_store_.figures());
    for (const auto& a : adopted_)
        if (!a->gone) sum.add(a->store.figures());
    return sum;
}

std::uint64_t disk_spool::room() const {
    const std::uint64_t allocated = on_disk().allocated;
    return allocated < max_ ? max_ - allocated : 0;
}

// --- any thread ---------------------------------------------------------------------------------

bool disk_spool::append(append_job& job) noexcept {
    if (broken_.load(std::memory_order_relaxed)) return false;
    std::uint64_t bytes = spool_block;
    for (const record* r : job.records) {
        const std::uint64_t payload = payload_bytes(*r);
        if (payload == 0) return false;
        bytes += record_bytes(payload);
    }
    const std::uint64_t before = pending_.fetch_add(bytes, std::memory_order_relaxed);
    if (before + bytes + used_.load(std::memory_order_relaxed) > max_) {
        pending_.fetch_sub(bytes, std::memory_order_relaxed);
        return false;
    }
    job.bytes = bytes;
    append_job* head = queue_.load(std::memory_order_acquire);
    do {
        if (head == &closed_queue) {
            pending_.fetch_sub(bytes, std::memory_order_relaxed);
            return false;
        }
        job.next = head;
    } while (!queue_.compare_exchange_weak(
        head, &job, std::memory_order_acq_rel, std::memory_order_acquire
    ));
    if (head == nullptr) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(wake_, &one, sizeof one);
    }
    return true;
}

bool disk_spool::healthy(std::string* reason) const {
    if (broken_.load()) {
        if (reason != nullptr) {
            const std::lock_guard lock(reason_mutex_);
            *reason = reason_;
        }
        return false;
    }
    if (used_.load() + pending_.load() + std::min(full_margin, max_ / 16) > max_) {
        if (reason != nullptr)
            *reason = "spool: " + options_.dir.string() + " is full (" + std::to_string(max_) +
                      " bytes, spool max_size)";
        return false;
    }
    return true;
}

spool_figures disk_spool::figures() const {
    spool_figures f;
    log_figures sum = main_store_.figures();
    const log_figures dead = dead_store_.figures();
    f.shipped_total = main_store_.shipped_total();
    for (const auto& a : adopted_) {
        sum.add(a->store.figures());
        f.shipped_total += a->store.shipped_total();
    }
    f.events = sum.events;
    f.records = sum.records;
    f.bytes = sum.bytes + dead.bytes;
    f.max_bytes = max_;
    f.dead_letters = dead.records;
    f.oldest_stored_at_ns = sum.oldest_ns;
    f.quarantined_bytes = sum.bad_bytes + dead.bad_bytes;
    f.stored_total = stored_total_.load();
    f.sync_errors = sync_errors_.load();
    return f;
}

bool disk_spool::next_unshipped(stored_record& out, std::uint32_t& instance) {
    for (std::size_t i = 0; i < adopted_.size(); ++i) {
        instance = static_cast<std::uint32_t>(i + 1);
        if (adopted_[i]->store.next(out)) return true;
    }
    instance = 0;
    return options_.mode == spool_mode::backlog && main_store_.next(out);
}

void disk_spool::stop() {
    if (stopped_) return;
    stopped_ = true;
    stopping_.store(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake_, &one, sizeof one);
    thread_.join();
    own_.lock.release();
    for (const auto& a : adopted_) a->lock.release();
}

// --- the spool thread ---------------------------------------------------------------------------

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
    if (append_job* first = take_queue(&closed_queue)) write_group(first);
    finish();
}

void disk_spool::wait(steady::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady::now());
    pollfd descriptor{wake_, POLLIN, 0};
    if (left.count() > 0) ::poll(&descriptor, 1, static_cast<int>(left.count()));
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(wake_, &count, sizeof count);
}

void disk_spool::put(work& w, std::int64_t now) {
    for (record* r : w.job->records) {
        log_writer& log = r->to->dead_letters ? *dead_ : *main_;
        w.ok = w.ok && log.put(*r, now, r->spool_sequence);
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
    main_store_.drop_shipped();
    dead_store_.drop_shipped();
    dead_store_.drop_older(
        wall_ns() - static_cast<std::int64_t>(options_.dead_letter_keep_seconds) * 1'000'000'000
    );
    main_store_.checkpoint();
    for (const auto& a : adopted_) {
        if (a->gone) continue;
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

}  // namespace

std::unique_ptr<spool> open_spool(const spool_options& options, spool_disk& disk) {
    const bool ephemeral = prepare_directory(options);
    own_instance own = claim_instance(options, disk);
    return std::make_unique<disk_spool>(options, disk, std::move(own), ephemeral);
}

std::unique_ptr<spool> spool::open(const spool_options& options) {
    return open_spool(options, real_disk());
}

}  // namespace headrace::kafka
