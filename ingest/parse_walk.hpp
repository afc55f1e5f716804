#pragma once
// The one pass over a text that gathers its events: raw slices of the known fields, the values
// needed from `properties`, and the fields of a batch's wrapper. Choosing a shape: parse.cpp.
#include "ingest/json_text.hpp"
#include "ingest/parse.hpp"
#include "ingest/parse_cursor.hpp"
#include "ingest/parse_fields.hpp"

#include <string>
#include <string_view>

namespace headrace::ingest {

inline json_type type_of(char first) {
    switch (first) {
        case '"':
            return json_type::string;
        case '{':
            return json_type::object;
        case '[':
            return json_type::array;
        case 't':
            return json_type::yes;
        case 'f':
            return json_type::no;
        case 'n':
            return json_type::null;
        default:
            return json_type::number;
    }
}

// The wrapper's fields of a batch, gathered while the top-level object is walked.
struct wrapper {
    slice token, sent_at, historical, batch;
    unsigned tokens = 0, sent_ats = 0, historicals = 0, batches = 0;
    const char* surrogate = nullptr;  // outside of the batch's events
};

inline void mark(raw_event& ev, shape_problem problem, std::string_view field) {
    if (ev.problem != shape_problem::none) return;
    ev.problem = problem;
    ev.field = field;
}

inline bool optional_type(const slice& s, json_type wanted) { return !s.given() || s.is(wanted); }

// Types of the known fields (http-v0.md 3.2). `event` is judged by raw_event::as_event().
void check_fields(raw_event&, std::string& scratch);

// One walk over one text.
class walk {
public:
    walk(json_cursor cursor, const parse_options& options, document& out, std::string& scratch)
        : cursor_(cursor), options_(options), out_(out), scratch_(scratch) {}

    // False: malformed.
    bool array_of_events(unsigned depth) {
        out_.events.clear();
        out_.excess = 0;
        cursor_.advance();
        if (cursor_.take(']')) return true;
        for (;;) {
            if (!element(depth)) return false;
            if (cursor_.take(',')) continue;
            return cursor_.take(']');
        }
    }

    bool object(raw_event& ev, wrapper* wrap, unsigned depth) {
        const char* const begin = cursor_.here();
        cursor_.advance();
        if (!cursor_.take('}')) {
            do {
                if (!member(ev, wrap, depth)) return false;
            } while (cursor_.take(','));
            if (!cursor_.take('}')) return false;
        }
        ev.text = {begin, static_cast<std::size_t>(cursor_.value_end() - begin)};
        check_fields(ev, scratch_);
        return true;
    }

    json_cursor& cursor() { return cursor_; }

private:
    bool element(unsigned depth) {
        if (out_.events.size() >= options_.events_max) return excess_element(depth);
        cursor_.forget_surrogate();
        raw_event& ev = out_.events.emplace_back();
        if (cursor_.peek() == '{') {
            if (!object(ev, nullptr, depth + 1)) return false;
        } else {
            const char* const begin = cursor_.here();
            if (!cursor_.skip_value(depth)) return false;
            ev.text = {begin, static_cast<std::size_t>(cursor_.value_end() - begin)};
            ev.problem = shape_problem::not_an_object;
        }
        if (cursor_.surrogate() != nullptr) {
            ev.problem = shape_problem::lone_surrogate;
            ev.field = {cursor_.surrogate(), 0};
        }
        return true;
    }

    bool excess_element(unsigned depth) {
        const char* const begin = out_.excess == 0 ? cursor_.here() : out_.excess_text.data();
        if (!cursor_.skip_value(depth)) return false;
        out_.excess_text = {begin, static_cast<std::size_t>(cursor_.value_end() - begin)};
        ++out_.excess;
        return true;
    }

    bool key(std::string_view& name) {
        bool escaped = false;
        if (!cursor_.string(name, escaped) || !cursor_.take(':')) return false;
        if (escaped) name = unescape(name, scratch_);
        return true;
    }

    bool value(slice& s, unsigned depth) {
        const char* const begin = cursor_.here();
        const json_type type = type_of(*begin);
        if (type == json_type::string) {
            std::string_view inner;
            if (!cursor_.string(inner, s.escaped)) return false;
            s.raw = {begin, inner.size() + 2};
        } else {
            if (!cursor_.skip_value(depth)) return false;
            s.raw = {begin, static_cast<std::size_t>(cursor_.value_end() - begin)};
            s.escaped = false;
        }
        s.type = type;
        return true;
    }

