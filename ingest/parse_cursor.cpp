#include "ingest/parse_cursor.hpp"

#include <charconv>
#include <cstdlib>

namespace headrace::ingest {
namespace {

// Four hex digits, or -1.
int hex4(const char* p, const char* end) {
    if (end - p < 4) return -1;
    int value = 0;
    for (int i = 0; i < 4; ++i) {
        const char c = p[i];
        int digit = 0;
        if (c >= '0' && c <= '9') {
            digit = c - '0';
        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = c - 'A' + 10;
        } else {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

// Decimal exponent of the first digit that is not zero, capped; only its sign matters here.
long magnitude(std::string_view number) {
    constexpr long cap = 1'000'000'000;
    const std::size_t e = number.find_first_of("eE");
    const std::string_view mantissa = number.substr(0, e);
    long shift = 0;
    bool seen = false, fraction = false;
    for (const char c : mantissa) {
        if (c == '-') continue;
        if (c == '.') {
            fraction = true;
            continue;
        }
        if (c != '0') seen = true;
        if (seen && !fraction) ++shift;
        if (!seen && fraction) --shift;
    }
    if (!seen) return -cap;
    if (e == std::string_view::npos) return shift;
    bool negative = false;
    long exponent = 0;
    for (const char c : number.substr(e + 1)) {
        if (c == '-') negative = true;
        if (c < '0' || c > '9') continue;
        if (exponent < cap) exponent = exponent * 10 + (c - '0');
    }
    return negative ? shift - exponent : shift + exponent;
}

}  // namespace

bool number_fits_double(std::string_view number) {
    double value = 0;
    const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
    if (result.ec != std::errc::result_out_of_range) return true;
    return magnitude(number) <= 0;  // too small is fine: it rounds to zero
}

bool json_cursor::fits_double(const char* begin, const char* end) {
    return number_fits_double({begin, static_cast<std::size_t>(end - begin)});
}

escape_check check_escape(const char*& p, const char* end) {
    if (end - p < 2) return escape_check::bad;
    const char kind = p[1];
    if (kind != 'u') {
        static constexpr std::string_view simple = "\"\\/bfnrt";
        if (simple.find(kind) == std::string_view::npos) return escape_check::bad;
        p += 2;
        return escape_check::ok;
    }
    const int first = hex4(p + 2, end);
    if (first < 0) return escape_check::bad;
    p += 6;
    if (first < 0xd800 || first > 0xdfff) return escape_check::ok;
    if (first > 0xdbff) return escape_check::lone_surrogate;
    if (end - p < 2 || p[0] != '\\' || p[1] != 'u') return escape_check::lone_surrogate;
    const int second = hex4(p + 2, end);
    if (second < 0) return escape_check::bad;
    if (second < 0xdc00 || second > 0xdfff) return escape_check::lone_surrogate;
    p += 6;
    return escape_check::ok;
}

bool json_cursor::escapes(const char* begin, const char* close) {
    const char* p = backslash_ < begin ? begin : backslash_;
    while (p < close) {
        if (*p != '\\') {
            const void* next = std::memchr(p, '\\', static_cast<std::size_t>(close - p));
            if (next == nullptr) break;
            p = static_cast<const char*>(next);
        }
        const char* const at = p;
        const escape_check result = check_escape(p, close);
        if (result == escape_check::bad) return false;
        if (result == escape_check::lone_surrogate && surrogate_ == nullptr) surrogate_ = at;
    }
    find_backslash(close);
    return true;
}

}  // namespace headrace::ingest
