#include "kafka/spool_writer.hpp"

#include "kafka/spool_segment.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

namespace headrace::kafka {
namespace {

constexpr std::uint64_t none_failed = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t keep_buffer = 8u << 20;
// A group larger than this is written and synced in parts.
constexpr std::uint64_t group_max = 8u << 20;

std::uint64_t whole_blocks(std::uint64_t bytes) {
    return (bytes + spool_block - 1) / spool_block * spool_block;
}

std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch()
    )
        .count();
}

}  // namespace

log_writer::log_writer(spool_disk& disk, place where, log_store& store)
    : disk_(disk), place_(std::move(where)), store_(store) {
    next_number_ = store_.next_number();
    next_sequence_ = store_.next_sequence();
    previous_number_ = store_.last_number();
    previous_end_ = store_.last_end();
}

void log_writer::begin(std::uint64_t room) {
    room_ = room;
    failed_from_ = none_failed;
    error_.clear();
    if (buffer_.size() > keep_buffer) std::vector<char>().swap(buffer_);
}

bool log_writer::put(const record& r, std::int64_t now, std::uint64_t& sequence) {
    const std::uint64_t payload = payload_bytes(r);
    if (payload == 0 || broken()) return false;
    const std::uint64_t bytes = record_bytes(payload);
    if (file_ && (durable_ + used_ + bytes > size_ || used_ + bytes > group_max) && used_ != 0) {
        flush();
        if (broken()) return false;
    }
    if (file_ && durable_ + whole_blocks(bytes) > size_) close();
    if (!file_ && !open_segment(bytes)) return false;
    if (buffer_.size() < used_ + bytes)
        buffer_.resize(std::max<std::size_t>(whole_blocks(used_ + bytes), 2 * buffer_.size()));
    sequence = next_sequence_++;
    const std::uint64_t offset = durable_ + used_;
    encode_record(r, payload, now, sequence, offset, keys_, buffer_.data() + used_);
    used_ += bytes;
    notes_.push_back({sequence, offset, now, r.kind == record_kind::event});
    return true;
}

void log_writer::commit() {
    if (used_ != 0) flush();
}

// The whole buffer as one group, then one sync. Anything that fails ends the segment where it was
// durable: after a failed sync the kernel may have dropped pages that look written.
void log_writer::flush() {
    const std::uint64_t padded = whole_blocks(used_);
    if (buffer_.size() < padded) buffer_.resize(padded);
    std::memset(buffer_.data() + used_, 0, padded - used_);
    if (const int e = disk_.write_all(file_.get(), buffer_.data(), padded, durable_); e < 0) {
        abandon("writing a segment", e);
        return;
    }
    if (const int e = disk_.sync(file_.get()); e < 0) {
        ++sync_errors_;
        abandon("fdatasync of a segment", e);
        return;
    }
    durable_ += padded;
    written_ += padded;
    store_.durable(durable_, notes_);
    notes_.clear();
    used_ = 0;
}

void log_writer::abandon(const std::string& what, int code) {
    failed_from_ = std::min(failed_from_, notes_.front().sequence);
    notes_.clear();
    used_ = 0;
    previous_end_ = durable_;
    disk_.truncate(file_.get(), durable_);
    const long size = disk_.size(file_.get());
    store_.closed(size < 0 ? size_ : static_cast<std::uint64_t>(size));
    file_.reset();
    fail(what, code);
}

void log_writer::fail(const std::string& what, long code) {
    error_ = "spool: " + what + " in " + place_.instance.string() + " failed: " + os_error(code);
}

int log_writer::fill_new_file(const std::filesystem::path& path, std::uint64_t bytes) {
    const int fd = disk_.open(path, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0) return fd;
    file_ = file_handle(fd);
    if (const int e = disk_.allocate(file_.get(), bytes); e < 0 && e != -EOPNOTSUPP) return e;
    char blocks[2 * spool_block];
    encode_header(header_, blocks);
    encode_header(header_, blocks + spool_block);
    if (const int e = disk_.write_all(file_.get(), blocks, sizeof blocks, 0); e < 0) return e;
    if (const int e = disk_.sync_all(file_.get()); e < 0) return e;
    return disk_.sync_directory(place_.instance);
}

bool log_writer::open_segment(std::uint64_t needed) {
    const std::uint64_t least = spool_data_begin + whole_blocks(needed);
    if (least > room_) {
        error_ = "spool: " + place_.spool_dir.string() + " is full (spool max_size reached)";
        return false;
    }
    const long free = disk_.free_bytes(place_.spool_dir);
    if (free < 0) {
        fail("asking for free space", free);
        return false;
    }
    const auto usable = static_cast<std::uint64_t>(free);
    if (usable < place_.min_free || usable - place_.min_free < least) {
        error_ = "spool: " + place_.spool_dir.string() + " has only " + std::to_string(usable) +
                 " bytes left on its file system, of which " + std::to_string(place_.min_free) +
                 " are always kept free (spool min_free)";
        return false;
    }
    const std::uint64_t wanted = std::max(place_.segment_bytes, least);
    size_ = std::min({wanted, room_, usable - place_.min_free}) / spool_block * spool_block;
    header_ = {};
    header_.mode = place_.mode;
    header_.log = place_.log;
    header_.number = next_number_++;
    header_.first_sequence = next_sequence_;
    header_.created_ns = now_ns();
    header_.salt = random_bytes16();
    header_.instance = place_.instance_id;
    header_.previous_number = previous_number_;
    header_.previous_end = previous_end_;
    const auto path = place_.instance / segment_name(place_.log, header_.number);
    if (const int e = fill_new_file(path, size_); e < 0) {
        file_.reset();
        if (e != -EEXIST) disk_.unlink(path);
        fail("creating a segment", e);
        return false;
    }
    keys_ = keys_of(header_.salt);
    durable_ = spool_data_begin;
    room_ -= size_;
    written_ += spool_data_begin;
    previous_number_ = header_.number;
    previous_end_ = durable_;
    store_.opened(header_, size_);
    return true;
}

bool log_writer::prepare(std::uint64_t room) {
    begin(room);
    return file_ || open_segment(spool_block);
}

void log_writer::close() {
    if (!file_) return;
    previous_end_ = durable_;
    char block[spool_block];
    encode_seal(store_.seal_of_last(), header_.salt, block);
    if (disk_.write_all(file_.get(), block, sizeof block, 2 * spool_block) == 0) {
        disk_.truncate(file_.get(), durable_);
        if (disk_.sync(file_.get()) < 0) ++sync_errors_;
    }
    file_.reset();
    room_ += size_ - durable_;
    store_.closed(durable_);
}

}  // namespace headrace::kafka
