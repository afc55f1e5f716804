#include "ingest/parse.hpp"

#include "ingest/parse_diagnose.hpp"
#include "ingest/parse_index.hpp"
#include "ingest/parse_walk.hpp"

#include <limits>

namespace headrace::ingest {
namespace {

constexpr std::string_view no_variant =
    "data did not match any variant of untagged enum RawRequest";

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
