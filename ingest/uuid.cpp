#include "ingest/uuid.hpp"

#include <bit>
#include <cstddef>
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

constexpr bool hyphen_before(std::size_t byte) {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

// 32 digits, with hyphens 36 bytes. The length was checked.
std::optional<uuid> parse_digits(const char* p, bool hyphens) {
    uuid out;
    unsigned seen = 0;  // above 0x0F once a byte was no digit
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (hyphens && hyphen_before(i) && *p++ != '-') return std::nullopt;
        const unsigned high = hex_values[static_cast<unsigned char>(*p++)];
        const unsigned low = hex_values[static_cast<unsigned char>(*p++)];
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
            return parse_digits(text.data(), false);
        case 36:
            return parse_digits(text.data(), true);
        case 38:
            if (text.front() != '{' || text.back() != '}') return std::nullopt;
            return parse_digits(text.data() + 1, true);
        case 45:
            if (!text.starts_with(urn)) return std::nullopt;
            return parse_digits(text.data() + urn.size(), true);
        default:
            return std::nullopt;
    }
}

void render_uuid(const uuid& id, char* out) {
    for (std::size_t i = 0; i < id.size(); ++i) {
        if (hyphen_before(i)) *out++ = '-';
        *out++ = hex_pairs[id[i]][0];
        *out++ = hex_pairs[id[i]][1];
    }
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
    for (std::size_t i = 0; i < 8; ++i) {
        out[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
        out[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
    }
    return out;
}

}  // namespace headrace::ingest
