#pragma once
// What a librdkafka error means for the record that met it (kafka-ops.md 2.4, design.md D1, D3).
// Private to kafka/. Pure.
#include <librdkafka/rdkafka.h>

namespace headrace::kafka {

enum class error_fate {
    acked,       // no error
    send_alone,  // a size error of a whole request: each of its records is judged alone
    too_large,   // this record itself is beyond the limit of the client or the broker
    spool,       // anything else: nothing is lost, the drain tries again
};

// `alone`: about this very record, returned by produce() or met in a request of its own.
error_fate fate_of(rd_kafka_resp_err_t error, bool alone);

// The error says that this topic cannot be written now; others may be fine.
bool is_of_topic(rd_kafka_resp_err_t error);

// The error says nothing about the record's topic: a full queue, a client that ends.
bool is_of_sink(rd_kafka_resp_err_t error);

}  // namespace headrace::kafka
