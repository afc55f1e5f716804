#include "ingest/form.hpp"

#include "ingest/utf8_scan.hpp"

#include <algorithm>
#include <array>

namespace headrace::ingest {

namespace {

constexpr std::size_t longest_name = 11;  // "compression", of the names that mean something
constexpr std::size_t sniffed = 128;      // bytes that decide whether a payload is a form (2.4)

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal(std::string_view a, std::string_view b, bool case_sensitive) {
    if (case_sensitive) return a == b;
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return lower(x) == y;
    });
}

// True if decoding would change nothing.
bool is_plain(std::string_view encoded) {
    return std::all_of(encoded.begin(), encoded.end(), [](char c) {
        return c != '%' && c != '+' && static_cast<unsigned char>(c) < 0x80;
    });
}

bool starts_with_known_field(std::string_view text) {
    return text.starts_with("data=") || text.starts_with("_=") || text.starts_with("ip=") ||
           text.starts_with("compression=");
}

}  // namespace

void form_decode_component(std::string_view in, std::string& out) {
    out.resize(in.size());
    char* to = out.data();
    unsigned char seen = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
        char c = in[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%' && in.size() - i > 2) {
            const int high = hex_value(in[i + 1]), low = hex_value(in[i + 2]);
            if (high >= 0 && low >= 0) {
                c = static_cast<char>(high << 4 | low);
                i += 2;
            }
        }
        seen |= static_cast<unsigned char>(c);
        *to++ = c;
    }
    out.resize(static_cast<std::size_t>(to - out.data()));
    if (seen < 0x80) return;
    std::string scratch;
    replace_bad_utf8(out, scratch);
}

bool looks_like_form(std::string_view payload) {
    payload = payload.substr(0, sniffed);
    for (;;) {
        if (starts_with_known_field(payload)) return true;
        const auto separator = payload.find('&');
        if (separator == std::string_view::npos) return false;
        payload.remove_prefix(separator + 1);
    }
}

std::optional<form_pair> next_form_pair(std::string_view& rest) {
    while (!rest.empty()) {
        const auto piece = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), piece.size() + 1));
        if (piece.empty()) continue;
        const auto equals = piece.find('=');
        if (equals == std::string_view::npos) return form_pair{piece, {}};
        return form_pair{piece.substr(0, equals), piece.substr(equals + 1)};
    }
    return std::nullopt;
}

std::string_view form_component(std::string_view encoded, std::string& scratch) {
    if (is_plain(encoded)) return encoded;
    form_decode_component(encoded, scratch);
    return scratch;
}

std::string_view form_name(std::string_view encoded, std::string& scratch) {
    if (encoded.size() > longest_name * 3) return {};
    return form_component(encoded, scratch);
}

compression_hint parse_compression(std::string_view name, bool case_sensitive) {
    struct known {
        std::string_view name;
        compression_hint hint;
    };
    static constexpr std::array<known, 6> table{{
        {"gzip", compression_hint::gzip},
        {"gzip-js", compression_hint::gzip},
        {"lz64", compression_hint::lz64},
        {"lz-string", compression_hint::lz64},
        {"base64", compression_hint::base64},
        {"b64", compression_hint::base64},
    }};
    for (const auto& entry : table) {
        if (equal(name, entry.name, case_sensitive)) return entry.hint;
    }
    return compression_hint::none;
}

bool parse_form(std::string_view payload, form_fields& out, std::string& data) {
    out = {};
    bool has_compression = false;
    std::string scratch;
    while (const auto pair = next_form_pair(payload)) {
        const auto name = form_name(pair->name, scratch);
        if (name == "data") {
            if (out.has_data) return false;
            out.has_data = true;
            form_decode_component(pair->value, data);
        } else if (name == "compression") {
            if (has_compression) return false;
            has_compression = true;
            out.compression = parse_compression(form_component(pair->value, scratch), false);
        }
    }
    return true;
}

}  // namespace headrace::ingest
