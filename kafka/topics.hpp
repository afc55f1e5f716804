#pragma once
// Interned topic names. intern() may be called from any thread; returned references live as long
// as the table, which lives as long as the process. More names than an index can tell apart throw
// std::length_error: the configuration has a handful, the spool hands out a thousand at most.
#include "kafka/record.hpp"

#include <deque>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>

namespace headrace::kafka {

class topic_table {
public:
    const topic& intern(std::string_view name) {
        const std::lock_guard lock(mutex_);
        for (const topic& t : topics_)
            if (t.name == name) return t;
        return add(name, false);
    }
    const topic& intern_dead_letters(std::string_view name) {
        const std::lock_guard lock(mutex_);
        return add(name, true);
    }
    const topic& at(std::uint16_t index) const {
        const std::lock_guard lock(mutex_);
        return topics_[index];
    }
    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return topics_.size();
    }

private:
    const topic& add(std::string_view name, bool dead_letters) {
        const std::size_t index = topics_.size();
        if (index > std::numeric_limits<std::uint16_t>::max())
            throw std::length_error("too many topics");
        topics_.push_back({std::string(name), static_cast<std::uint16_t>(index), dead_letters});
        return topics_.back();
    }

    mutable std::mutex mutex_;
    std::deque<topic> topics_;
};

}  // namespace headrace::kafka
