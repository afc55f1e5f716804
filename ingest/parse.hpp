#pragma once
// From JSON text to events: one validating pass, then the choice of shape (http-v0.md 2.7, 3.1).
// One parser per worker; not thread-safe. Steady state: no heap allocation.
#include "ingest/event.hpp"
#include "ingest/reject.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::ingest {

enum class payload_shape : std::uint8_t { array, batch, one, engage };

struct document {
    payload_shape shape = payload_shape::one;
    std::vector<raw_event> events;      // in input order, at most events_max of them
    std::uint32_t excess = 0;           // further elements, not looked at beyond their grammar
    std::string_view excess_text;       // their text, from the first to the last one
    slice token;                        // batch: the wrapper's api_key or token
    slice sent_at;                      // batch: absent, null or a string
    bool historical_migration = false;  // batch

    std::uint32_t received() const { return static_cast<std::uint32_t>(events.size()) + excess; }
};

struct parse_options {
    std::size_t events_max = 100'000;
    bool salvage = true;  // bad events stay in the document with their problem (D6)
};

class parser {
public:
    parser();
    ~parser();
    parser(const parser&) = delete;
    parser& operator=(const parser&) = delete;

    // `text[size]` must be writable: it is overwritten during the call and restored.
    // `utf8_detail`: of the bad_encoding reject for a text that is not UTF-8.
    // Rejects: bad_encoding, bad_json; hydration only in strict mode; no_memory. `out` then still
    // says how many events were found.
    std::optional<reject> parse(
        char* text,
        std::size_t size,
        std::string_view utf8_detail,
        const parse_options&,
        document& out
    );

    std::size_t held_bytes() const;
    void release();  // gives back what an unusually large text needed

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// The reject of one event that fits no shape.
reject shape_reject(const raw_event&, shape_problem);

}  // namespace headrace::ingest
