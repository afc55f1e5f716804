#pragma once
// One UTF-8 sequence at a time, for the few places of decoding where validity decides. The bulk
// check of JSON text is the parser's.
#include <cstddef>
#include <string>
#include <string_view>

namespace headrace::ingest {

struct utf8_sequence {
    std::size_t size = 0;  // bytes of the sequence; if not valid: of its maximal subpart (>= 1)
    bool valid = false;
};

// `in` is not empty.
utf8_sequence next_utf8(std::string_view in);
bool is_utf8(std::string_view in);

// Each maximal subpart of a broken sequence becomes one U+FFFD. `scratch` is used for the copy.
void replace_bad_utf8(std::string& text, std::string& scratch);

}  // namespace headrace::ingest
