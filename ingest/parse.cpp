#include "ingest/parse.hpp"

#include "ingest/json_text.hpp"
#include "ingest/parse_cursor.hpp"
#include "ingest/parse_diagnose.hpp"
#include "ingest/parse_fields.hpp"
#include "ingest/parse_index.hpp"

#include <charconv>
#include <limits>

namespace headrace::ingest {
namespace {

constexpr std::string_view no_variant =
    "data did not match any variant of untagged enum RawRequest";

json_type type_of(char first) {
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

void mark(raw_event& ev, shape_problem problem, std::string_view field) {
    if (ev.problem != shape_problem::none) return;
    ev.problem = problem;
    ev.field = field;
}

bool optional_type(const slice& s, json_type wanted) { return !s.given() || s.is(wanted); }

void check_uuid(raw_event& ev, std::string& scratch) {
    if (!ev.uuid.given()) return;
    if (!ev.uuid.is(json_type::string)) return mark(ev, shape_problem::bad_uuid, "uuid");
    std::string_view text = ev.uuid.inner();
    if (ev.uuid.escaped) text = unescape(text, scratch);
    if (text.empty()) return;
    const auto id = parse_uuid(text);
    if (!id) return mark(ev, shape_problem::bad_uuid, "uuid");
    ev.id = *id;
    ev.has_id = true;
}

void check_offset(raw_event& ev) {
    if (!ev.offset.given()) return;
    const std::string_view raw = ev.offset.raw;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), ev.offset_ms);
    const bool whole = ev.offset.is(json_type::number) && end == raw.data() + raw.size();
    if (error != std::errc{} || !whole || raw == "-0") {
        mark(ev, shape_problem::bad_offset, "offset");
    }
}

// Types of the known fields (3.2). `event` is judged by raw_event::as_event().
void check_fields(raw_event& ev, std::string& scratch) {
    if (!optional_type(ev.token, json_type::string)) {
        mark(ev, shape_problem::wrong_type, "token");
    }
    check_uuid(ev, scratch);
    if (!ev.properties.is(json_type::absent) && !ev.properties.is(json_type::object)) {
        mark(ev, shape_problem::wrong_type, "properties");
    }
    if (!optional_type(ev.timestamp, json_type::string)) {
        mark(ev, shape_problem::wrong_type, "timestamp");
    }
    check_offset(ev);
    if (!optional_type(ev.set, json_type::object)) mark(ev, shape_problem::wrong_type, "$set");
    if (!optional_type(ev.set_once, json_type::object)) {
        mark(ev, shape_problem::wrong_type, "$set_once");
    }
    for (const slice* id : {&ev.distinct_id, &ev.values.distinct_id}) {
        if (!id->is(json_type::string) && id->raw.size() > json_id_max) {
            mark(ev, shape_problem::too_long_id, "distinct_id");
        }
    }
}

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

bool fits_batch(const wrapper& w) {
    const auto flag = w.historical.type;
    return w.tokens == 1 && w.token.is(json_type::string) && w.batches == 1 &&
           w.batch.is(json_type::array) && w.sent_ats <= 1 &&
           optional_type(w.sent_at, json_type::string) && w.historicals <= 1 &&
           (!w.historical.given() || flag == json_type::yes || flag == json_type::no);
}

}  // namespace

struct parser::impl {
    structural_index index;
    std::string scratch;
    raw_event top;

    std::optional<reject> run(std::string_view text, const parse_options& options, document& out);
    std::optional<reject> array(std::string_view text, const parse_options&, document&);
    std::optional<reject>
    object(std::string_view text, const wrapper&, const char* surrogate, const parse_options&, document&);
};

parser::parser() : impl_(std::make_unique<impl>()) {}
parser::~parser() = default;

std::optional<reject> parser::parse(
    char* text,
    std::size_t size,
    std::string_view utf8_detail,
    const parse_options& options,
    document& out
) {
    out.events.clear();
    out.excess = 0;
    out.excess_text = {};
    out.token = out.sent_at = {};
    out.historical_migration = false;
    const std::string_view whole(text, size);
    if (size == 0) return reject{reason::bad_json, diagnose_json(whole)};
    if (size > std::numeric_limits<std::uint32_t>::max() - 1024) {
        return reject{reason::no_memory, {}};
    }
    switch (impl_->index.build(text, size)) {
        case index_result::ok:
            break;
        case index_result::not_utf8:
            return reject{reason::bad_encoding, std::string(utf8_detail)};
        case index_result::malformed:
            return reject{reason::bad_json, diagnose_json(whole)};
        case index_result::no_memory:
            return reject{reason::no_memory, {}};
    }
    const char saved = text[size];
    text[size] = '\0';
    auto refused = impl_->run(whole, options, out);
    text[size] = saved;
    return refused;
}

