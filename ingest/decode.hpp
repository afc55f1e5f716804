#pragma once
// From the query string and the wire body to JSON text: http-v0.md 2.1 and 2.3-2.6, exactly, in
// that order. Pure; one decoder per worker keeps its buffers between requests.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "ingest/reject.hpp"
#include "ingest/request.hpp"

namespace headrace::ingest {

enum class compression_hint : std::uint8_t { none, gzip, lz64, base64 };

struct query_parameters {
    compression_hint compression = compression_hint::none;
    bool has_data = false;               // non-empty `data`
    std::string data;                    // form-decoded
    std::optional<std::int64_t> sent_at_ms;   // `_` or `sent_at`, unfiltered
    bool beacon = false;
};

// Fast when the query is empty. Error: reason::bad_query with serde's exact reason text (2.1).
std::optional<reject> parse_query(std::string_view query, query_parameters& out);

// JSON text: `json_padding` readable bytes follow. The text may lie in the request's body buffer,
// in the decoder, or in the query's data; valid until the decoder's next call. Bytes may be
// changed in place by the caller. It has NOT been checked for UTF-8 (see utf8_detail below).
struct decoded {
    char* text = nullptr;
    std::size_t size = 0;
    // The reject to answer if the JSON parser finds the text not to be UTF-8: its detail differs
    // between gzip and plain payloads (2.6).
    std::string_view utf8_detail;
};

class decoder {
public:
    // `inflated_max`: http-v0.md 2.6's L; lz64 texts are never above 2 GiB.
    explicit decoder(std::size_t inflated_max);
    ~decoder();
    decoder(const decoder&) = delete;
    decoder& operator=(const decoder&) = delete;

    // Errors: empty_payload, bad_encoding, inflated_too_big, and no_memory if an allocation fails.
    // `inflated_too_big` is also what a plain text above L gets.
    std::optional<reject> decode(request&, query_parameters&, decoded& out);

    // Heap bytes held between requests (for the memory budget). Buffers above 1 MiB are given back
    // by release().
    std::size_t held_bytes() const;
    void release();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// The pieces, exposed for tests and fuzzers.
bool base64_decode(std::string_view in, std::string& out);   // 2.4 rules
// too_big: UTF-16 units; too_big_utf8: bytes of the text. Both are bounded by `max_units`.
enum class lz64_result { ok, bad, not_utf16, too_big, too_big_utf8 };
lz64_result lz64_decode(std::string_view in, std::size_t max_units, std::string& out_utf8);
// + and %XX; bad UTF-8 becomes U+FFFD.
void form_decode_component(std::string_view in, std::string& out);
bool looks_like_form(std::string_view payload);

}  // namespace headrace::ingest
