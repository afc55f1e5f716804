#pragma once
// The response bodies of http-v0.md section 4 and of salvage mode (D6).
#include "ingest/pipeline.hpp"

#include <cstdint>
#include <vector>

namespace headrace::ingest {

// Refused events that an answer lists.
constexpr std::size_t listed_max = 100;

struct refused_event {
    std::uint32_t index = 0;
    reject why;
};

reply success_reply(bool beacon);
// 200 with the list; `count` is the number of all refused events, of which `listed` are the first.
reply salvage_reply(bool beacon, const std::vector<refused_event>& listed, std::size_t count);
reply error_reply(const reject&);

}  // namespace headrace::ingest
