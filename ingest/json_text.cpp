#include "ingest/json_text.hpp"

#include "ingest/escape.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <vector>

namespace headrace::ingest {
namespace {

bool space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

std::uint32_t hex4(const char* p) {
    std::uint32_t value = 0;
    std::from_chars(p, p + 4, value, 16);
    return value;
}

char* put_utf8(std::uint32_t c, char* out) {
    const auto byte = [&out](std::uint32_t b) { *out++ = static_cast<char>(b); };
    if (c < 0x80) {
        byte(c);
    } else if (c < 0x800) {
        byte(0xc0 | (c >> 6));
        byte(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        byte(0xe0 | (c >> 12));
        byte(0x80 | ((c >> 6) & 0x3f));
        byte(0x80 | (c & 0x3f));
    } else {
        byte(0xf0 | (c >> 18));
        byte(0x80 | ((c >> 12) & 0x3f));
        byte(0x80 | ((c >> 6) & 0x3f));
        byte(0x80 | (c & 0x3f));
    }
    return out;
}

// \uXXXX at p (p[1] is 'u'); moves p behind it.
std::uint32_t unicode_escape(const char*& p, const char* end) {
    const std::uint32_t first = hex4(p + 2);
    p += 6;
    if (first < 0xd800 || first > 0xdfff) return first;
    if (first > 0xdbff || end - p < 6 || p[0] != '\\' || p[1] != 'u') return 0xfffd;
    const std::uint32_t second = hex4(p + 2);
    if (second < 0xdc00 || second > 0xdfff) return 0xfffd;
    p += 6;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

char plain_escape(char kind) {
    switch (kind) {
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return kind;
    }
}

bool continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Code points with the White_Space property.
bool white_space(std::uint32_t c) {
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

// Code point of a complete UTF-8 sequence of at most three bytes; others are no white space.
std::uint32_t decode_short(std::string_view s) {
    const auto at = [s](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(s[i]));
    };
    if (s.size() == 1) return at(0);
    if (s.size() == 2) return ((at(0) & 0x1f) << 6) | (at(1) & 0x3f);
    if (s.size() == 3) return ((at(0) & 0x0f) << 12) | ((at(1) & 0x3f) << 6) | (at(2) & 0x3f);
    return 0;
}

// Shortest digits of a double, laid out as serde_json does (http-v0.md 5.1).
void append_double(double value, std::string& out) {
    char buffer[64];
    const auto end =
        std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
    const std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
    const std::size_t e = text.find('e');
    std::string digits;
    for (const char c : text.substr(0, e)) {
        if (c == '-') out += '-';
        if (c >= '0' && c <= '9') digits += c;
    }
    int exponent = 0;
    const std::size_t sign = text[e + 1] == '+' ? e + 2 : e + 1;
    std::from_chars(text.data() + sign, text.data() + text.size(), exponent);
    while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
    if (digits == "0") {
        out += "0.0";
        return;
    }
    const int count = static_cast<int>(digits.size());
    const int point = exponent + 1;  // digits before the decimal point
    if (count <= point && point <= 16) {
        out += digits;
        out.append(static_cast<std::size_t>(point - count), '0');
        out += ".0";
    } else if (point > 0 && point <= 16) {
        out.append(digits, 0, static_cast<std::size_t>(point));
        out += '.';
        out.append(digits, static_cast<std::size_t>(point));
    } else if (point > -5 && point <= 0) {
        out += "0.";
        out.append(static_cast<std::size_t>(-point), '0');
        out += digits;
    } else {
        out += digits[0];
        if (count > 1) {
            out += '.';
            out.append(digits, 1);
        }
        out += 'e';
        out += std::to_string(exponent);
    }
}

void append_string(std::string_view decoded, std::string& out) {
    const std::size_t before = out.size();
    out.resize(before + escaped_max(decoded.size()) + 1);
    out[before] = '"';
    const char* const end = escape(decoded, out.data() + before + 1);
    out.resize(static_cast<std::size_t>(end - out.data()));
    out += '"';
}

void append_object(std::string_view json, std::string& out) {
    std::vector<std::pair<std::string, std::string_view>> members;
    std::string scratch;
    for_each_member(json, [&](std::string_view key, std::string_view, std::string_view value) {
        members.emplace_back(unescape(key, scratch), value);
    });
    std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
        return a.first < b.first;
    });
    out += '{';
    bool first = true;
    for (std::size_t i = 0; i < members.size(); ++i) {
        if (i + 1 < members.size() && members[i + 1].first == members[i].first) continue;
        if (!first) out += ',';
        first = false;
        append_string(members[i].first, out);
        out += ':';
        append_compact(members[i].second, out);
    }
    out += '}';
}

void append_array(std::string_view json, std::string& out) {
    const char* p = json.data() + 1;
    const char* const end = json.data() + json.size();
    out += '[';
    for (;;) {
        p = skip_json_space(p, end);
        if (p >= end || *p == ']') break;
        if (*p == ',') {
            out += ',';
            ++p;
            continue;
        }
        const char* const begin = p;
        p = skip_json(p, end);
        append_compact({begin, static_cast<std::size_t>(p - begin)}, out);
    }
    out += ']';
}

}  // namespace

std::string_view unescape(std::string_view inner, std::string& scratch) {
    scratch.resize(inner.size());
    char* out = scratch.data();
    const char* p = inner.data();
    const char* const end = p + inner.size();
    while (p < end) {
        const void* found = std::memchr(p, '\\', static_cast<std::size_t>(end - p));
        const char* const stop = found == nullptr ? end : static_cast<const char*>(found);
        std::memcpy(out, p, static_cast<std::size_t>(stop - p));
        out += stop - p;
        p = stop;
        if (p == end) break;
        if (p[1] == 'u') {
            out = put_utf8(unicode_escape(p, end), out);
        } else {
            *out++ = plain_escape(p[1]);
            p += 2;
        }
    }
    return {scratch.data(), static_cast<std::size_t>(out - scratch.data())};
}

std::string_view trim_white_space(std::string_view s) {
    while (!s.empty()) {
        std::size_t n = 1;
        while (n < s.size() && continuation(s[n])) ++n;
        if (!white_space(decode_short(s.substr(0, n)))) break;
        s.remove_prefix(n);
    }
    while (!s.empty()) {
        std::size_t n = 1;
        while (n < s.size() && continuation(s[s.size() - n])) ++n;
        if (!white_space(decode_short(s.substr(s.size() - n)))) break;
        s.remove_suffix(n);
    }
    return s;
}

std::string_view first_code_points(std::string_view s, std::size_t n) {
    if (s.size() <= n) return s;
    std::size_t count = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (continuation(s[i])) continue;
        if (count++ == n) return s.substr(0, i);
    }
    return s;
}

