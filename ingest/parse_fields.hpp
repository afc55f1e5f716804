#pragma once
// The keys that ingestion knows (http-v0.md 3.1-3.3, 5.5, 5.6), matched by length first.
#include <cstdint>
#include <cstring>
#include <string_view>

namespace headrace::ingest {

enum class event_key : std::uint8_t {
    other,
    event,
    token,  // as the batch wrapper's too
    dollar_token,
    api_key,  // as the batch wrapper's too
    distinct_id,
    id,
    properties,
    timestamp,
    offset,
    set,
    set_once,
    batch,  // wrapper only, like the two below
    sent_at,
    historical_migration,
};

enum class property_key : std::uint8_t {
    other,
    token,
    distinct_id,
    ignore_sent_at,
    cookieless_mode,
    capture_internal,
    heatmap_data,
    prev_pageview_pathname,
    current_url,
    ai_gateway,
};

constexpr std::string_view ai_gateway_prefix = "$ai_gateway";

namespace detail {
template <std::size_t N>
inline bool same(const char* p, const char (&word)[N]) {
    return std::memcmp(p, word, N - 1) == 0;
}
}  // namespace detail

inline event_key find_event_key(std::string_view k) {
    using detail::same;
    const char* p = k.data();
    switch (k.size()) {
        case 4:
            if (same(p, "uuid")) return event_key::id;
            return same(p, "$set") ? event_key::set : event_key::other;
        case 5:
            if (same(p, "event")) return event_key::event;
            if (same(p, "token")) return event_key::token;
            return same(p, "batch") ? event_key::batch : event_key::other;
        case 6:
            if (same(p, "offset")) return event_key::offset;
            return same(p, "$token") ? event_key::dollar_token : event_key::other;
        case 7:
            if (same(p, "api_key")) return event_key::api_key;
            return same(p, "sent_at") ? event_key::sent_at : event_key::other;
        case 9:
            if (same(p, "timestamp")) return event_key::timestamp;
            return same(p, "$set_once") ? event_key::set_once : event_key::other;
        case 10:
            return same(p, "properties") ? event_key::properties : event_key::other;
        case 11:
            return same(p, "distinct_id") ? event_key::distinct_id : event_key::other;
        case 12:
            return same(p, "$distinct_id") ? event_key::distinct_id : event_key::other;
        case 20:
            return same(p, "historical_migration") ? event_key::historical_migration
                                                   : event_key::other;
        default:
            return event_key::other;
    }
}

inline property_key find_property_key(std::string_view k) {
    using detail::same;
    const char* p = k.data();
    if (k.size() > 10 && p[4] == 'g' && same(p, "$ai_gateway")) return property_key::ai_gateway;
    // Most keys have another length than the known ones.
    constexpr std::uint32_t lengths =
        1u << 5 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 15 | 1u << 16 | 1u << 23;
    if (k.size() > 23 || (lengths >> k.size() & 1) == 0) return property_key::other;
    switch (k.size()) {
        case 5:
            return same(p, "token") ? property_key::token : property_key::other;
        case 11:
            if (same(p, "distinct_id")) return property_key::distinct_id;
            break;
        case 12:
            if (same(p, "$current_url")) return property_key::current_url;
            break;
        case 13:
            if (same(p, "$heatmap_data")) return property_key::heatmap_data;
            break;
        case 15:
            if (same(p, "$ignore_sent_at")) return property_key::ignore_sent_at;
            break;
        case 16:
            if (same(p, "$cookieless_mode")) return property_key::cookieless_mode;
            if (same(p, "capture_internal")) return property_key::capture_internal;
            break;
        case 23:
            if (same(p, "$prev_pageview_pathname")) return property_key::prev_pageview_pathname;
            break;
        default:
            break;
    }
    return property_key::other;
}

}  // namespace headrace::ingest
