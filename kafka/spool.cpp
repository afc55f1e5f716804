#include "kafka/spool.hpp"

#include "kafka/disk_spool.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace headrace::kafka {
namespace {

constexpr std::uint64_t dead_segment_max = 8ull << 20;
// With less room than this the spool calls itself full.
constexpr std::uint64_t full_margin = 1ull << 20;
// Records of topics that are too many: stepped over in one call.
constexpr int parked_at_once = 1'000;

}  // namespace

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
    start();
}

disk_spool::~disk_spool() {
    if (thread_.joinable()) stop();
    ::close(wake_);
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
        // What lies here already is not free, but it is the spool's, adopted instances included.
        max_ += on_disk().allocated;
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

bool disk_spool::append(append_job& job) noexcept {
    if (broken_.load(std::memory_order_relaxed) || cut_.load()) return false;
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
    f.unread_segments = sum.unread + dead.unread;
    f.stored_total = stored_total_.load();
    f.sync_errors = sync_errors_.load();
    return f;
}

bool disk_spool::next_of_any(stored_record& out, std::uint32_t& instance) {
    for (std::size_t i = 0; i < adopted_.size(); ++i) {
        instance = static_cast<std::uint32_t>(i + 1);
        if (adopted_[i]->store.next(out)) return true;
    }
    instance = 0;
    return options_.mode == spool_mode::backlog && main_store_.next(out);
}

bool disk_spool::next_unshipped(stored_record& out, std::uint32_t& instance) {
    for (int i = 0; i < parked_at_once && next_of_any(out, instance); ++i) {
        if (topics_.admits(out.topic)) return true;
        park(instance, out.sequence);
    }
    return false;
}

std::unique_ptr<spool> open_spool(const spool_options& options, spool_disk& disk) {
    const bool ephemeral = prepare_directory(options, disk);
    own_instance own = claim_instance(options, disk);
    return std::make_unique<disk_spool>(options, disk, std::move(own), ephemeral);
}

std::unique_ptr<spool> spool::open(const spool_options& options) {
    return open_spool(options, real_disk());
}

}  // namespace headrace::kafka
