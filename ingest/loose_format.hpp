#pragma once
// Reading dates by shape and format, for loose_time.cpp: what the regular expressions and the
// strptime formats of http-v0.md 5.4's loose spellings need, and no more. Pure, no allocation.
#include "ingest/civil.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace headrace::ingest::loose {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool same_word(std::string_view text, std::string_view lower_case);

// A shape says which texts a format is tried on. In a shape, D and A with two figures are digits
// and letters with their least and greatest number, S is white space, s white space or nothing,
// M am, pm or nothing, P three to six characters of an offset, Z of a zone; (...) is optional,
// the rest is literal. The whole text has to match, its beginning if `to_end` is false.
bool fits(std::string_view shape, std::string_view text, bool to_end = true);
// Where Z starts, if the text has the shape.
std::optional<std::string_view> zone_in(std::string_view shape, std::string_view text);

// What a format read; a 12-hour clock is already turned into `at.hour`.
struct fields {
    civil_time at{};
    std::int32_t offset = 0;  // seconds east of UTC
    int hour12 = 0;           // 0: none
    bool afternoon = false;
};

// The letters of strptime (Y y m d H I M S P b B), f for an optional fraction of a second, O for
// an offset, Z for any word. White space in a format is any or no white space in the text.
bool read(std::string_view format, std::string_view text, fields& out);

// Pieces. All take what they read off the front of `text`.
void skip_space(std::string_view& text);
bool take_number(std::string_view& text, std::size_t width, std::int64_t& out);
bool take_field(std::string_view& text, int& out);  // one or two digits behind white space
bool take_month(std::string_view& text, bool whole, int& month);
std::string_view take_letters(std::string_view& text);
// Sign, HH, MM. `colon` allows colons and spaces between them, `hours_only` the absence of MM.
bool take_offset(std::string_view& text, bool colon, bool hours_only, std::int32_t& out);

// The North American zones of RFC 2822, GMT and UT; in seconds.
std::optional<std::int32_t> zone_offset(std::string_view name);
// A zone at the end of a loose form. Unknown names are UTC; what follows a number is ignored.
std::optional<std::int32_t> parse_zone(std::string_view text);

}  // namespace headrace::ingest::loose
