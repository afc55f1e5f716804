#pragma once
// headrace's own dead letters (D23): one record per refused event, capped per token and in all, per
// hour of the request's clock. One per pipeline, so the caps are per worker.
#include "config/settings.hpp"
#include "ingest/reject.hpp"
#include "ingest/request.hpp"
#include "kafka/record.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace headrace::ingest {

struct dead_letter {
    reject why;
    std::uint32_t index = 0;       // of the (first) event in the request
    std::uint32_t count = 1;       // client events that this letter stands for
    std::string_view token;        // valid shape, checked
    std::string_view raw;          // the original bytes, valid UTF-8
    std::string_view received_at;  // RFC 3339
};

class dead_letter_caps {
public:
    explicit dead_letter_caps(const config::dead_letter_settings&);
    // Counts one letter; false: over a cap.
    bool take(std::string_view token, wall_ns now);

    // Beyond so many tokens in one hour the further ones share one allowance.
    static constexpr std::size_t tokens_max = 10'000;

private:
    std::uint32_t per_token_, in_all_;
    std::int64_t hour_ = -1;
    std::uint32_t used_ = 0, shared_used_ = 0;
    std::unordered_map<std::string, std::uint32_t> tokens_;
};

// Fills key and value of `out`; never longer than `record_bytes_max`, for which `raw` is cut.
void write_dead_letter(
    const dead_letter&,
    const request&,
    std::size_t record_bytes_max,
    kafka::arena&,
    kafka::record& out
);

// First bytes of the original that a letter keeps.
constexpr std::size_t dead_letter_raw_max = 64 * 1024;

// Lower-case hex.
std::string sha256_hex(std::string_view);

}  // namespace headrace::ingest
