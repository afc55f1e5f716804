#include "kafka/spool_render.hpp"

#include <cstdio>
#include <ctime>

namespace headrace::kafka {
namespace {

constexpr std::string_view hex = "0123456789abcdef";
constexpr std::string_view replacement = "\xEF\xBF\xBD";

// Bytes of the UTF-8 character at the start of `text`; 0: there is none.
std::size_t utf8_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    std::size_t size = 0;
    unsigned char low = 0x80, high = 0xBF;
    if (first >= 0xC2 && first <= 0xDF) size = 2;
    if (first >= 0xE0 && first <= 0xEF) size = 3;
    if (first >= 0xF0 && first <= 0xF4) size = 4;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    if (size == 0 || text.size() < size || byte(1) < low || byte(1) > high) return 0;
    for (std::size_t i = 2; i < size; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    return size;
}

void append_escaped(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default:
            break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
        out += c;
        return;
    }
    out += "\\u00";
    out += hex[byte >> 4];
    out += hex[byte & 15];
}

void append_text(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const std::size_t size = utf8_character(text);
        if (size == 0)
            out += replacement;
        else if (size == 1)
            append_escaped(out, text[0]);
        else
            out += text.substr(0, size);
        text.remove_prefix(size == 0 ? 1 : size);
    }
}

void append_base64(std::string& out, std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group =
                group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k)
            out += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
}

void append_nullable(std::string& out, std::string_view text) {
    if (text.data() == nullptr)
        out += "null";
    else
        append_json_string(out, text);
}

}  // namespace

std::string rfc3339(std::int64_t ns) {
    std::int64_t seconds = ns / 1'000'000'000, rest = ns % 1'000'000'000;
    if (rest < 0) {
        rest += 1'000'000'000;
        --seconds;
    }
    const std::time_t when = seconds;
    std::tm parts{};
    gmtime_r(&when, &parts);
    char date[32];
    const std::size_t size = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    char fraction[8];
    std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(rest / 1'000'000));
    return std::string(date, size) + fraction;
}

bool valid_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t size = utf8_character(text);
        if (size == 0) return false;
        text.remove_prefix(size);
    }
    return true;
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    append_text(out, text);
    out += '"';
}

std::string json_line(const stored_record& r, std::string_view instance) {
    std::string out = "{\"seq\":" + std::to_string(r.sequence) + ",\"topic\":";
    append_json_string(out, r.topic);
    out += ",\"key\":";
    append_nullable(out, r.key);
    out += ",\"headers\":{";
    for (const header& h : r.headers) {
        if (out.back() != '{') out += ',';
        append_json_string(out, h.name);
        out += ':';
        append_nullable(out, h.value);
    }
    out += "},\"value\":";
    append_json_string(out, r.value);
    if (!valid_utf8(r.value)) {
        out += ",\"value_base64\":\"";
        append_base64(out, r.value);
        out += '"';
    }
    out += ",\"stored_at\":\"" + rfc3339(r.stored_at_ns) + "\",\"instance\":";
    append_json_string(out, instance);
    return out + '}';
}

std::string human_line(const stored_record& r) {
    constexpr std::size_t value_max = 160;
    std::string out = std::to_string(r.sequence) + "  " + rfc3339(r.stored_at_ns) + "  ";
    append_text(out, r.topic);
    out += "  ";
    append_text(out, r.key.data() == nullptr ? "-" : r.key);
    out += "  ";
    // A record that fits is shown as it is: escaped quotes make JSON unreadable.
    std::string_view value = r.value.substr(0, value_max);
    for (; !value.empty();) {
        const std::size_t size = utf8_character(value);
        const bool plain = size == 1 && (value[0] == '"' || value[0] == '\\');
        if (plain)
            out += value[0];
        else
            append_text(out, value.substr(0, size == 0 ? 1 : size));
        value.remove_prefix(size == 0 ? 1 : size);
    }
    if (r.value.size() > value_max) out += "... (" + std::to_string(r.value.size()) + " bytes)";
    return out;
}

}  // namespace headrace::kafka
