#include "ingest/classify.hpp"

#include <algorithm>
#include <array>

namespace headrace::ingest {
namespace {

constexpr std::array<std::string_view, 11> ai_names{
    "$ai_generation",
    "$ai_embedding",
    "$ai_evaluation",
    "$ai_span",
    "$ai_trace",
    "$ai_metric",
    "$ai_feedback",
    "$ai_tag",
    "$ai_generation_summary",
    "$ai_trace_summary",
    "$ai_evaluation_report",
};

}  // namespace

event_class classify(std::string_view name, bool ai_by_prefix) {
    if (name.empty() || name[0] != '$') return event_class::analytics;
    if (name == "$$client_ingestion_warning") return event_class::warning;
    if (name == "$exception") return event_class::error_tracking;
    if (name == heatmap_event) return event_class::heatmap;
    if (!has_ai_prefix(name)) return event_class::analytics;
    const bool listed = std::find(ai_names.begin(), ai_names.end(), name) != ai_names.end();
    return listed || ai_by_prefix ? event_class::ai : event_class::analytics;
}

const kafka::topic* lane_of(event_class c, bool historical, const lanes& to) {
    switch (c) {
        case event_class::warning:
            return to.client_warnings;
        case event_class::error_tracking:
            return to.error_tracking;
        case event_class::heatmap:
            return to.heatmaps;
        case event_class::ai:
            return to.ai_main;
        case event_class::analytics:
            break;
    }
    return historical ? to.analytics_historical : to.analytics_main;
}

lanes intern_lanes(kafka::topic_table& table, const config::topic_settings& names) {
    lanes out{};
    out.analytics_main = &table.intern(names.analytics_main);
    out.analytics_overflow = &table.intern(names.analytics_overflow);
    out.analytics_historical = &table.intern(names.analytics_historical);
    out.heatmaps = &table.intern(names.heatmaps);
    out.client_warnings = &table.intern(names.client_warnings);
    out.error_tracking = &table.intern(names.error_tracking);
    out.dlq = &table.intern(names.dlq);
    out.ai_main = &table.intern(names.ai_main);
    out.ai_overflow = names.ai_overflow.empty() ? nullptr : &table.intern(names.ai_overflow);
    out.dead_letters = &table.intern_dead_letters(names.dead_letters);
    return out;
}

}  // namespace headrace::ingest
