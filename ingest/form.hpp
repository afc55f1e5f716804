#pragma once
// application/x-www-form-urlencoded text: the query string and form bodies (http-v0.md 2.1, 2.5).
// Pure functions; no limits of their own, output is never longer than three times the input.
#include "ingest/decode.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace headrace::ingest {

// The next `name=value` of `rest`, still encoded; empty pieces between '&' are skipped.
struct form_pair {
    std::string_view name;
    std::string_view value;
};
std::optional<form_pair> next_form_pair(std::string_view& rest);

// The decoded text: `encoded` itself where nothing needs decoding, else it lies in `scratch`.
std::string_view form_component(std::string_view encoded, std::string& scratch);
// The same for a name; empty if it is longer than any spelling of a name that is known here, so
// that hostile names are never copied.
std::string_view form_name(std::string_view encoded, std::string& scratch);

// The names of 2.1 in any case (`case_sensitive` for the header of 2.6); none if unknown.
compression_hint parse_compression(std::string_view name, bool case_sensitive);

// What a form body says (2.5). Error: a key twice.
struct form_fields {
    bool has_data = false;
    compression_hint compression = compression_hint::none;
};
bool parse_form(std::string_view payload, form_fields& out, std::string& data);

}  // namespace headrace::ingest
