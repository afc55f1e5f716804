#pragma once
// Walks the structural index and checks every value by JSON's grammar (RFC 8259): literals,
// numbers that fit a double, escapes, nesting of at most 127 (http-v0.md 2.7). It says only yes or
// no; parse_diagnose.hpp finds the words for a no. A lone surrogate escape is remembered and does
// not stop the walk, because it costs only the event that it is in (D16).
//
// The text needs a NUL byte at its end, so that reading past a truncated text fails by itself.
#include <cstdint>
#include <cstring>
#include <string_view>

namespace headrace::ingest {

constexpr unsigned nesting_max = 127;

constexpr bool is_json_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

class json_cursor {
public:
    json_cursor(const char* text, std::size_t size, const std::uint32_t* positions)
        : text_(text), end_(text + size), at_(positions), backslash_(text) {
        find_backslash(text);
    }

    char peek() const { return text_[*at_]; }
    const char* here() const { return text_ + *at_; }
    const char* end() const { return end_; }
    void advance() { ++at_; }
    bool take(char c) {
        if (peek() != c) return false;
        ++at_;
        return true;
    }

    // End of the value that was just skipped: the byte after its last one.
    const char* value_end() const {
        const char* p = here();
        while (is_json_space(p[-1])) --p;
        return p;
    }

    // At an opening quote: the bytes between the quotes; `escaped` if there is a backslash.
    bool string(std::string_view& inner, bool& escaped) {
        if (peek() != '"') return false;
        const char* begin = here() + 1;
        const char* close = text_ + at_[1] - 1;
        while (*close != '"') --close;
        ++at_;
        inner = {begin, static_cast<std::size_t>(close - begin)};
        escaped = backslash_ < close;
        return !escaped || escapes(begin, close);
    }

    // `depth`: containers open around the value.
    bool skip_value(unsigned depth) {
        if (peek() != '"') return skip_other(depth);
        std::string_view inner;
        bool escaped = false;
        return string(inner, escaped);
    }

    // First lone surrogate since the last call of forget_surrogate(), or null.
    const char* surrogate() const { return surrogate_; }
    void forget_surrogate() { surrogate_ = nullptr; }

private:
    bool skip_other(unsigned depth) {
        switch (peek()) {
            case '{':
                return skip_object(depth + 1);
            case '[':
                return skip_array(depth + 1);
            case 't':
                return literal("true");
            case 'f':
                return literal("false");
            case 'n':
                return literal("null");
            default:
                return number();
        }
    }

    // `depth`: this container included.
    bool skip_object(unsigned depth) {
        if (depth > nesting_max) return false;
        ++at_;
        if (take('}')) return true;
        for (;;) {
            std::string_view key;
            bool escaped = false;
            if (!string(key, escaped) || !take(':') || !skip_value(depth)) return false;
            if (take(',')) continue;
            return take('}');
        }
    }

    bool skip_array(unsigned depth) {
        if (depth > nesting_max) return false;
        ++at_;
        if (take(']')) return true;
        for (;;) {
            if (!skip_value(depth)) return false;
            if (take(',')) continue;
            return take(']');
        }
    }

    // A scalar must reach up to white space or to the next structural position.
    bool ends_at(const char* p) {
        if (p != text_ + at_[1] && !is_json_space(*p)) return false;
        ++at_;
        return true;
    }

    bool literal(std::string_view word) {
        const char* p = here();
        if (static_cast<std::size_t>(end_ - p) < word.size()) return false;
        return std::memcmp(p, word.data(), word.size()) == 0 && ends_at(p + word.size());
    }

    static bool digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

    bool number() {
        const char* const begin = here();
        const char* p = begin;
        if (*p == '-') ++p;
        if (*p == '0') {
            ++p;
        } else {
            if (!digit(*p)) return false;
            while (digit(*p)) ++p;
        }
        if (*p == '.') {
            ++p;
            if (!digit(*p)) return false;
            while (digit(*p)) ++p;
        }
        bool exponent = false;
        if (*p == 'e' || *p == 'E') {
            exponent = true;
            ++p;
            if (*p == '+' || *p == '-') ++p;
            if (!digit(*p)) return false;
            while (digit(*p)) ++p;
        }
        if ((exponent || p - begin > 300) && !fits_double(begin, p)) return false;
        return ends_at(p);
    }

    void find_backslash(const char* from) {
        const void* p = std::memchr(from, '\\', static_cast<std::size_t>(end_ - from));
        backslash_ = p == nullptr ? end_ : static_cast<const char*>(p);
    }

    bool escapes(const char* begin, const char* close);  // parse_cursor.cpp
    static bool fits_double(const char* begin, const char* end);

    const char* text_;
    const char* end_;
    const std::uint32_t* at_;
    const char* backslash_;  // first one not yet passed, or end_
    const char* surrogate_ = nullptr;
};

// True unless the number (valid by grammar) is beyond the range of a double.
bool number_fits_double(std::string_view number);

enum class escape_check : std::uint8_t { ok, lone_surrogate, bad };
// One escape at `p` (a backslash); moves `p` behind it, over both halves of a surrogate pair.
escape_check check_escape(const char*& p, const char* end);

}  // namespace headrace::ingest
