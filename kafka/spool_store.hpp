#pragma once
// One log of one instance: which segments it has, how many records are in them, and what of it
// was shipped. The writer tells it what became durable, the drain reads through it. Any thread;
// next() only from one at a time.
#include "kafka/spool_checkpoint.hpp"
#include "kafka/spool_reader.hpp"
#include "kafka/spool_segment.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace headrace::kafka {

// What is known of a record, one byte each.
namespace spool_state {
constexpr std::uint8_t waiting = 0, handed = 1, done = 2, held_back = 3, state_bits = 3;
constexpr std::uint8_t is_event = 4;
constexpr std::uint8_t is_parked = 8;     // of a handed one
constexpr std::uint64_t mark_every = 64;  // records between two remembered offsets
}  // namespace spool_state

// A record that became durable.
struct record_note {
    std::uint64_t sequence = 0;
    std::uint64_t offset = 0;
    std::int64_t stored_at_ns = 0;
    bool event = false;
};

struct log_figures {
    std::uint64_t segments = 0;
    std::uint64_t records = 0;    // not shipped
    std::uint64_t events = 0;     // of them, of kind event
    std::uint64_t bytes = 0;      // of files, without what is only preallocated
    std::uint64_t allocated = 0;  // with it
    std::uint64_t bad_bytes = 0;
    std::uint64_t unread = 0;    // segments that cannot be read for now; not in the other numbers
    std::int64_t oldest_ns = 0;  // of records not shipped, up to 64 records early; 0: none
    void add(const log_figures&);
};

// One segment, for tools.
struct segment_figures {
    std::string name;
    std::uint64_t first_sequence = 0;
    std::uint64_t records = 0;
    std::uint64_t unshipped = 0;
    std::uint64_t bytes = 0;
    std::int64_t oldest_ns = 0;
};

class log_store {
public:
    // `shipping`: keep a state per record (1 byte). Otherwise nothing is ever shipped.
    log_store(spool_disk&, std::filesystem::path instance, spool_log, bool shipping);

    // Reads checkpoint, heads and what has no seal. `tidy` (the caller holds the lock): unused
    // preallocated space is given back. Throws spool_error (78) for a newer format and for files
    // of somebody else. Segments that cannot be read for another reason stay for look_again().
    void load(bool tidy);
    // Spool thread: takes in what load() could not read, if that works now.
    void look_again();

    // Where a writer goes on: numbers and sequences never come twice.
    std::uint64_t next_number() const;
    std::uint64_t next_sequence() const;
    std::uint64_t last_number() const;
    std::uint64_t last_end() const;

    // Writer's side, one thread. durable() makes shipped() and bind() possible, publish() lets
    // next() see the records.
    void opened(const segment_header&, std::uint64_t file_bytes);
    void durable(std::uint64_t end, const std::vector<record_note>&);
    void publish();
    void closed(std::uint64_t file_bytes);
    segment_seal seal_of_last() const;

    bool next(stored_record&);
    void shipped(std::uint64_t sequence);
    void drained(std::uint64_t sequence, bool ok);
    void bind(std::uint64_t sequence, bool bound);
    void park(std::uint64_t sequence);
    void unpark();

    // Writes the checkpoint if anything changed since. 0 or -errno.
    int checkpoint();
    // Unlinks closed segments whose records are all shipped; with bad bytes in them they are
    // kept under the name *.bad.
    void drop_shipped();
    // Unlinks closed segments whose newest record is older than this.
    void drop_older(std::int64_t newest_ns);
    // The writer's segment has records and all of them are shipped.
    bool active_shipped() const;
    log_figures figures() const;
    std::vector<segment_figures> segments() const;
    std::uint64_t shipped_total() const;
    bool nothing_left() const;

private:
    struct mark {
        std::uint64_t offset = 0;  // 0: unknown
        std::int64_t stored_at_ns = 0;
    };
    struct segment {
        std::filesystem::path path;
        segment_header header;
        std::uint64_t end = spool_data_begin;
        std::uint64_t visible_end = spool_data_begin;
        std::uint64_t next_sequence = 0;
        std::uint64_t file_bytes = 0;
        std::uint64_t bad_bytes = 0;
        std::uint64_t left = 0;  // records not shipped
        std::uint64_t events_left = 0;
        std::uint64_t watermark = 0;
        std::int64_t oldest_ns = 0, newest_ns = 0;
        bool active = false;
        bool incomplete = false;  // it may have records that the disk did not let us see: it stays
        bool parked = false;      // some states have is_parked
        std::vector<std::uint8_t> states;
        std::vector<mark> marks;  // of every 64th record
        std::uint64_t records() const { return next_sequence - header.first_sequence; }
    };

    segment_reader::opened
    load_segment(const segment_file&, std::optional<std::uint64_t> end, bool tidy, segment_reader&, segment&)
        const;
    void note_unread(const segment_file&, int error);
    void walk(segment&, segment_reader&, std::uint64_t watermark) const;
    void tidy_file(segment&, segment_reader&) const;
    void note(segment&, const record_note&) const;
    segment* find(std::uint64_t sequence);
    bool set_state(std::uint64_t sequence, std::uint8_t from_mask, std::uint8_t to);
    void set_gone(segment&, std::uint64_t begin, std::uint64_t end);
    static void finish_record(segment&, std::uint64_t index);
    void drop(const std::function<bool(const segment&)>& finished);
    bool position_cursor();
    segment_reader::opened open_cursor(segment&, std::uint64_t sequence);
    bool cursor_at_end();
    void rewind_to(std::uint64_t sequence);
    void rewind_to_later();

    spool_disk& disk_;
    const std::filesystem::path dir_;
    const spool_log log_;
    const bool shipping_;

    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<segment>> segments_;  // ascending
    std::uint64_t next_number_ = 1, next_sequence_ = 1;
    std::uint64_t lost_bytes_ = 0;      // files whose header is damaged
    std::vector<segment_file> unread_;  // changed by load() and look_again()
    spool_checkpoint loaded_;           // as load() found it
    std::uint64_t shipped_total_ = 0;
    bool dirty_ = false;

    std::unique_ptr<segment_reader> cursor_;
    std::uint64_t cursor_number_ = 0;    // segment under the cursor, or the next to look at
    std::uint64_t cursor_sequence_ = 0;  // the next that it will meet
    std::optional<std::uint64_t> rewind_, rewind_later_;
};

}  // namespace headrace::kafka
