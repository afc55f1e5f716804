#pragma once
// Texts to sizes, durations, counts, booleans and lists, and back. Pure functions, any thread.
// Own names need a unit ("20MiB", "5s"); only 0 may stand bare. Nothing here throws on bad input.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::config {

// Why a value was refused and what to write instead.
struct fault {
    std::string reason;                    // no full stop at its end
    std::string remedy;                    // whole sentences
    std::optional<std::uint64_t> limit{};  // of a number out of range: the nearest good one
};

// Each leaves `out` alone when it returns a fault. Blanks around the value are ignored.
std::optional<fault> parse_size(std::string_view text, std::uint64_t& out);      // bytes
std::optional<fault> parse_duration(std::string_view text, std::uint64_t& out);  // milliseconds
std::optional<fault> parse_count(std::string_view text, std::uint64_t& out);     // whole number
std::optional<fault> parse_bool(std::string_view text, bool& out);               // true, false
// Comma separated; blanks around entries and empty entries vanish.
std::vector<std::string> parse_list(std::string_view text);

// The largest unit that divides the value; "0" for zero.
std::string format_size(std::uint64_t bytes);
std::string format_duration(std::uint64_t milliseconds);
std::string format_list(const std::vector<std::string>&);

std::string_view trim(std::string_view text);
std::string lower(std::string_view text);

}  // namespace headrace::config
