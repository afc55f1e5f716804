#pragma once
// Which lane an event belongs to, by its name: http-v0.md 5.5, kafka-ops.md 1.1 to 1.3.
#include "ingest/pipeline.hpp"

#include <cstdint>
#include <string_view>

namespace headrace::ingest {

enum class event_class : std::uint8_t { analytics, warning, error_tracking, heatmap, ai };

constexpr std::string_view performance_event = "$performance_event";
constexpr std::string_view heatmap_event = "$$heatmap";

// `ai_by_prefix`: every `$ai_` name is an AI event, not only the listed ones.
event_class classify(std::string_view name, bool ai_by_prefix);

inline bool has_ai_prefix(std::string_view name) { return name.substr(0, 4) == "$ai_"; }

// `historical` matters for analytics events only.
const kafka::topic* lane_of(event_class, bool historical, const lanes&);

}  // namespace headrace::ingest
