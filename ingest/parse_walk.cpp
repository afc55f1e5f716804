#include "ingest/parse_walk.hpp"

#include <charconv>

namespace headrace::ingest {
namespace {

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

}  // namespace

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

}  // namespace headrace::ingest
