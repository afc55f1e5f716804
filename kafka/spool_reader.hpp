#pragma once
// Reads the records of one segment file. Steps over damaged bytes to the next record that is
// intact; never believes a length that has no valid checksum. One thread at a time.
#include "kafka/spool_file.hpp"
#include "kafka/spool_format.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace headrace::kafka {

class segment_reader {
public:
    enum class opened { ok, newer, damaged, failed };

    explicit segment_reader(spool_disk& disk) : disk_(&disk) {}

    // `failed`: the file cannot be opened or read, for now: error(). `damaged`: neither copy of the
    // header is whole, or it is no regular file.
    opened open(const std::filesystem::path&);
    const segment_header& header() const { return header_; }
    const std::optional<segment_seal>& seal() const { return seal_; }
    std::uint64_t file_bytes() const { return file_bytes_; }
    int error() const { return error_; }
    // The disk refused to read something since open(): what was stepped over may be intact.
    bool read_failed() const { return read_failed_; }

    // Where the records end for good, when that is known. Bytes behind it are never looked at;
    // bytes missing before it are damage.
    void set_end(std::uint64_t end);
    bool has_end() const { return end_known_; }
    // The file is still being written: what cannot be read yet is not damage, next() finds it
    // later.
    void set_live(bool live) { live_ = live; }
    bool is_live() const { return live_; }
    // Starts at `offset`, which begins a record or a group; earlier sequences are not returned.
    void seek(std::uint64_t offset, std::uint64_t sequence);

    // False: no intact record before the end. Views are valid until the next call.
    bool next(stored_record&);
    std::uint64_t record_offset() const { return record_offset_; }  // of the last one returned

    std::uint64_t position() const { return position_; }
    std::uint64_t bad_bytes() const { return bad_bytes_; }
    // After next() returned false without a known end: written bytes behind the last intact
    // record (a group that was cut off, or a damaged last one).
    std::uint64_t tail_bytes() const { return tail_bytes_; }

private:
    const char* fetch(std::uint64_t offset, std::uint64_t size);
    bool intact(std::uint64_t offset, std::uint64_t stop, stored_record&, std::uint64_t& after);
    std::uint64_t resync(std::uint64_t from, std::uint64_t stop, stored_record&);
    bool skip_padding(std::uint64_t stop);
    std::uint64_t written_end(std::uint64_t from, std::uint64_t stop);
    void finish(std::uint64_t stop);
    std::uint64_t stop_offset();

    spool_disk* disk_;
    file_handle file_;
    segment_header header_;
    std::optional<segment_seal> seal_;
    segment_keys keys_;
    std::uint64_t file_bytes_ = 0;
    std::uint64_t end_ = 0;
    bool end_known_ = false;
    bool live_ = false;
    bool finished_ = false;
    bool read_failed_ = false;
    int error_ = 0;
    std::uint64_t position_ = spool_data_begin;
    std::uint64_t expected_ = 0;
    std::uint64_t record_offset_ = 0;
    std::uint64_t bad_bytes_ = 0;
    std::uint64_t tail_bytes_ = 0;
    std::vector<char> buffer_;
    std::uint64_t buffer_begin_ = 0;
    std::uint64_t buffer_size_ = 0;
};

}  // namespace headrace::kafka
