#pragma once
// Stored records as text, for the spool command. Pure.
#include "kafka/spool.hpp"

#include <string>
#include <string_view>

namespace headrace::kafka {

// RFC 3339 in UTC with milliseconds.
std::string rfc3339(std::int64_t ns);

// Quoted. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
bool valid_utf8(std::string_view);

// One JSON object without the line's end: seq, topic, key, headers, value, stored_at, instance.
// If the value is not UTF-8, `value_base64` has its exact bytes.
std::string json_line(const stored_record&, std::string_view instance);
// For people: long values are cut, control characters escaped.
std::string human_line(const stored_record&);

}  // namespace headrace::kafka
