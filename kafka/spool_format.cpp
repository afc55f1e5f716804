#include "kafka/spool_format.hpp"

#include "kafka/crc32c.hpp"

#include <sys/random.h>

#include <bit>
#include <cstring>
#include <random>

namespace headrace::kafka {
namespace {

constexpr std::string_view header_magic{"HRSPOOL\n", 8};
constexpr std::string_view seal_magic{"HRSEAL1\n", 8};
constexpr std::uint32_t null_length = 0xFFFFFFFF;
constexpr std::size_t crc_at = spool_block - 4;

template <typename T>
void put(char* at, T value) {
    if constexpr (std::endian::native == std::endian::big) {
        for (std::size_t i = 0; i < sizeof(T); ++i)
            at[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
    } else {
        std::memcpy(at, &value, sizeof(T));
    }
}

template <typename T>
T get(const char* at) {
    T value{};
    if constexpr (std::endian::native == std::endian::big) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i)
            sum |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
        value = static_cast<T>(sum);
    } else {
        std::memcpy(&value, at, sizeof(T));
    }
    return value;
}

bool block_intact(const char* block) {
    return get<std::uint32_t>(block + crc_at) == crc32c(0, block, crc_at);
}

std::uint32_t head_crc(const char* head, std::uint64_t offset, segment_keys keys) {
    char covered[28];
    put<std::uint64_t>(covered, offset);
    std::memcpy(covered + 8, head, 4);
    std::memcpy(covered + 12, head + 8, 16);
    return crc32c(keys.head, covered, sizeof covered);
}

char* put_bytes(char* at, std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return at + bytes.size();
}

std::uint32_t length_of(std::string_view bytes) {
    return bytes.data() == nullptr ? null_length : static_cast<std::uint32_t>(bytes.size());
}

// Walks a payload; every take() is bounded by its end.
struct payload_cursor {
    const char* at;
    const char* end;
    bool ok = true;

    std::string_view take(std::uint32_t length) {
        if (length == null_length) return {};
        if (static_cast<std::uint64_t>(end - at) < length) {
            ok = false;
            return {};
        }
        const std::string_view bytes(at, length);
        at += length;
        return bytes;
    }
    template <typename T>
    T number() {
        const std::string_view bytes = take(sizeof(T));
        return ok ? get<T>(bytes.data()) : T{};
    }
};

}  // namespace

segment_keys keys_of(const spool_bytes16& salt) {
    return {crc32c(0, salt.data(), 8), crc32c(0, salt.data() + 8, 8)};
}

void encode_header(const segment_header& h, char* block, std::uint32_t version) {
    std::memset(block, 0, spool_block);
    put_bytes(block, header_magic);
    put<std::uint32_t>(block + 8, version);
    block[12] = static_cast<char>(h.mode);
    block[13] = static_cast<char>(h.log);
    put<std::uint64_t>(block + 16, h.number);
    put<std::uint64_t>(block + 24, h.first_sequence);
    put<std::int64_t>(block + 32, h.created_ns);
    std::memcpy(block + 40, h.salt.data(), 16);
    std::memcpy(block + 56, h.instance.data(), 16);
    put<std::uint64_t>(block + 72, h.previous_number);
    put<std::uint64_t>(block + 80, h.previous_end);
    put<std::uint32_t>(block + crc_at, crc32c(0, block, crc_at));
}

header_state decode_header(const char* block, segment_header& h) {
    if (std::string_view(block, 8) != header_magic || !block_intact(block))
        return header_state::damaged;
    if (get<std::uint32_t>(block + 8) > spool_version) return header_state::newer;
    const auto mode = static_cast<std::uint8_t>(block[12]);
    const auto log = static_cast<std::uint8_t>(block[13]);
    if (mode < 1 || mode > 2 || log < 1 || log > 2) return header_state::damaged;
    h.mode = static_cast<spool_mode>(mode);
    h.log = static_cast<spool_log>(log);
    h.number = get<std::uint64_t>(block + 16);
    h.first_sequence = get<std::uint64_t>(block + 24);
    h.created_ns = get<std::int64_t>(block + 32);
    std::memcpy(h.salt.data(), block + 40, 16);
    std::memcpy(h.instance.data(), block + 56, 16);
    h.previous_number = get<std::uint64_t>(block + 72);
    h.previous_end = get<std::uint64_t>(block + 80);
    return header_state::ok;
}

void encode_seal(const segment_seal& s, const spool_bytes16& salt, char* block) {
    std::memset(block, 0, spool_block);
    put_bytes(block, seal_magic);
    put<std::uint64_t>(block + 8, s.end);
    put<std::uint64_t>(block + 16, s.next_sequence);
    put<std::uint64_t>(block + 24, s.records);
    put<std::uint64_t>(block + 32, s.events);
    put<std::int64_t>(block + 40, s.oldest_ns);
    put<std::int64_t>(block + 48, s.newest_ns);
    std::memcpy(block + 64, salt.data(), 16);
    put<std::uint32_t>(block + crc_at, crc32c(0, block, crc_at));
}

