#pragma once
// Read buffers of a worker: powers of two from 4 KiB, charged to its memory lease while in use,
// kept on free lists up to 256 KiB each. Every buffer has json_padding readable bytes behind it.
// Worker thread only.
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "ingest/request.hpp"
#include "server/memory_budget.hpp"

namespace headrace::server {

struct buffer {
    std::unique_ptr<char[]> data;
    std::size_t capacity = 0;
    std::size_t size = 0;   // bytes filled

    explicit operator bool() const { return data != nullptr; }
    char* end() { return data.get() + size; }
    std::size_t room() const { return capacity - size; }
    std::string_view view() const { return {data.get(), size}; }
};

class buffer_pool {
public:
    explicit buffer_pool(memory_lease& lease) : lease_(lease) {}

    static constexpr std::size_t smallest = 4 * 1024;

    // Empty when the memory budget has no room.
    buffer acquire(std::size_t at_least) {
        const std::size_t capacity = std::bit_ceil(std::max(at_least, smallest));
        if (!lease_.take(capacity)) return {};
        buffer out;
        out.capacity = capacity;
        if (const std::size_t c = size_class(capacity); c < classes && !free_[c].empty()) {
            out.data = std::move(free_[c].back());
            free_[c].pop_back();
        } else {
            out.data.reset(new (std::nothrow) char[capacity + ingest::json_padding]);
            if (!out.data) {
                lease_.give(capacity);
                return {};
            }
            std::memset(out.data.get() + capacity, 0, ingest::json_padding);
        }
        return out;
    }

    void release(buffer&& b) {
        if (!b) return;
        lease_.give(b.capacity);
        const std::size_t c = size_class(b.capacity);
        if (c < classes && free_[c].size() < keep_bytes / b.capacity)
            free_[c].push_back(std::move(b.data));
        b = {};
    }

    // A larger buffer with the same contents; false: no room, `b` is unchanged.
    bool grow(buffer& b, std::size_t at_least) {
        buffer larger = acquire(at_least);
        if (!larger) return false;
        std::memcpy(larger.data.get(), b.data.get(), b.size);
        larger.size = b.size;
        release(std::move(b));
        b = std::move(larger);
        return true;
    }

private:
    static constexpr std::size_t classes = 7;               // 4 KiB .. 256 KiB
    static constexpr std::size_t keep_bytes = 2 << 20;      // per class
    static std::size_t size_class(std::size_t capacity) {
        return static_cast<std::size_t>(std::countr_zero(capacity) - std::countr_zero(smallest));
    }

    memory_lease& lease_;
    std::array<std::vector<std::unique_ptr<char[]>>, classes> free_;
};

}  // namespace headrace::server
