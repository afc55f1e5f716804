#pragma once
// serde_json's string escaping (http-v0.md 5.1, kafka-ops.md 1.5): only '"', '\\' and bytes below
// 0x20; short forms \b \f \n \r \t, else \u00xx in lower case. Everything else is copied.
// The fastest variant that the CPU has is chosen at run time; all variants give the same bytes.
#include <cstddef>
#include <string_view>

namespace headrace::ingest {

// Writes the escaped text without quotes; `out` needs room for escaped_max(in.size()) bytes, of
// which the bytes behind the returned end may hold rests of wide stores. Reads nothing outside
// `in`; `out` must not overlap it. Any thread. Returns the end of what was written.
char* escape(std::string_view in, char* out);
constexpr std::size_t escaped_max(std::size_t n) { return n * 6 + 64; }

// For JSON text that passed the parser: control bytes are only white space between tokens, so at
// most two bytes per byte. Same output as escape().
constexpr std::size_t escaped_json_max(std::size_t n) { return n * 2 + 64; }

enum class escape_variant { scalar, sse2, vbmi2 };
bool available(escape_variant);  // compiled in, and the CPU has it
char* escape_with(escape_variant, std::string_view in, char* out);  // tests and benchmarks

}  // namespace headrace::ingest