std::optional<reject> parser::impl::run(
    std::string_view text, const parse_options& options, document& out
) {
    const json_cursor start(text.data(), text.size(), index.positions());
    walk w(start, options, out, scratch);
    json_cursor& cursor = w.cursor();
    wrapper wrap;
    top = {};
    const char first = cursor.peek();
    bool ok = false;
    if (first == '{') {
        ok = w.object(top, &wrap, 1);
    } else if (first == '[') {
        ok = w.array_of_events(1);
    } else {
        ok = cursor.skip_value(0);
    }
    if (!ok || cursor.here() != cursor.end()) {
        out.events.clear();
        out.excess = 0;
        return reject{reason::bad_json, diagnose_json(text)};
    }
    if (first == '[') return array(text, options, out);
    if (first == '{') return object(text, wrap, cursor.surrogate(), options, out);
    if (cursor.surrogate() != nullptr) return reject{reason::bad_json, diagnose_json(text)};
    return reject{reason::bad_json, std::string(no_variant)};
}

// Strict mode: what the first event that does not fit does to the whole request.
namespace {

bool any_surrogate(const document& d) {
    for (const raw_event& ev : d.events) {
        if (ev.problem == shape_problem::lone_surrogate) return true;
    }
    return false;
}

bool all_fit(const document& d) {
    for (const raw_event& ev : d.events) {
        if (ev.as_event() != shape_problem::none) return false;
    }
    return true;
}

// Puts positions into the surrogate problems, whose field marks the place.
void keep_surrogate_position(raw_event& ev, const char* at) {
    if (at == nullptr) return;
    ev.problem = shape_problem::lone_surrogate;
    ev.field = {at, 0};
}

}  // namespace

std::optional<reject> parser::impl::array(
    std::string_view text, const parse_options& options, document& out
) {
    out.shape = payload_shape::array;
    if (out.events.empty()) return std::nullopt;
    if (!options.salvage && any_surrogate(out))
        return reject{reason::bad_json, diagnose_json(text)};
    const bool positional = out.events.front().problem == shape_problem::not_an_object;
    if (positional || (!options.salvage && !all_fit(out))) {
        return reject{reason::bad_json, std::string(no_variant)};
    }
    return std::nullopt;
}

std::optional<reject> parser::impl::object(
    std::string_view text,
    const wrapper& wrap,
    const char* surrogate,
    const parse_options& options,
    document& out
) {
    const char* const outside = wrap.surrogate != nullptr ? wrap.surrogate : surrogate;
    const bool whole_fails = outside != nullptr || any_surrogate(out);
    if (!options.salvage && whole_fails) return reject{reason::bad_json, diagnose_json(text)};
    if (fits_batch(wrap) && (options.salvage || all_fit(out))) {
        if (outside != nullptr) return reject{reason::bad_json, diagnose_json(text)};
        out.shape = payload_shape::batch;
        out.token = wrap.token;
        out.sent_at = wrap.sent_at;
        out.historical_migration = wrap.historical.is(json_type::yes);
        return std::nullopt;
    }
    // One event, or an engage body: the object itself. Elements of a `batch` that did not fit are
    // unknown keys of it.
    const char* inside = outside;
    for (const raw_event& ev : out.events) {
        if (inside == nullptr && ev.problem == shape_problem::lone_surrogate) {
            inside = ev.field.data();
        }
    }
    out.events.clear();
    out.excess = 0;
    keep_surrogate_position(top, inside);
    out.events.push_back(top);
    const bool engage = top.event_repeated || !top.event.is(json_type::string);
    out.shape = engage ? payload_shape::engage : payload_shape::one;
    if (top.problem == shape_problem::none || options.salvage) return std::nullopt;
    return reject{reason::bad_json, std::string(no_variant)};
}

std::size_t parser::held_bytes() const {
    return impl_->index.held_bytes() + impl_->scratch.capacity();
}

void parser::release() {
    impl_->index.release();
    if (impl_->scratch.capacity() > structural_index::keep_text_bytes) impl_->scratch = {};
}

reject shape_reject(const raw_event& ev, shape_problem problem) {
    const std::string field = "`" + std::string(ev.field) + "`";
    switch (problem) {
        case shape_problem::not_an_object:
            return {reason::invalid_event, "an event must be an object"};
        case shape_problem::missing_event:
            return {reason::hydration, {}};
        case shape_problem::repeated_field:
            return {reason::invalid_event, field + " is given more than once"};
        case shape_problem::wrong_type: {
            const bool object = ev.field == "properties" || ev.field.substr(0, 1) == "$";
            return {
                reason::invalid_event,
                field + (object ? " must be an object" : " must be a string")};
        }
        case shape_problem::bad_uuid:
            return {reason::invalid_event, "`uuid` is not a UUID"};
        case shape_problem::bad_offset:
            return {reason::invalid_event, "`offset` must be an integer of at most 64 bits"};
        case shape_problem::lone_surrogate:
            return {
                reason::invalid_event,
                "lone surrogate escape at byte " +
                    std::to_string(ev.field.data() - ev.text.data()) + " of the event"};
        case shape_problem::too_long_id:
            return {
                reason::invalid_event,
                "`distinct_id` is longer than " + std::to_string(json_id_max) + " bytes"};
        case shape_problem::none:
            break;
    }
    return {reason::invalid_event, {}};
}

}  // namespace headrace::ingest