std::optional<segment_seal> decode_seal(const char* block, const spool_bytes16& salt) {
    if (std::string_view(block, 8) != seal_magic || !block_intact(block)) return {};
    if (std::memcmp(block + 64, salt.data(), 16) != 0) return {};
    segment_seal s;
    s.end = get<std::uint64_t>(block + 8);
    s.next_sequence = get<std::uint64_t>(block + 16);
    s.records = get<std::uint64_t>(block + 24);
    s.events = get<std::uint64_t>(block + 32);
    s.oldest_ns = get<std::int64_t>(block + 40);
    s.newest_ns = get<std::int64_t>(block + 48);
    return s;
}

std::uint64_t payload_bytes(const record& r) {
    if (r.to->name.size() > 0xFFFF || r.headers.size() > 0xFFFF) return 0;
    std::uint64_t sum = spool_payload_min + r.to->name.size() + r.key.size() + r.value.size();
    for (const header& h : r.headers) {
        if (h.name.size() > 0xFFFF) return 0;
        sum += 6 + h.name.size() + h.value.size();
    }
    return sum <= spool_payload_max ? sum : 0;
}

void encode_record(
    const record& r,
    std::uint64_t payload,
    std::int64_t stored_at_ns,
    std::uint64_t sequence,
    std::uint64_t offset,
    segment_keys keys,
    char* out
) {
    char* body = out + spool_record_head;
    put<std::int64_t>(body, stored_at_ns);
    put<std::uint16_t>(body + 8, static_cast<std::uint16_t>(r.to->name.size()));
    put<std::uint16_t>(body + 10, static_cast<std::uint16_t>(r.headers.size()));
    put<std::uint32_t>(body + 12, length_of(r.key));
    put<std::uint32_t>(body + 16, static_cast<std::uint32_t>(r.value.size()));
    char* at = put_bytes(body + 20, r.to->name);
    at = put_bytes(at, r.key);
    for (const header& h : r.headers) {
        put<std::uint16_t>(at, static_cast<std::uint16_t>(h.name.size()));
        put<std::uint32_t>(at + 2, length_of(h.value));
        at = put_bytes(put_bytes(at + 6, h.name), h.value);
    }
    at = put_bytes(at, r.value);
    std::memset(at, 0, record_bytes(payload) - spool_record_head - payload);

    put<std::uint32_t>(out, static_cast<std::uint32_t>(payload));
    put<std::uint64_t>(out + 8, sequence);
    put<std::uint32_t>(out + 16, crc32c(keys.body, body, payload));
    put<std::uint32_t>(out + 20, static_cast<std::uint32_t>(r.kind));
    put<std::uint32_t>(out + 4, head_crc(out, offset, keys));
}

std::optional<record_head> decode_record_head(
    const char* head, std::uint64_t offset, segment_keys keys
) {
    record_head h;
    h.length = get<std::uint32_t>(head);
    if (h.length < spool_payload_min || h.length > spool_payload_max) return {};
    if (get<std::uint32_t>(head + 4) != head_crc(head, offset, keys)) return {};
    h.sequence = get<std::uint64_t>(head + 8);
    h.body_crc = get<std::uint32_t>(head + 16);
    const auto kind = get<std::uint32_t>(head + 20);
    if (kind > static_cast<std::uint32_t>(record_kind::dead_letter)) return {};
    h.kind = static_cast<record_kind>(kind);
    return h;
}

bool decode_payload(
    const record_head& head, const char* payload, segment_keys keys, stored_record& out
) {
    if (crc32c(keys.body, payload, head.length) != head.body_crc) return false;
    payload_cursor c{payload, payload + head.length};
    out.sequence = head.sequence;
    out.kind = head.kind;
    out.stored_at_ns = c.number<std::int64_t>();
    const auto topic = c.number<std::uint16_t>();
    const auto headers = c.number<std::uint16_t>();
    const auto key = c.number<std::uint32_t>();
    const auto value = c.number<std::uint32_t>();
    out.topic = c.take(topic);
    out.key = c.take(key);
    out.headers.clear();
    for (std::uint16_t i = 0; i < headers && c.ok; ++i) {
        const auto name_length = c.number<std::uint16_t>();
        const auto value_length = c.number<std::uint32_t>();
        const std::string_view name = c.take(name_length);
        out.headers.push_back({name, c.take(value_length)});
    }
    out.value = c.take(value);
    return c.ok && value != null_length && c.at == c.end;
}

std::string to_hex(const spool_bytes16& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t b : bytes) {
        text += digits[b >> 4];
        text += digits[b & 15];
    }
    return text;
}

std::optional<spool_bytes16> from_hex(std::string_view text) {
    if (text.size() != 32) return {};
    spool_bytes16 bytes{};
    for (std::size_t i = 0; i < 32; ++i) {
        const char c = text[i];
        int digit = 0;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else
            return {};
        bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] << 4 | digit);
    }
    return bytes;
}

spool_bytes16 random_bytes16() {
    spool_bytes16 bytes{};
    if (getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()))
        return bytes;
    std::random_device device;
    for (auto& b : bytes) b = static_cast<std::uint8_t>(device());
    return bytes;
}

}  // namespace headrace::kafka
