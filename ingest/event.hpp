#pragma once
// One client event as it stands in the body: raw slices of the fields that matter, nothing copied
// (http-v0.md 3.2). Slices point into the JSON text and live as long as it does.
#include "ingest/uuid.hpp"

#include <cstdint>
#include <string_view>

namespace headrace::ingest {

enum class json_type : std::uint8_t { absent, null, yes, no, number, string, array, object };

struct slice {
    std::string_view raw;  // strings with their quotes
    json_type type = json_type::absent;
    bool escaped = false;  // string with a backslash

    bool given() const { return type != json_type::absent && type != json_type::null; }
    bool is(json_type t) const { return type == t; }
    // Of a string: the bytes between the quotes.
    std::string_view inner() const { return raw.substr(1, raw.size() - 2); }
};

// Why an event fits no shape (http-v0.md 3.1, 3.2; D15, D16).
enum class shape_problem : std::uint8_t {
    none,
    not_an_object,
    missing_event,   // `event` absent, no string, or repeated
    repeated_field,  // a known key twice, or two aliases of one field
    wrong_type,
    bad_uuid,
    bad_offset,
    lone_surrogate,
    too_long_id,  // distinct_id that is no string and longer than json_id_max
};

// Longest JSON text of a distinct_id that is no string.
constexpr std::size_t json_id_max = 64 * 1024;

// What the envelope needs from `properties`; of a repeated key the last one counts.
struct property_values {
    slice token;
    slice distinct_id;
    json_type ignore_sent_at = json_type::absent;
    json_type cookieless_mode = json_type::absent;
    bool capture_internal = false;
    bool heatmap_data = false;
    bool prev_pageview_pathname = false;
    bool current_url = false;
    bool ai_gateway = false;  // a key that starts with $ai_gateway
};

struct raw_event {
    std::string_view text;  // the whole value
    slice event;
    slice token;        // also $token, api_key
    slice distinct_id;  // also $distinct_id
    slice uuid;
    slice properties;
    slice timestamp;
    slice offset;
    slice set;
    slice set_once;
    property_values values;
    ingest::uuid id{};           // if has_id
    std::int64_t offset_ms = 0;  // if offset.given()
    bool has_id = false;
    bool event_repeated = false;
    shape_problem problem = shape_problem::none;
    std::string_view field;  // that the problem is about, if one

    // What it is as an event; for the engage shape `event` does not matter (3.1 row 4).
    shape_problem as_event() const {
        if (problem != shape_problem::none) return problem;
        if (event_repeated || !event.is(json_type::string)) return shape_problem::missing_event;
        return shape_problem::none;
    }
};

}  // namespace headrace::ingest
