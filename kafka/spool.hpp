#pragma once
// The local, fsync'ed store of records: the only store when standalone (D2), the backlog of what
// Kafka has not acknowledged when brokers are configured (D1, D3). One spool thread writes and is
// the only one that waits for fdatasync. Format and guarantees: kafka/README.md, design.md D25.
//
// Directory: <dir>/instances/<id>/ locked by the process that owns it; segments `main-<n>.seg`
// and dead letters `dead-<n>.seg`, plus `checkpoint`. Files 0600, directories 0700.
#include "kafka/record.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headrace::kafka {

// What the records in an instance are for; kept in every segment header.
enum class spool_mode : std::uint8_t {
    standalone = 1,  // the spool is the store; shipped only on request (D2)
    backlog = 2,     // waits for Kafka; ships by itself
};

struct spool_options {
    std::filesystem::path dir;
    spool_mode mode = spool_mode::standalone;
    std::uint64_t max_size = 0;  // bytes of segments; 0: half of the free space at open
    std::uint64_t min_free = 0;  // bytes always left free on the file system
    std::uint64_t segment = 64ull << 20;
    std::uint64_t dead_letter_keep_seconds = 7 * 24 * 3600;
    bool allow_tmpfs = false;
    bool ship_old = false;  // backlog mode: ship old standalone stores too (D2)
};

// Thrown by spool::open with a complete message: what failed, where, the remedy (for a wrong
// owner: the uid and the chown line). `exit_code` 78: configuration, 1: else.
struct spool_error : std::runtime_error {
    spool_error(const std::string& what, int code) : std::runtime_error(what), exit_code(code) {}
    int exit_code;
};

// A request to make records durable. Owned by the caller, not touched by it between append() and
// synced().
class append_job {
public:
    virtual ~append_job() = default;
    // Spool thread, after the group's fdatasync returned (ok) or the write failed (not ok).
    // record::spool_sequence of each record is set when ok. Must not block.
    virtual void synced(bool ok) noexcept = 0;

    std::span<record* const> records;
    append_job* next = nullptr;  // the spool's link
    std::uint64_t bytes = 0;     // the spool's: room that was set aside
};

// A record read back. Views point into the reader's buffer until its next call.
struct stored_record {
    std::uint64_t sequence = 0;  // unique and ascending within the instance and log
    std::int64_t stored_at_ns = 0;
    record_kind kind = record_kind::event;
    std::string_view topic;
    std::string_view key;  // data() == nullptr: null
    std::string_view value;
    std::vector<header> headers;  // value.data() == nullptr: null
};

struct spool_figures {
    std::uint64_t events = 0;   // unshipped records of kind event, this instance and adopted ones
    std::uint64_t records = 0;  // unshipped records of any kind
    std::uint64_t bytes = 0;    // bytes of segments on disk
    std::uint64_t max_bytes = 0;
    std::uint64_t dead_letters = 0;        // records in the dead-letter log
    std::int64_t oldest_stored_at_ns = 0;  // of unshipped records; 0: none
    std::uint64_t stored_total = 0;        // records made durable since start
    std::uint64_t shipped_total = 0;
    std::uint64_t quarantined_bytes = 0;
    std::uint64_t unread_segments = 0;  // cannot be read for now, tried again every second
    std::uint64_t sync_errors = 0;
};

// State at open, for the start line (D2).
struct held_store {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
    std::int64_t oldest_stored_at_ns = 0;
};

class spool {
public:
    // Creates and locks the instance directory, finds the durable end of what is there, adopts
    // unlocked instances of mode `backlog`, starts the spool thread. Throws spool_error.
    static std::unique_ptr<spool> open(const spool_options&);
    virtual ~spool() = default;

    // Spool thread, after the last synced() of every group: the place to wake others once for all
    // of them. Set before the first append(); must not block.
    virtual void after_group(std::function<void()>) = 0;

    // Any thread, never blocks. False: full, broken, or stopping; nothing was taken.
    virtual bool append(append_job&) noexcept = 0;

    // Any thread: Kafka acknowledged this record of this instance. Checkpointed within 1 s,
    // segments whose records are all shipped are unlinked within 60 s.
    virtual void shipped(std::uint64_t sequence) noexcept = 0;

    // The drain's side, one thread. next_unshipped() walks own and adopted instances, oldest
    // first, and returns records that are neither shipped, nor handed out before, nor held back by
    // `bound` (a sequence whose first attempt is still unresolved, D5). False: nothing now.
    virtual bool next_unshipped(stored_record&, std::uint32_t& instance) = 0;
    // Result of a record handed out: shipped, or back in line for a later next_unshipped().
    virtual void drained(std::uint32_t instance, std::uint64_t sequence, bool ok) noexcept = 0;
    // A record handed out cannot be sent for now: it waits, without being handed out again, until
    // unpark() puts all parked records back in line.
    virtual void park(std::uint32_t instance, std::uint64_t sequence) noexcept = 0;
    virtual void unpark() noexcept = 0;
    // Any thread: record `sequence` of this instance is bound to an attempt in flight (true), or
    // that attempt failed and the drain may send it (false).
    virtual void bind(std::uint64_t sequence, bool bound) noexcept = 0;

    virtual spool_figures figures() const = 0;            // any thread
    virtual bool healthy(std::string* reason) const = 0;  // accepts and syncs
    virtual bool ephemeral() const = 0;                   // overlay file system (D25)
    virtual held_store held() const = 0;  // old standalone store found in backlog mode

    // Syncs what was appended, writes the checkpoint, joins the thread, releases the lock.
    virtual void stop() = 0;
    // The same, but for a disk that hangs: false when it is not done by `deadline`. Jobs that were
    // not answered then never will be, and the spool must be left with abandon().
    virtual bool stop_by(std::chrono::steady_clock::time_point deadline) = 0;
    // Instead of the destructor: the spool destroys itself when its thread ends.
    virtual void abandon() noexcept = 0;
};

// Reading for tools, without a lock, also beside a running server. `log`: "main" or "dead".
class spool_scanner {
public:
    spool_scanner(std::filesystem::path dir, std::string_view log);
    ~spool_scanner();
    // Next intact record in order of instance age and sequence. With `follow`, records appended
    // later are returned by later calls.
    bool next(stored_record&, std::string& instance_id);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// `headrace spool ls|verify|cat|tail|replay|discard ...`: whole command, exit code.
// `replay` hands each record to `ship` (returns ok), built by the caller with a producer.
using ship_function = std::function<bool(const stored_record&)>;
using shipper_factory =
    std::function<ship_function(const std::string& brokers, std::string& error)>;
int run_spool_command(const std::vector<std::string>& arguments, const std::string& default_dir, const shipper_factory&);

}  // namespace headrace::kafka
