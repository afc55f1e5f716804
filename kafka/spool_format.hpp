#pragma once
// Bytes of a spool segment, version 1. Described field by field in kafka/README.md. Pure functions,
// little-endian on every machine, no I/O.
#include "kafka/record.hpp"
#include "kafka/spool.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace headrace::kafka {

constexpr std::uint32_t spool_version = 1;
constexpr std::uint64_t spool_block = 4096;
// Block 0: header; block 1: its copy; block 2: the seal; records from here on.
constexpr std::uint64_t spool_data_begin = 3 * spool_block;
constexpr std::uint64_t spool_record_head = 24;
constexpr std::uint64_t spool_payload_min = 20;
// Largest payload that is written or believed.
constexpr std::uint64_t spool_payload_max = 64ull << 20;

using spool_bytes16 = std::array<std::uint8_t, 16>;

enum class spool_log : std::uint8_t { main = 1, dead = 2 };

struct segment_header {
    spool_mode mode = spool_mode::standalone;
    spool_log log = spool_log::main;
    std::uint64_t number = 0;
    std::uint64_t first_sequence = 0;
    std::int64_t created_ns = 0;
    spool_bytes16 salt{};
    spool_bytes16 instance{};
    // Where the records of the segment before this one end for good; 0: there is none.
    std::uint64_t previous_number = 0;
    std::uint64_t previous_end = 0;
};

// Written once, when no record will follow any more.
struct segment_seal {
    std::uint64_t end = 0;            // offset behind the last group
    std::uint64_t next_sequence = 0;  // one past the last record's
    std::uint64_t records = 0;
    std::uint64_t events = 0;
    std::int64_t oldest_ns = 0;
    std::int64_t newest_ns = 0;
};

// Start values of a segment's checksums: nobody without its salt can make a record for it.
struct segment_keys {
    std::uint32_t head = 0;
    std::uint32_t body = 0;
};
segment_keys keys_of(const spool_bytes16& salt);

enum class header_state { ok, newer, damaged };
void encode_header(const segment_header&, char* block, std::uint32_t version = spool_version);
header_state decode_header(const char* block, segment_header&);
void encode_seal(const segment_seal&, const spool_bytes16& salt, char* block);
std::optional<segment_seal> decode_seal(const char* block, const spool_bytes16& salt);

// Bytes of a record's payload; 0: it cannot be stored (a part is longer than its length field).
std::uint64_t payload_bytes(const record&);
// Bytes that a record with this payload takes in the file.
constexpr std::uint64_t record_bytes(std::uint64_t payload) {
    return (spool_record_head + payload + 7) & ~std::uint64_t{7};
}
// More records than this are in no file of this size.
constexpr std::uint64_t records_max(std::uint64_t file_bytes) {
    return file_bytes / record_bytes(spool_payload_min);
}
// Writes record_bytes(payload) bytes. `offset`: where in the file they will stand.
void encode_record(
    const record&,
    std::uint64_t payload,
    std::int64_t stored_at_ns,
    std::uint64_t sequence,
    std::uint64_t offset,
    segment_keys,
    char* out
);

struct record_head {
    std::uint32_t length = 0;
    std::uint32_t body_crc = 0;
    std::uint64_t sequence = 0;
    record_kind kind = record_kind::event;
};
// Nothing: these bytes are not the head of a record at this offset of this segment.
std::optional<record_head> decode_record_head(const char*, std::uint64_t offset, segment_keys);
// False: the payload is not what was written. Views point into `payload`.
bool decode_payload(const record_head&, const char* payload, segment_keys, stored_record&);

std::string to_hex(const spool_bytes16&);
std::optional<spool_bytes16> from_hex(std::string_view);
spool_bytes16 random_bytes16();

}  // namespace headrace::kafka
