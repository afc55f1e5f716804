#pragma once
// gzip to bytes with a hard bound on the output (http-v0.md 2.6): first member only, what follows
// it is ignored, CRC and length are checked.
//
// Owner: one per worker, not thread-safe; keeps its state and its buffer between calls. The buffer
// grows geometrically and never beyond the limit rounded up to the next step.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

struct inflate_state;  // ISA-L

namespace headrace::ingest {

// Bytes of the gzip header at the start of `in`; 0 if it is broken, cut off, or no gzip.
std::size_t gzip_header_size(std::string_view in);

// Raw memory with json_padding bytes after its capacity.
class byte_buffer {
public:
    byte_buffer() = default;
    ~byte_buffer();
    byte_buffer(const byte_buffer&) = delete;
    byte_buffer& operator=(const byte_buffer&) = delete;

    char* data() const { return data_; }
    std::size_t capacity() const { return capacity_; }
    void grow(std::size_t capacity);  // keeps the content; throws std::bad_alloc
    void free();

private:
    char* data_ = nullptr;
    std::size_t capacity_ = 0;
};

enum class inflate_result { ok, bad, too_big };

class inflater {
public:
    static constexpr std::size_t step = 8 * 1024;

    explicit inflater(std::size_t limit);
    ~inflater();
    inflater(const inflater&) = delete;
    inflater& operator=(const inflater&) = delete;

    // ok: data() and size() are the text, json_padding readable bytes after it, until the next
    // call. too_big: size() is the number of bytes that a reader in 8 KiB steps has seen.
    inflate_result gunzip(std::string_view in);

    char* data() const { return text_.data(); }
    std::size_t size() const { return size_; }
    std::size_t held_bytes() const;
    void release();  // gives back a buffer above 1 MiB

private:
    bool one_shot(std::string_view deflated);
    inflate_result stream(std::string_view deflated);

    std::unique_ptr<inflate_state> state_;
    byte_buffer text_;
    std::size_t limit_;
    std::size_t capacity_max_;
    std::size_t size_ = 0;
};

}  // namespace headrace::ingest
