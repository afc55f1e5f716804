#pragma once
// Bump allocator for everything that one request's records need. Owned by one kafka::batch; used
// by the worker thread that fills the batch, read by other threads until the batch is released.
// Blocks are kept over reset() up to `keep_bytes`, so that steady traffic never calls malloc.
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace headrace::kafka {

class arena {
public:
    static constexpr std::size_t first_block_bytes = 8 * 1024;   // one page view
    static constexpr std::size_t block_bytes = 32 * 1024;
    static constexpr std::size_t keep_bytes = 128 * 1024;

    // Contiguous room for `n` bytes, valid until reset(). Not zeroed. Throws std::bad_alloc.
    char* allocate(std::size_t n, std::size_t align = 1) {
        std::size_t at = (used_ + align - 1) & ~(align - 1);
        if (current_ == blocks_.size() || at + n > blocks_[current_].size) {
            next_block(n);
            at = 0;
        }
        used_ = at + n;
        return blocks_[current_].data.get() + at;
    }

    // Gives back the unused tail of the last allocation, which started at `begin`.
    void shrink(const char* begin, std::size_t n) {
        used_ = static_cast<std::size_t>(begin - blocks_[current_].data.get()) + n;
    }

    std::string_view copy(std::string_view text) {
        if (text.empty()) return {"", 0};
        char* at = allocate(text.size());
        std::memcpy(at, text.data(), text.size());
        return {at, text.size()};
    }

    template <typename T>
    std::span<T> array(std::size_t n) {
        static_assert(std::is_trivially_destructible_v<T>);
        char* at = allocate(n * sizeof(T), alignof(T));
        return {new (at) T[n], n};
    }

    // Bytes held from the heap, used or not.
    std::size_t capacity() const { return capacity_; }

    void reset() {
        while (blocks_.size() > 1 && capacity_ > keep_bytes) {
            capacity_ -= blocks_.back().size;
            blocks_.pop_back();
        }
        if (capacity_ > keep_bytes) {
            blocks_.clear();
            capacity_ = 0;
        }
        current_ = 0;
        used_ = 0;
    }

private:
    struct block {
        std::unique_ptr<char[]> data;
        std::size_t size;
    };

    void next_block(std::size_t n) {
        // Reuse a kept block that is large enough, else insert a new one at this place.
        std::size_t next = blocks_.empty() ? 0 : (used_ == 0 && current_ < blocks_.size() ? current_ : current_ + 1);
        while (next < blocks_.size() && blocks_[next].size < n) ++next;
        if (next >= blocks_.size()) {
            const std::size_t usual = blocks_.empty() ? first_block_bytes : block_bytes;
            const std::size_t size = n > usual ? n : usual;
            blocks_.push_back({std::unique_ptr<char[]>(new char[size]), size});
            capacity_ += size;
            next = blocks_.size() - 1;
        }
        current_ = next;
        used_ = 0;
    }

    std::vector<block> blocks_;
    std::size_t current_ = 0;   // block in use
    std::size_t used_ = 0;      // bytes used of it
    std::size_t capacity_ = 0;
};

}  // namespace headrace::kafka
