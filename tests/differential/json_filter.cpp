// Reads JSON texts, each after its length (4 bytes, little-endian), and answers one line each:
// "0" for a refused text, "1" for an accepted one that is no event, else "2" and the extracted
// values as a JSON object. For json_differential.py.
#include "ingest/escape.hpp"
#include "ingest/event_facts.hpp"
#include "ingest/json_text.hpp"
#include "ingest/parse.hpp"
#include "ingest/request.hpp"

#include <cstdint>
#include <cstdio>
#include <string>

using namespace headrace::ingest;

namespace {

void add_string(std::string& out, const char* name, std::string_view text) {
    std::string escaped(escaped_max(text.size()), '\0');
    escaped.resize(static_cast<std::size_t>(escape(text, escaped.data()) - escaped.data()));
    out += (out.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":\"" + escaped + "\"";
}

void add_slice(std::string& out, const char* name, const slice& s) {
    if (!s.given()) return;
    std::string scratch;
    if (s.is(json_type::string)) {
        add_string(out, name, s.escaped ? unescape(s.inner(), scratch) : s.inner());
    } else {
        out += (out.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + std::string(s.raw);
    }
}

std::string extracted(const raw_event& ev) {
    std::string out = "{";
    add_slice(out, "event", ev.event);
    add_slice(out, "token", ev.token);
    add_slice(out, "distinct_id", ev.distinct_id);
    add_slice(out, "timestamp", ev.timestamp);
    add_slice(out, "offset", ev.offset);
    add_slice(out, "properties", ev.properties);
    add_slice(out, "$set", ev.set);
    add_slice(out, "$set_once", ev.set_once);
    add_slice(out, "p.token", ev.values.token);
    add_slice(out, "p.distinct_id", ev.values.distinct_id);
    out += "}";
    // One line per answer: white space between tokens may hold line ends, strings may not.
    for (char& c : out) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    return out;
}

}  // namespace

int main() {
    parser p;
    document doc;
    std::string text;
    unsigned char head[4];
    while (std::fread(head, 1, sizeof head, stdin) == sizeof head) {
        const std::size_t size = head[0] | static_cast<std::size_t>(head[1]) << 8 |
                                 static_cast<std::size_t>(head[2]) << 16 |
                                 static_cast<std::size_t>(head[3]) << 24;
        if (size > 64u << 20) return 2;
        text.resize(size + json_padding);
        if (std::fread(text.data(), 1, size, stdin) != size) return 2;
        const auto refused = p.parse(text.data(), size, "", {}, doc);
        const bool fits_none = refused && refused->detail.find("data did not match") == 0;
        if (refused && !fits_none) {
            std::puts("0");
        } else if (fits_none || doc.events.size() != 1) {
            std::puts("1");
        } else if (doc.events[0].problem == shape_problem::lone_surrogate) {
            std::puts("s");
        } else if (doc.events[0].as_event() != shape_problem::none) {
            std::puts("1");
        } else {
            std::printf("2%s\n", extracted(doc.events[0]).c_str());
        }
    }
    return 0;
}