const char* skip_json_space(const char* p, const char* end) {
    while (p < end && space(*p)) ++p;
    return p;
}

const char* skip_json(const char* p, const char* end) {
    std::size_t depth = 0;
    while (p < end) {
        const char c = *p;
        if (c == '"') {
            for (++p; p < end && *p != '"'; ++p) {
                if (*p == '\\') ++p;
            }
            ++p;
        } else if (c == '{' || c == '[') {
            ++depth;
            ++p;
            continue;
        } else if (c == '}' || c == ']') {
            --depth;
            ++p;
        } else if (depth > 0) {
            ++p;
            continue;
        } else {
            while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ':' && !space(*p)) ++p;
        }
        if (depth == 0) return p;
    }
    return end;
}

void append_number(std::string_view number, std::string& out) {
    if (number.find_first_of(".eE") == std::string_view::npos && number != "-0") {
        std::uint64_t u = 0;
        std::int64_t i = 0;
        const char* const end = number.data() + number.size();
        const bool fits = number[0] == '-'
                              ? std::from_chars(number.data(), end, i).ec == std::errc{}
                              : std::from_chars(number.data(), end, u).ec == std::errc{};
        if (fits) {
            out += number;
            return;
        }
    }
    double value = 0;
    const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
    // The parser has refused what is too large, so out of range means too small.
    if (result.ec != std::errc{}) value = number[0] == '-' ? -0.0 : 0.0;
    append_double(value, out);
}

void append_compact(std::string_view json, std::string& out) {
    switch (json[0]) {
        case '"': {
            std::string scratch;
            append_string(unescape(json.substr(1, json.size() - 2), scratch), out);
            return;
        }
        case '{':
            append_object(json, out);
            return;
        case '[':
            append_array(json, out);
            return;
        case 't':
        case 'f':
        case 'n':
            out += json;
            return;
        default:
            append_number(json, out);
    }
}

}  // namespace headrace::ingest
