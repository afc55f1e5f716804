#include "ingest/parse_diagnose.hpp"

#include "ingest/parse_cursor.hpp"

#include <algorithm>

namespace headrace::ingest {
namespace {

class diagnosis {
public:
    explicit diagnosis(std::string_view text) : text_(text) {}

    std::string run() {
        if (!value(0)) return message_;
        skip_space();
        if (at_ < text_.size()) fail_at_next("trailing characters");
        return message_;
    }

private:
    static constexpr std::size_t npos = std::string_view::npos;

    bool done() const { return at_ >= text_.size(); }
    char peek() const { return text_[at_]; }
    void skip_space() {
        while (!done() && is_json_space(peek())) ++at_;
    }

    // The error is the byte that was just read.
    bool fail(std::string_view what) {
        message_ = std::string(what) + describe_position(text_, std::min(at_, text_.size()));
        return false;
    }
    // The error is the next byte.
    bool fail_at_next(std::string_view what) {
        message_ = std::string(what) + describe_position(text_, std::min(at_ + 1, text_.size()));
        return false;
    }

    bool value(unsigned depth) {
        skip_space();
        if (done()) return fail_at_next("EOF while parsing a value");
        switch (peek()) {
            case '"':
                return string();
            case '{':
                return depth < nesting_max ? object(depth + 1)
                                           : fail_at_next("recursion limit exceeded");
            case '[':
                return depth < nesting_max ? array(depth + 1)
                                           : fail_at_next("recursion limit exceeded");
            case 't':
                return word("true");
            case 'f':
                return word("false");
            case 'n':
                return word("null");
            default:
                return number();
        }
    }

    bool word(std::string_view expected) {
        for (const char c : expected) {
            if (done()) return fail("EOF while parsing a value");
            ++at_;
            if (text_[at_ - 1] != c) return fail("expected ident");
        }
        return true;
    }

    bool digits() {
        if (done()) return fail("EOF while parsing a value");
        if (peek() < '0' || peek() > '9') return fail_at_next("invalid number");
        while (!done() && peek() >= '0' && peek() <= '9') ++at_;
        return true;
    }

    bool number() {
        const std::size_t begin = at_;
        const bool starts = peek() == '-' || (peek() >= '0' && peek() <= '9');
        if (!starts) return fail_at_next("expected value");
        if (peek() == '-') ++at_;
        if (!done() && peek() == '0') {
            ++at_;
            if (!done() && peek() >= '0' && peek() <= '9') return fail_at_next("invalid number");
        } else if (!digits()) {
            return false;
        }
        if (!done() && peek() == '.') {
            ++at_;
            if (!digits()) return false;
        }
        if (!done() && (peek() == 'e' || peek() == 'E')) {
            ++at_;
            if (!done() && (peek() == '+' || peek() == '-')) ++at_;
            if (!digits()) return false;
        }
        if (!number_fits_double(text_.substr(begin, at_ - begin))) {
            return fail("number out of range");
        }
        return true;
    }

    bool string() {
        ++at_;
        while (!done()) {
            const char c = peek();
            if (c == '"') {
                ++at_;
                return true;
            }
            if (static_cast<unsigned char>(c) < 0x20) {
                ++at_;
                return fail("control character (\\u0000-\\u001F) found while parsing a string");
            }
            if (c != '\\') {
                ++at_;
                continue;
            }
            if (!escape()) return false;
        }
        return fail("EOF while parsing a string");
    }

    bool escape() {
        const char* const begin = text_.data() + at_;
        const char* p = begin;
        switch (check_escape(p, text_.data() + text_.size())) {
            case escape_check::ok:
                at_ += static_cast<std::size_t>(p - begin);
                return true;
            case escape_check::lone_surrogate: {
                at_ += 6;
                const bool first_half = std::string_view("89abAB").find(begin[3]) != npos;
                return fail(
                    first_half && text_.substr(at_, 2) != "\\u"
                        ? "unexpected end of hex escape"
                        : "lone leading surrogate in hex escape"
                );
            }
            case escape_check::bad:
                break;
        }
        if (text_.size() - at_ < 2) {
            at_ = text_.size();
            return fail("EOF while parsing a string");
        }
        at_ += 2;
        return fail("invalid escape");
    }

    bool array(unsigned depth) {
        ++at_;
        skip_space();
        if (!done() && peek() == ']') {
            ++at_;
            return true;
        }
        if (done()) return fail_at_next("EOF while parsing a list");
        for (;;) {
            if (!value(depth)) return false;
            skip_space();
            if (done()) return fail_at_next("EOF while parsing a list");
            if (peek() == ']') {
                ++at_;
                return true;
            }
            if (peek() != ',') return fail_at_next("expected `,` or `]`");
            ++at_;
            skip_space();
            if (!done() && peek() == ']') return fail_at_next("trailing comma");
        }
    }

    bool object(unsigned depth) {
        ++at_;
        skip_space();
        if (!done() && peek() == '}') {
            ++at_;
            return true;
        }
        for (;;) {
            skip_space();
            if (done()) return fail_at_next("EOF while parsing an object");
            if (peek() != '"') return fail_at_next("key must be a string");
            if (!string()) return false;
            skip_space();
            if (done()) return fail_at_next("EOF while parsing an object");
            if (peek() != ':') return fail_at_next("expected `:`");
            ++at_;
            if (!value(depth)) return false;
            skip_space();
            if (done()) return fail_at_next("EOF while parsing an object");
            if (peek() == '}') {
                ++at_;
                return true;
            }
            if (peek() != ',') return fail_at_next("expected `,` or `}`");
            ++at_;
            skip_space();
            if (!done() && peek() == '}') return fail_at_next("trailing comma");
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string message_;
};

}  // namespace

std::string describe_position(std::string_view text, std::size_t consumed) {
    const std::string_view before = text.substr(0, consumed);
    const auto lines = std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    const std::size_t column =
        newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
    return " at line " + std::to_string(lines + 1) + " column " + std::to_string(column);
}

std::string diagnose_json(std::string_view text) { return diagnosis(text).run(); }

}  // namespace headrace::ingest
