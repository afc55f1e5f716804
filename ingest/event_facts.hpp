#pragma once
// What an event's fields mean: distinct_id (http-v0.md 3.3), token (3.4), decoded texts.
#include "ingest/envelope.hpp"
#include "ingest/event.hpp"
#include "kafka/arena.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace headrace::ingest {

// The decoded string. Without escapes a view into the body, else a copy in `memory`.
text_value decode_text(const slice&, kafka::arena& memory, std::string& scratch);

// The distinct_id of the envelope, or nothing if it counts as missing.
std::optional<text_value> resolve_distinct_id(
    const raw_event&, kafka::arena& memory, std::string& scratch
);

// The event's own token, trimmed; nothing if it has none. Valid until `scratch` changes.
std::optional<std::string_view> found_token(const raw_event&, std::string& scratch);

// Shape check of 3.4: the fault's name, empty if the token is fine.
std::string_view token_fault(std::string_view token);

}  // namespace headrace::ingest
