#pragma once
// Writes one log of one instance: groups of records into preallocated segments, one fdatasync per
// group. Used by the spool thread alone.
#include "kafka/spool_file.hpp"
#include "kafka/spool_format.hpp"
#include "kafka/spool_store.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace headrace::kafka {

class log_writer {
public:
    struct place {
        std::filesystem::path spool_dir;  // whose file system is asked for free space
        std::filesystem::path instance;
        spool_bytes16 instance_id{};
        spool_mode mode = spool_mode::standalone;
        spool_log log = spool_log::main;
        std::uint64_t segment_bytes = 0;
        std::uint64_t min_free = 0;
    };
    // Goes on behind what `store` has loaded.
    log_writer(spool_disk&, place, log_store&);

    // A group: begin, put each record, commit. put() gives the record's sequence, or false when it
    // could not be taken. Records whose sequence is >= failed_from() after commit() are not
    // durable; all others are. `room`: bytes that segments may still take on disk.
    void begin(std::uint64_t room);
    bool put(const record&, std::int64_t now_ns, std::uint64_t& sequence);
    void commit();
    std::uint64_t failed_from() const { return failed_from_; }

    // Opens a segment if there is none, so that the next group finds one. False: error().
    bool prepare(std::uint64_t room);
    // Syncs nothing new: seals the segment and gives unused space back. No-op without one.
    void close();

    bool broken() const { return !error_.empty(); }
    const std::string& error() const { return error_; }
    std::uint64_t sync_errors() const { return sync_errors_; }
    bool open() const { return static_cast<bool>(file_); }
    std::uint64_t written() const { return written_; }  // bytes since start, headers included
    std::int64_t opened_ns() const { return header_.created_ns; }

private:
    bool open_segment(std::uint64_t needed);
    int fill_new_file(const std::filesystem::path&, std::uint64_t bytes);
    void flush();
    void abandon(const std::string& what, int code);
    void fail(const std::string& what, long code);

    spool_disk& disk_;
    const place place_;
    log_store& store_;
    file_handle file_;
    segment_header header_;
    segment_keys keys_;
    std::uint64_t size_ = 0;     // bytes the segment may grow to
    std::uint64_t durable_ = 0;  // end of what is synced
    std::uint64_t previous_number_ = 0, previous_end_ = 0;
    std::uint64_t next_number_ = 1, next_sequence_ = 1;
    std::uint64_t room_ = 0;
    std::uint64_t failed_from_ = 0;
    std::uint64_t sync_errors_ = 0;
    std::uint64_t written_ = 0;
    std::string error_;
    std::vector<char> buffer_;  // the group so far, to be written at `durable_`
    std::uint64_t used_ = 0;
    std::vector<record_note> notes_;
};

}  // namespace headrace::kafka
