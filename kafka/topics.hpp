#pragma once
// Interned topic names. intern() may be called from any thread; returned references live as long
// as the table, which lives as long as the process.
#include <deque>
#include <mutex>
#include <string_view>

#include "kafka/record.hpp"

namespace headrace::kafka {

class topic_table {
public:
    const topic& intern(std::string_view name) {
        const std::lock_guard lock(mutex_);
        for (const topic& t : topics_)
            if (t.name == name) return t;
        topics_.push_back({std::string(name), static_cast<std::uint16_t>(topics_.size()), false});
        return topics_.back();
    }
    const topic& intern_dead_letters(std::string_view name) {
        const std::lock_guard lock(mutex_);
        topics_.push_back({std::string(name), static_cast<std::uint16_t>(topics_.size()), true});
        return topics_.back();
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
    mutable std::mutex mutex_;
    std::deque<topic> topics_;
};

}  // namespace headrace::kafka