    bool known(raw_event& ev, slice& s, std::string_view field, unsigned depth) {
        if (!s.is(json_type::absent)) mark(ev, shape_problem::repeated_field, field);
        return value(s, depth);
    }

    bool member(raw_event& ev, wrapper* wrap, unsigned depth) {
        std::string_view name;
        if (!key(name)) return false;
        const event_key k = find_event_key(name);
        switch (k) {
            case event_key::event:
                if (!ev.event.is(json_type::absent)) ev.event_repeated = true;
                return value(ev.event, depth);
            case event_key::token:
            case event_key::api_key:
            case event_key::dollar_token:
                if (!known(ev, ev.token, "token", depth)) return false;
                if (wrap != nullptr && k != event_key::dollar_token) {
                    wrap->token = ev.token;
                    ++wrap->tokens;
                }
                return true;
            case event_key::distinct_id:
                return known(ev, ev.distinct_id, "distinct_id", depth);
            case event_key::id:
                return known(ev, ev.uuid, "uuid", depth);
            case event_key::properties:
                if (!ev.properties.is(json_type::absent)) {
                    mark(ev, shape_problem::repeated_field, "properties");
                }
                if (cursor_.peek() == '{') return properties(ev, depth + 1);
                return value(ev.properties, depth);
            case event_key::timestamp:
                return known(ev, ev.timestamp, "timestamp", depth);
            case event_key::offset:
                return known(ev, ev.offset, "offset", depth);
            case event_key::set:
                return known(ev, ev.set, "$set", depth);
            case event_key::set_once:
                return known(ev, ev.set_once, "$set_once", depth);
            case event_key::batch:
            case event_key::sent_at:
            case event_key::historical_migration:
                return wrap != nullptr ? wrapper_member(k, *wrap, depth)
                                       : cursor_.skip_value(depth);
            case event_key::other:
                break;
        }
        return cursor_.skip_value(depth);
    }

    bool wrapper_member(event_key k, wrapper& wrap, unsigned depth) {
        if (k == event_key::sent_at) {
            ++wrap.sent_ats;
            return value(wrap.sent_at, depth);
        }
        if (k == event_key::historical_migration) {
            ++wrap.historicals;
            return value(wrap.historical, depth);
        }
        ++wrap.batches;
        if (cursor_.peek() != '[') return value(wrap.batch, depth);
        wrap.batch.type = json_type::array;
        const char* const before = cursor_.surrogate();
        if (wrap.surrogate == nullptr) wrap.surrogate = before;
        if (!array_of_events(depth + 1)) return false;
        cursor_.forget_surrogate();
        return true;
    }

    bool properties(raw_event& ev, unsigned depth) {
        const char* const begin = cursor_.here();
        cursor_.advance();
        ev.values = {};
        if (!cursor_.take('}')) {
            do {
                if (!property(ev.values, depth)) return false;
            } while (cursor_.take(','));
            if (!cursor_.take('}')) return false;
        }
        ev.properties.raw = {begin, static_cast<std::size_t>(cursor_.value_end() - begin)};
        ev.properties.type = json_type::object;
        return true;
    }

    bool property(property_values& v, unsigned depth) {
        std::string_view name;
        if (!key(name)) return false;
        switch (find_property_key(name)) {
            case property_key::token:
                return value(v.token, depth);
            case property_key::distinct_id:
                return value(v.distinct_id, depth);
            case property_key::ignore_sent_at:
                v.ignore_sent_at = type_of(cursor_.peek());
                break;
            case property_key::cookieless_mode:
                v.cookieless_mode = type_of(cursor_.peek());
                break;
            case property_key::capture_internal:
                v.capture_internal = true;
                break;
            case property_key::heatmap_data:
                v.heatmap_data = true;
                break;
            case property_key::prev_pageview_pathname:
                v.prev_pageview_pathname = true;
                break;
            case property_key::current_url:
                v.current_url = true;
                break;
            case property_key::ai_gateway:
                v.ai_gateway = true;
                break;
            case property_key::other:
                break;
        }
        return cursor_.skip_value(depth);
    }

    json_cursor cursor_;
    const parse_options& options_;
    document& out_;
    std::string& scratch_;
};

}  // namespace headrace::ingest
