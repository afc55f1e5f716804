#include "kafka/spool_reader.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace headrace::kafka {
namespace {

constexpr std::uint64_t window = 256 * 1024;

std::uint64_t next_block(std::uint64_t offset) { return (offset / spool_block + 1) * spool_block; }

bool all_zero(const char* at, std::uint64_t size) {
    return size == 0 || (*at == 0 && std::memcmp(at, at + 1, size - 1) == 0);
}

}  // namespace

segment_reader::opened segment_reader::open(const std::filesystem::path& path) {
    const int fd = disk_->open(path, O_RDONLY);
    if (fd < 0) {
        error_ = -fd;
        return fd == -ELOOP || fd == -EINVAL ? opened::damaged : opened::failed;
    }
    file_ = file_handle(fd);
    const long size = disk_->size(file_.get());
    if (size < 0) {
        error_ = static_cast<int>(-size);
        return opened::failed;
    }
    file_bytes_ = static_cast<std::uint64_t>(size);
    char block[spool_block];
    bool newer = false, found = false;
    for (std::uint64_t copy = 0; copy < 2 && !found; ++copy) {
        const long n = disk_->read_all(file_.get(), block, spool_block, copy * spool_block);
        if (n < 0) error_ = static_cast<int>(-n);
        if (n != static_cast<long>(spool_block)) continue;
        const header_state state = decode_header(block, header_);
        newer = newer || state == header_state::newer;
        found = state == header_state::ok;
    }
    if (!found && error_ != 0 && !newer) return opened::failed;
    if (!found) return newer ? opened::newer : opened::damaged;
    error_ = 0;
    keys_ = keys_of(header_.salt);
    const long n = disk_->read_all(file_.get(), block, spool_block, 2 * spool_block);
    if (n < 0) read_failed_ = true;
    if (n == static_cast<long>(spool_block)) seal_ = decode_seal(block, header_.salt);
    if (seal_) set_end(seal_->end);
    position_ = spool_data_begin;
    expected_ = header_.first_sequence;
    return opened::ok;
}

void segment_reader::set_end(std::uint64_t end) {
    end_ = std::max(end, spool_data_begin);
    end_known_ = true;
    finished_ = false;
    // A file without preallocated space has grown since it was opened.
    if (file_ && end_ > file_bytes_)
        file_bytes_ = std::max(
            file_bytes_, static_cast<std::uint64_t>(std::max(disk_->size(file_.get()), 0L))
        );
}

void segment_reader::seek(std::uint64_t offset, std::uint64_t sequence) {
    position_ = offset;
    expected_ = sequence;
    finished_ = false;
}

const char* segment_reader::fetch(std::uint64_t offset, std::uint64_t size) {
    if (offset >= buffer_begin_ && offset + size <= buffer_begin_ + buffer_size_)
        return buffer_.data() + (offset - buffer_begin_);
    // What is behind the end may still be written: it must not be remembered as it is now.
    const std::uint64_t known = end_known_ && end_ > offset ? end_ - offset : window;
    const std::uint64_t want = std::max(size, std::min(known, window));
    if (buffer_.size() < want) buffer_.resize(want);
    buffer_size_ = 0;
    const long n = disk_->read_all(file_.get(), buffer_.data(), want, offset);
    if (n < 0) {
        // A bad sector ahead must not hide the good bytes before it.
        const long exact =
            want == size ? n : disk_->read_all(file_.get(), buffer_.data(), size, offset);
        if (exact < 0) read_failed_ = true;
        if (exact < 0 || static_cast<std::uint64_t>(exact) < size) return nullptr;
        buffer_begin_ = offset;
        buffer_size_ = size;
        return buffer_.data();
    }
    buffer_begin_ = offset;
    buffer_size_ = static_cast<std::uint64_t>(n);
    return buffer_size_ >= size ? buffer_.data() : nullptr;
}

