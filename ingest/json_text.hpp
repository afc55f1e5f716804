#pragma once
// Small tools on JSON text that passed the parser: unescaping, compact text of a value, members of
// an object. All of them rely on the text being valid JSON.
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace headrace::ingest {

// Decodes the bytes between the quotes of a string; a lone surrogate becomes U+FFFD. Returns
// `scratch`, which is overwritten. The result is never longer than `inner`.
std::string_view unescape(std::string_view inner, std::string& scratch);

// Without leading and trailing Unicode White_Space.
std::string_view trim_white_space(std::string_view);

// The first `n` code points.
std::string_view first_code_points(std::string_view, std::size_t n);

// Compact text as serde_json prints a parsed value: no white space, object keys sorted and the
// last of repeated ones kept, numbers as http-v0.md 5.1.
void append_compact(std::string_view json, std::string& out);
void append_number(std::string_view number, std::string& out);

// End of the value that starts at `p` (no white space before it).
const char* skip_json(const char* p, const char* end);
const char* skip_json_space(const char* p, const char* end);

// Calls f(key, member) for each member of an object: `key` between its quotes as written, `member`
// from the key's opening quote to the end of its value, `value` alone.
template <typename F>
void for_each_member(std::string_view object, F&& f) {
    const char* p = object.data() + 1;
    const char* const end = object.data() + object.size();
    for (;;) {
        p = skip_json_space(p, end);
        if (p >= end || *p != '"') return;
        const char* const begin = p;
        const char* const key_end = skip_json(p, end);
        p = skip_json_space(key_end, end);
        p = skip_json_space(p + 1, end);
        const char* const value_begin = p;
        p = skip_json(p, end);
        f(std::string_view(begin + 1, static_cast<std::size_t>(key_end - begin) - 2),
          std::string_view(begin, static_cast<std::size_t>(p - begin)),
          std::string_view(value_begin, static_cast<std::size_t>(p - value_begin)));
        p = skip_json_space(p, end);
        if (p >= end || *p != ',') return;
        ++p;
    }
}

}  // namespace headrace::ingest
