#include "ingest/inflate.hpp"

#include "ingest/request.hpp"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace headrace::ingest {

namespace {

constexpr std::size_t trailer_size = 8;  // CRC32 and length
constexpr std::size_t first_capacity = 64 * 1024;
constexpr std::size_t big_buffer = 1024 * 1024;          // given back by release()
constexpr std::size_t one_shot_max = 256 * 1024;         // text of the fast path
constexpr std::size_t piece_max = std::size_t{1} << 30;  // ISA-L counts in 32 bits

enum header_flag : unsigned {
    header_crc = 0x02,
    extra_field = 0x04,
    file_name = 0x08,
    comment = 0x10,
    reserved = 0xe0,
};

unsigned byte_at(std::string_view in, std::size_t i) { return static_cast<unsigned char>(in[i]); }

// Moves `at` behind a zero-terminated field; false if its end is missing.
bool skip_text(std::string_view in, std::size_t& at) {
    const auto end = in.find('\0', at);
    if (end == std::string_view::npos) return false;
    at = end + 1;
    return true;
}

// ISA-L's input pointer is not const, but it only reads.
std::uint8_t* input(std::string_view in) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(in.data()));
}

std::uint32_t little_endian_at_end(std::string_view in) {
    std::uint32_t value = 0;
    for (std::size_t i = 1; i <= 4; ++i) value = value << 8 | byte_at(in, in.size() - i);
    return value;
}

}  // namespace

std::size_t gzip_header_size(std::string_view in) {
    if (in.size() < 10 || !in.starts_with("\x1f\x8b\x08")) return 0;
    const unsigned flags = byte_at(in, 3);
    if ((flags & reserved) != 0) return 0;
    std::size_t at = 10;
    if ((flags & extra_field) != 0) {
        if (in.size() - at < 2) return 0;
        const std::size_t length = byte_at(in, at) | byte_at(in, at + 1) << 8;
        at += 2;
        if (in.size() - at < length) return 0;
        at += length;
    }
    if ((flags & file_name) != 0 && !skip_text(in, at)) return 0;
    if ((flags & comment) != 0 && !skip_text(in, at)) return 0;
    if ((flags & header_crc) != 0) {
        if (in.size() - at < 2) return 0;
        const unsigned stored = byte_at(in, at) | byte_at(in, at + 1) << 8;
        if ((crc32_gzip_refl(0, input(in), at) & 0xffff) != stored) return 0;
        at += 2;
    }
    return at;
}

byte_buffer::~byte_buffer() { std::free(data_); }

void byte_buffer::grow(std::size_t capacity) {
    if (capacity <= capacity_) return;
    void* const moved = std::realloc(data_, capacity + json_padding);
    if (moved == nullptr) throw std::bad_alloc();
    data_ = static_cast<char*>(moved);
    capacity_ = capacity;
}

void byte_buffer::free() {
    std::free(data_);
    data_ = nullptr;
    capacity_ = 0;
}

inflater::inflater(std::size_t limit)
    : state_(std::make_unique<inflate_state>()),
      limit_(limit),
      capacity_max_((limit / step + 1) * step) {
    isal_inflate_init(state_.get());
}

inflater::~inflater() = default;

inflate_result inflater::gunzip(std::string_view in) {
    size_ = 0;
    const auto header = gzip_header_size(in);
    if (header == 0 || in.size() - header < trailer_size) return inflate_result::bad;
    const auto deflated = in.substr(header);
    auto result = inflate_result::ok;
    if (!one_shot(deflated)) result = stream(deflated);
    if (result == inflate_result::ok && size_ > limit_) result = inflate_result::too_big;
    if (result == inflate_result::ok) std::memset(text_.data() + size_, 0, json_padding);
    return result;
}

// The length that the trailer claims is only a hint (it may be a lie, or belong to another member):
// it lets most requests inflate without ISA-L's intermediate window. Whatever does not come out
// well here is judged by stream().
bool inflater::one_shot(std::string_view deflated) {
    const std::size_t claimed = little_endian_at_end(deflated);
    if (claimed > std::min(one_shot_max, limit_) || deflated.size() > piece_max) return false;
    text_.grow(std::min(std::max(claimed, first_capacity), capacity_max_));
    isal_inflate_reset(state_.get());
    state_->crc_flag = ISAL_GZIP_NO_HDR_VER;
    state_->next_in = input(deflated);
    state_->avail_in = static_cast<std::uint32_t>(deflated.size());
    state_->next_out = reinterpret_cast<std::uint8_t*>(text_.data());
    state_->avail_out = static_cast<std::uint32_t>(std::min(text_.capacity(), piece_max));
    if (isal_inflate_stateless(state_.get()) != ISAL_DECOMP_OK) return false;
    size_ = state_->total_out;
    return true;
}

inflate_result inflater::stream(std::string_view deflated) {
    isal_inflate_reset(state_.get());
    state_->crc_flag = ISAL_GZIP_NO_HDR_VER;
    state_->avail_in = 0;
    while (size_ <= limit_) {
        if (state_->avail_in == 0) {
            const auto piece = deflated.substr(0, piece_max);
            deflated.remove_prefix(piece.size());
            state_->next_in = input(piece);
            state_->avail_in = static_cast<std::uint32_t>(piece.size());
        }
        if (size_ == text_.capacity()) {
            const auto doubled = std::max(first_capacity, text_.capacity() * 2);
            text_.grow(std::min(doubled, capacity_max_));
        }
        const auto room = std::min(text_.capacity() - size_, piece_max);
        state_->next_out = reinterpret_cast<std::uint8_t*>(text_.data()) + size_;
        state_->avail_out = static_cast<std::uint32_t>(room);
        const int status = isal_inflate(state_.get());
        size_ += room - state_->avail_out;
        if (status != ISAL_DECOMP_OK && status != ISAL_END_INPUT) break;
        if (state_->block_state == ISAL_BLOCK_FINISH) return inflate_result::ok;
        const bool wants_input = state_->avail_out > 0;
        if (wants_input && deflated.empty()) break;
    }
    // What a reader in steps saw last: the step in which the limit was passed.
    if (size_ <= limit_) return inflate_result::bad;
    return inflate_result::too_big;
}

std::size_t inflater::held_bytes() const { return sizeof(inflate_state) + text_.capacity(); }

void inflater::release() {
    if (text_.capacity() > big_buffer) text_.free();
}

}  // namespace headrace::ingest
