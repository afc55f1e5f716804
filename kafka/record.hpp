#pragma once
// What is written to Kafka or to the spool: records, and the batch of one request that owns them.
// Layout of value, key and headers: kafka-ops.md section 1. Nothing here knows librdkafka.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/arena.hpp"

namespace headrace::kafka {

// An interned topic. Address and contents stay valid and unchanged until the process ends.
struct topic {
    std::string name;
    std::uint16_t index = 0;       // dense, in order of interning
    bool dead_letters = false;     // standalone: goes to the dead-letter store (D23)
};

// A header without value data (data() == nullptr) is a Kafka null header.
struct header {
    std::string_view name;
    std::string_view value;
};

// What became of a record. Set by the sink; final unless `pending`.
enum class fate : std::uint8_t {
    pending,
    acked,       // acknowledged by all in-sync replicas
    stored,      // fsync'ed in the spool
    too_large,   // the broker refused it alone for its size (kafka-ops.md 2.4)
    failed,      // neither Kafka nor the spool could take it: the request is answered 503
};

enum class record_kind : std::uint8_t {
    event,        // the client's event: counts in D19
    companion,    // second record of the heatmap split: shares its event's fate, not counted
    dead_letter,  // headrace's own dead letter (D23)
};

class batch;

// Views point into the owning batch's arena.
struct record {
    batch* owner = nullptr;
    const topic* to = nullptr;
    std::string_view key;                // data() == nullptr: null key
    std::string_view value;
    std::span<const header> headers;
    std::uint32_t event_index = 0;       // index of the client event in the request
    record_kind kind = record_kind::event;
    fate outcome = fate::pending;
    // The rest belongs to the sink while it holds the batch.
    std::uint8_t state = 0;
    std::uint64_t spool_sequence = 0;
};

// Where decided and released batches go back to: one per worker. push() is called from the sink's
// threads, takes a whole list linked by batch::next, and wakes the worker at most once per call.
class completions {
public:
    virtual ~completions() = default;
    virtual void push(batch* first) noexcept = 0;
};

// What a sink keeps in a batch from one use to the next, so that lending it again costs no
// allocation. Only the sink that put it there looks at it.
struct sink_slot {
    virtual ~sink_slot() = default;
};

// All records of one request. Filled by a worker, then lent to the record_sink by submit() until
// it is both decided (every outcome is final; the answer may be sent) and released (no thread
// refers to its memory any more). It comes back through `home` once for both or once for each.
class batch {
public:
    arena memory;
    std::vector<record> records;

    completions* home = nullptr;         // set before submit()
    void* context = nullptr;             // the worker's own: which request this answers
    batch* next = nullptr;               // link in a completions list; the sink's while lent

    // The sink raises flags with give_back(), the worker collects them with take_back().
    static constexpr std::uint8_t decided = 1, released = 2;

    // Sink: raises `flags`; links the batch into `list` unless it is still on its way to the
    // worker from an earlier call. After raising `released` the sink must not touch the batch,
    // except to push `list`.
    void give_back(std::uint8_t flags, batch*& list) {
        const std::uint8_t before =
            state_.fetch_or(static_cast<std::uint8_t>(flags | queued), std::memory_order_acq_rel);
        if ((before & queued) != 0) return;
        next = list;
        list = this;
    }
    // Worker: all flags raised so far.
    std::uint8_t take_back() {
        return static_cast<std::uint8_t>(
            state_.fetch_and(static_cast<std::uint8_t>(~queued), std::memory_order_acq_rel) &
            (decided | released));
    }

    // The sink's bookkeeping while lent: records without final outcome, and references held.
    std::uint32_t undecided = 0;
    std::uint32_t references = 0;
    std::chrono::steady_clock::time_point submitted{};
    std::unique_ptr<sink_slot> slot;

    record& add() {
        records.emplace_back();
        records.back().owner = this;
        return records.back();
    }

    // Bytes charged to the memory budget for these records (design.md section 4): value + key +
    // headers + 1,300 B of client library overhead each.
    std::size_t charge() const {
        std::size_t sum = 0;
        for (const record& r : records) {
            sum += r.key.size() + r.value.size() + record_overhead;
            for (const header& h : r.headers) sum += h.name.size() + h.value.size();
        }
        return sum;
    }
    static constexpr std::size_t record_overhead = 1300;

    void reset() {
        records.clear();
        memory.reset();
        context = nullptr;
        next = nullptr;
        state_.store(0, std::memory_order_relaxed);
        undecided = references = 0;
    }

private:
    static constexpr std::uint8_t queued = 4;
    std::atomic<std::uint8_t> state_{0};
};

}  // namespace headrace::kafka
