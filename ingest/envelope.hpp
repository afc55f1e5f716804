#pragma once
// Value, key and headers of an event's record: kafka-ops.md 1.4 to 1.8, http-v0.md 5.1 to 5.6.
// The value is written once, straight into the batch's arena; key and headers lie beside it.
#include "ingest/event.hpp"
#include "ingest/timestamp.hpp"
#include "kafka/record.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::ingest {

// A decoded string. `plain`: its bytes need no escaping in JSON.
struct text_value {
    std::string_view bytes;
    bool plain = true;
};

// The same for all records of a request. Views live at least as long as the batch, except `ip`.
struct request_facts {
    text_value token;
    std::string_view ip;
    std::string_view now;      // rendered
    std::string_view sent_at;  // rendered; empty: none
};

// One record. `id_text` and `event` that are not plain live as long as the batch.
struct envelope {
    text_value event;
    text_value distinct_id;
    std::string_view ip;
    uuid id{};
    instant time;
    bool cookieless = false;
    bool historical = false;
    bool skip_heatmap = false;
    // The members of `data`, as the client sent them (rewritten copies for the rare cases).
    slice data_token, data_distinct_id, data_event, data_timestamp, data_offset, data_set,
        data_set_once;
    std::string_view data_properties = "{}";
    bool client_id = false;  // the client sent the uuid
};

class envelope_writer {
public:
    // Fills key, value and headers of `out`. Returns the `data` text as it stands in the value
    // (escaped once more than the document it holds).
    std::string_view write(
        const request_facts&, const envelope&, kafka::arena&, kafka::record& out
    );

private:
    char* data(const envelope&, char* p);
    char* data_string(const slice&, char* p);

    std::string decoded_, escaped_;
};

// Key + value + headers in bytes, as limits count a record.
std::size_t record_bytes(const kafka::record&);

// Length of the document inside an escaped `data` text.
std::size_t unescaped_size(std::string_view data);

}  // namespace headrace::ingest
