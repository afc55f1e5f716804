#include "ingest/utf8_scan.hpp"

#include <cstdint>
#include <cstring>

namespace headrace::ingest {

namespace {

struct lead {
    std::size_t size;          // 0: not a lead byte
    unsigned char low = 0x80;  // bounds of the second byte
    unsigned char high = 0xbf;
};

lead classify(unsigned char b) {
    if (b < 0x80) return {1};
    if (b < 0xc2) return {0};
    if (b < 0xe0) return {2};
    if (b == 0xe0) return {3, 0xa0, 0xbf};
    if (b == 0xed) return {3, 0x80, 0x9f};
    if (b < 0xf0) return {3};
    if (b == 0xf0) return {4, 0x90, 0xbf};
    if (b < 0xf4) return {4};
    if (b == 0xf4) return {4, 0x80, 0x8f};
    return {0};
}

// Bytes of the ASCII words at the start of `in`.
std::size_t ascii_words(std::string_view in) {
    std::size_t at = 0;
    for (std::uint64_t word = 0; in.size() - at >= sizeof word; at += sizeof word) {
        std::memcpy(&word, in.data() + at, sizeof word);
        if ((word & 0x8080808080808080U) != 0) break;
    }
    return at;
}

}  // namespace

utf8_sequence next_utf8(std::string_view in) {
    const auto expected = classify(static_cast<unsigned char>(in[0]));
    if (expected.size == 0) return {1, false};
    for (std::size_t i = 1; i < expected.size; ++i) {
        if (i >= in.size()) return {i, false};
        const auto b = static_cast<unsigned char>(in[i]);
        const unsigned char low = i == 1 ? expected.low : 0x80;
        const unsigned char high = i == 1 ? expected.high : 0xbf;
        if (b < low || b > high) return {i, false};
    }
    return {expected.size, true};
}

bool is_utf8(std::string_view in) {
    while (!in.empty()) {
        in.remove_prefix(ascii_words(in));
        if (in.empty()) break;
        const auto sequence = next_utf8(in);
        if (!sequence.valid) return false;
        in.remove_prefix(sequence.size);
    }
    return true;
}

void replace_bad_utf8(std::string& text, std::string& scratch) {
    if (is_utf8(text)) return;
    scratch.clear();
    for (std::string_view rest = text; !rest.empty();) {
        const auto sequence = next_utf8(rest);
        scratch.append(sequence.valid ? rest.substr(0, sequence.size) : "\xef\xbf\xbd");
        rest.remove_prefix(sequence.size);
    }
    text.swap(scratch);
}

}  // namespace headrace::ingest
