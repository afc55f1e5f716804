#pragma once
// The date spellings of the dateparser crate 0.2.1, in its order (http-v0.md 5.4, parsing step c).
// Pure, no allocation; time is bounded because longer text is refused unseen.
#include "ingest/timestamp.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace headrace::ingest {

constexpr std::size_t loose_time_max = 128;  // bytes

// Zone-less forms are UTC. A date without a time of day takes the time of day of `now`; a time
// without a date takes its date; a date without a year its year.
std::optional<instant> parse_loose_time(std::string_view, instant now);

}  // namespace headrace::ingest