// The whole record is checked: head, length, payload.
bool segment_reader::intact(
    std::uint64_t offset, std::uint64_t stop, stored_record& out, std::uint64_t& after
) {
    if (offset + spool_record_head > stop) return false;
    const char* head_at = fetch(offset, spool_record_head);
    if (head_at == nullptr) return false;
    const auto head = decode_record_head(head_at, offset, keys_);
    if (!head || head->sequence < expected_) return false;
    if (head->sequence - header_.first_sequence > records_max(file_bytes_)) return false;
    const std::uint64_t size = spool_record_head + head->length;
    if (offset + size > stop) return false;
    const char* at = fetch(offset, size);
    if (at == nullptr) return false;
    after = offset + record_bytes(head->length);
    return decode_payload(*head, at + spool_record_head, keys_, out);
}

// Records begin at multiples of 8. Returns `stop` when there is none.
std::uint64_t segment_reader::resync(std::uint64_t from, std::uint64_t stop, stored_record& out) {
    std::uint64_t after = 0;
    for (std::uint64_t at = from; at + spool_record_head <= stop;) {
        const char* bytes = fetch(at, 8);
        if (bytes == nullptr) {
            at = next_block(at);
            continue;
        }
        std::uint32_t length = 0;
        std::memcpy(&length, bytes, 4);
        if (length != 0 && intact(at, stop, out, after)) return at;
        at += 8;
    }
    return stop;
}

// Zeros up to the next block end a group.
bool segment_reader::skip_padding(std::uint64_t stop) {
    if (position_ % spool_block == 0) return false;
    const std::uint64_t boundary = std::min(next_block(position_), stop);
    const char* at = fetch(position_, boundary - position_);
    if (at == nullptr || !all_zero(at, boundary - position_)) return false;
    position_ = boundary;
    return true;
}

// Behind the last byte that is not zero; `from` when there is none.
std::uint64_t segment_reader::written_end(std::uint64_t from, std::uint64_t stop) {
    std::uint64_t end = from;
    for (std::uint64_t at = from; at < stop;) {
        const std::uint64_t size = std::min(next_block(at), stop) - at;
        const char* bytes = fetch(at, size);
        if (bytes == nullptr) {
            end = at + size;
        } else if (!all_zero(bytes, size)) {
            std::uint64_t used = size;
            while (bytes[used - 1] == 0) --used;
            end = at + used;
        }
        at += size;
    }
    return end;
}

std::uint64_t segment_reader::stop_offset() {
    if (live_) file_bytes_ = static_cast<std::uint64_t>(std::max(disk_->size(file_.get()), 0L));
    return end_known_ ? std::min(end_, file_bytes_) : file_bytes_;
}

void segment_reader::finish(std::uint64_t stop) {
    finished_ = true;
    if (end_known_) {
        bad_bytes_ += end_ > position_ ? end_ - position_ : 0;
        position_ = end_;
        return;
    }
    tail_bytes_ = written_end(position_, stop) - position_;
}

bool segment_reader::next(stored_record& out) {
    if (finished_) return false;
    bool fresh = false;
    for (;;) {
        const std::uint64_t stop = stop_offset();
        std::uint64_t after = 0;
        if (intact(position_, stop, out, after)) {
            record_offset_ = position_;
            position_ = after;
            expected_ = out.sequence + 1;
            return true;
        }
        if (position_ < stop && skip_padding(stop)) continue;
        if (live_ && !fresh) {
            // The writer may have been halfway through what is in the buffer.
            buffer_size_ = 0;
            fresh = true;
            continue;
        }
        const char* block = live_ ? fetch(position_, 8) : nullptr;
        if (live_ && (block == nullptr || all_zero(block, 8))) return false;
        const std::uint64_t found = resync(position_ + 8, stop, out);
        if (found >= stop) {
            if (!live_) finish(stop);
            return false;
        }
        bad_bytes_ += found - position_;
        position_ = found;
    }
}

}  // namespace headrace::kafka
