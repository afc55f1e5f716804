// http-v0.md 2.1: pairs in their order, the first wrong one decides the error text.
#include "ingest/form.hpp"

#include <concepts>
#include <cstdint>

namespace headrace::ingest {

namespace {

constexpr std::string_view not_a_digit = "invalid digit found in string";

// Decimal with an optional sign. Returns the error text, empty if good. A wrong character is
// noticed before the overflow that its own position would cause, but after an earlier one.
template <std::signed_integral T>
std::string_view parse_decimal(std::string_view text, T& out) {
    if (text.empty()) return "cannot parse integer from empty string";
    const bool negative = text[0] == '-';
    if (negative || text[0] == '+') text.remove_prefix(1);
    if (text.empty()) return not_a_digit;
    T value = 0;
    for (const char c : text) {
        const bool too_big = __builtin_mul_overflow(value, T{10}, &value);
        if (c < '0' || c > '9') return not_a_digit;
        const T digit = static_cast<T>(negative ? '0' - c : c - '0');
        if (too_big || __builtin_add_overflow(value, digit, &value)) {
            return negative ? "number too small to fit in target type"
                            : "number too large to fit in target type";
        }
    }
    out = value;
    return {};
}

reject bad_query(std::string_view detail) { return {reason::bad_query, std::string(detail)}; }

reject duplicate(std::string_view name) {
    return bad_query("duplicate field `" + std::string(name) + "`");
}

struct seen_fields {
    bool compression = false, data = false, sent_at = false, beacon = false;
};

template <std::signed_integral T>
std::optional<reject> parse_number(std::string_view encoded, T& out) {
    std::string scratch;
    const auto error = parse_decimal(form_component(encoded, scratch), out);
    if (!error.empty()) return bad_query(error);
    return std::nullopt;
}

std::optional<reject> take_pair(const form_pair& pair, seen_fields& seen, query_parameters& out) {
    std::string scratch;
    const auto name = form_name(pair.name, scratch);
    if (name == "compression") {
        if (seen.compression) return duplicate(name);
        seen.compression = true;
        out.compression = parse_compression(form_component(pair.value, scratch), false);
    } else if (name == "data") {
        if (seen.data) return duplicate(name);
        seen.data = true;
        form_decode_component(pair.value, out.data);
        out.has_data = !out.data.empty();
    } else if (name == "_" || name == "sent_at") {
        if (seen.sent_at) return duplicate("sent_at");
        seen.sent_at = true;
        std::int64_t value = 0;
        if (auto error = parse_number(pair.value, value)) return error;
        out.sent_at_ms = value;
    } else if (name == "beacon") {
        if (seen.beacon) return duplicate(name);
        seen.beacon = true;
        std::int32_t value = 0;
        if (auto error = parse_number(pair.value, value)) return error;
        out.beacon = value == 1;
    }
    return std::nullopt;
}

}  // namespace

std::optional<reject> parse_query(std::string_view query, query_parameters& out) {
    out.compression = compression_hint::none;
    out.has_data = false;
    out.data.clear();
    out.sent_at_ms.reset();
    out.beacon = false;
    seen_fields seen;
    while (const auto pair = next_form_pair(query)) {
        if (auto error = take_pair(*pair, seen, out)) return error;
    }
    return std::nullopt;
}

}  // namespace headrace::ingest
