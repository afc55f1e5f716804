#pragma once
// How many topics the files of a spool may name. A server stores for a handful; files that name
// thousands were not written by one, and every name costs memory and an index for good. One thread.
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>

namespace headrace::kafka {

class spool_topics {
public:
    static constexpr std::size_t names_max = 1'000;

    // False: one name too many. Its records are left where they are.
    bool admits(std::string_view name) {
        if (name == last_ && !names_.empty()) return true;
        last_ = name;
        if (names_.contains(last_)) return true;
        const bool room = names_.size() < names_max;
        if (room)
            names_.insert(last_);
        else
            last_ = *names_.begin();
        return room;
    }

private:
    std::unordered_set<std::string> names_;
    std::string last_;  // one of them
};

}  // namespace headrace::kafka
