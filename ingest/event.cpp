#include "ingest/event.hpp"

#include "ingest/envelope.hpp"
#include "ingest/event_facts.hpp"
#include "ingest/json_text.hpp"

namespace headrace::ingest {
namespace {

constexpr std::size_t distinct_id_code_points = 200;
constexpr std::string_view nul_replacement = "\xef\xbf\xbd";

bool blank(std::string_view s) {
    if (!s.empty() && s[0] > ' ') return false;  // the usual case: an ASCII letter or digit
    return trim_white_space(s).empty();
}

// Replaces NUL bytes; only decoded escapes can produce them.
std::string_view without_nul(std::string_view s, std::string& buffer) {
    if (s.find('\0') == std::string_view::npos) return s;
    std::string out;
    for (const char c : s) {
        if (c == '\0') {
            out += nul_replacement;
        } else {
            out += c;
        }
    }
    buffer = std::move(out);
    return buffer;
}

}  // namespace

text_value decode_text(const slice& s, kafka::arena& memory, std::string& scratch) {
    if (!s.escaped) return {s.inner(), true};
    return {memory.copy(unescape(s.inner(), scratch)), false};
}

std::optional<text_value> resolve_distinct_id(
    const raw_event& ev, kafka::arena& memory, std::string& scratch
) {
    const slice& s = ev.distinct_id.given() ? ev.distinct_id : ev.values.distinct_id;
    if (!s.given()) return std::nullopt;
    if (s.is(json_type::string) && !s.escaped) {
        const std::string_view id = s.inner();
        if (blank(id)) return std::nullopt;
        return text_value{first_code_points(id, distinct_id_code_points), true};
    }
    std::string_view id;
    if (s.is(json_type::string)) {
        id = without_nul(unescape(s.inner(), scratch), scratch);
    } else {
        scratch.clear();
        append_compact(s.raw, scratch);
        id = scratch;
    }
    if (blank(id)) return std::nullopt;
    return text_value{memory.copy(first_code_points(id, distinct_id_code_points)), false};
}

std::optional<std::string_view> found_token(const raw_event& ev, std::string& scratch) {
    const slice* s = &ev.token;
    if (!s->given()) s = &ev.values.token;
    if (!s->is(json_type::string)) return std::nullopt;
    return trim_white_space(s->escaped ? unescape(s->inner(), scratch) : s->inner());
}

std::string_view token_fault(std::string_view token) {
    if (token.empty()) return "empty";
    if (token.size() > 64) return "too_long";
    for (const char c : token) {
        if (static_cast<unsigned char>(c) > 0x7f) return "not_ascii";
    }
    if (token.substr(0, 4) == "phx_") return "personal_api_key";
    if (token.find('\0') != std::string_view::npos) return "null_byte";
    return {};
}

}  // namespace headrace::ingest
