// http-v0.md 2.4: standard alphabet, canonical padding, zero trailing bits, nothing else.
#include "ingest/decode.hpp"

#include <array>
#include <cstdint>

namespace headrace::ingest {

namespace {

constexpr std::uint8_t invalid = 0x80;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(invalid);
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}

constexpr auto values = make_values();

std::uint32_t value_of(char c) { return values[static_cast<unsigned char>(c)]; }

// Four characters to three bytes; false if one is outside the alphabet.
bool decode_group(const char* in, char* out) {
    const std::uint32_t a = value_of(in[0]), b = value_of(in[1]);
    const std::uint32_t c = value_of(in[2]), d = value_of(in[3]);
    const std::uint32_t bits = a << 18 | b << 12 | c << 6 | d;
    out[0] = static_cast<char>(bits >> 16);
    out[1] = static_cast<char>(bits >> 8);
    out[2] = static_cast<char>(bits);
    return ((a | b | c | d) & invalid) == 0;
}

}  // namespace

bool base64_decode(std::string_view in, std::string& out) {
    out.clear();
    if (in.size() % 4 != 0) return false;
    if (in.empty()) return true;
    std::size_t padding = 0;
    if (in.back() == '=') padding = in[in.size() - 2] == '=' ? 2 : 1;

    const std::size_t groups = in.size() / 4;
    out.resize(groups * 3);
    bool good = true;
    for (std::size_t i = 0; i + 1 < groups; ++i) {
        good &= decode_group(in.data() + i * 4, out.data() + i * 3);
        if (!good) break;
    }
    char last[4];
    in.substr(in.size() - 4).copy(last, 4);
    for (std::size_t i = 0; i < padding; ++i) last[3 - i] = 'A';
    char* tail = out.data() + (groups - 1) * 3;
    good = good && decode_group(last, tail);
    for (std::size_t i = 0; i < padding; ++i) good = good && tail[2 - i] == 0;
    if (!good) {
        out.clear();
        return false;
    }
    out.resize(groups * 3 - padding);
    return true;
}

}  // namespace headrace::ingest
