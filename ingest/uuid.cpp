#include "ingest/uuid.hpp"

#include <bit>
#include <cstddef>
#include <cstring>
#include <random>

namespace headrace::ingest {
namespace {

constexpr std::uint8_t no_digit = 0xFF;

constexpr std::array<std::uint8_t, 256> hex_values = [] {
    std::array<std::uint8_t, 256> out{};
    out.fill(no_digit);
    for (std::uint8_t i = 0; i < 10; ++i) out['0' + i] = i;
    for (std::uint8_t i = 0; i < 6; ++i) {
        out['a' + i] = static_cast<std::uint8_t>(10 + i);
        out['A' + i] = static_cast<std::uint8_t>(10 + i);
    }
    return out;
}();

constexpr std::array<std::array<char, 2>, 256> hex_pairs = [] {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> out{};
    for (std::size_t i = 0; i < 256; ++i) out[i] = {digits[i >> 4], digits[i & 15]};
    return out;
}();

// Where the digits of each byte are in the hyphenated form.
constexpr std::array<std::size_t, 16> places{
    0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

// 32 digits, with hyphens 36 bytes. The length was checked.
template <bool hyphens>
std::optional<uuid> parse_digits(const char* p) {
    uuid out;
    unsigned seen = 0;  // above 0x0F once a byte was no digit
    if (hyphens && (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')) {
        return std::nullopt;
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; ++i) {
        const char* pair = p + (hyphens ? places[i] : 2 * i);
        const unsigned high = hex_values[static_cast<unsigned char>(pair[0])];
        const unsigned low = hex_values[static_cast<unsigned char>(pair[1])];
        seen |= high | low;
        out[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    if (seen > 0x0F) return std::nullopt;
    return out;
}

std::uint64_t splitmix(std::uint64_t& state) {
    state += 0x9E3779B97F4A7C15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

std::uint64_t system_word(std::random_device& device) {
    return std::uint64_t{device()} << 32 | device();
}

}  // namespace

std::optional<uuid> parse_uuid(std::string_view text) {
    constexpr std::string_view urn = "urn:uuid:";
    switch (text.size()) {
        case 32:
            return parse_digits<false>(text.data());
        case 36:
            return parse_digits<true>(text.data());
        case 38:
            if (text.front() != '{' || text.back() != '}') return std::nullopt;
            return parse_digits<true>(text.data() + 1);
        case 45:
            if (!text.starts_with(urn)) return std::nullopt;
            return parse_digits<true>(text.data() + urn.size());
        default:
            return std::nullopt;
    }
}

void render_uuid(const uuid& id, char* out) {
#pragma GCC unroll 16
    for (std::size_t i = 0; i < 16; ++i) {
        std::memcpy(out + places[i], hex_pairs[id[i]].data(), 2);
    }
    out[8] = out[13] = out[18] = out[23] = '-';
}

random_source::random_source() {
    std::random_device device;
    for (std::uint64_t& word : state_) word = system_word(device);
    state_[0] |= 1;  // the all-zero state would stay zero
}

random_source::random_source(std::uint64_t seed) {
    for (std::uint64_t& word : state_) word = splitmix(seed);
}

// xoshiro256**
std::uint64_t random_source::next() {
    const std::uint64_t out = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return out;
}

uuid make_uuid_v7(std::int64_t unix_ms, random_source& random) {
    const std::uint64_t ms = unix_ms < 0 ? 0 : static_cast<std::uint64_t>(unix_ms);
    const std::uint64_t high = ms << 16 | 0x7000 | (random.next() >> 52);
    const std::uint64_t low = 0x8000'0000'0000'0000 | random.next() >> 2;
    uuid out;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) {
        out[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
        out[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
    }
    return out;
}

}  // namespace headrace::ingest
