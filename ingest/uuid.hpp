#pragma once
// UUIDs: client ids in the four accepted spellings (http-v0.md 3.2), generated version 7 (5.3).
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace headrace::ingest {

using uuid = std::array<std::uint8_t, 16>;

// hyphenated, 32 hex, {hyphenated}, urn:uuid:hyphenated; any case. Nothing for other text.
std::optional<uuid> parse_uuid(std::string_view);
// 36 bytes, lower case, hyphenated.
void render_uuid(const uuid&, char* out);

// Fast, not cryptographic; seeded from the system. One per worker.
class random_source {
public:
    random_source();
    explicit random_source(std::uint64_t seed);
    std::uint64_t next();

private:
    std::uint64_t state_[4];
};

// Version 7 with `unix_ms` floored to 0, other bits random.
uuid make_uuid_v7(std::int64_t unix_ms, random_source&);

}  // namespace headrace::ingest
