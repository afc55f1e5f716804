#pragma once
// Owners of librdkafka's objects. Private to kafka/: nothing outside includes this header.
#include <librdkafka/rdkafka.h>

#include <memory>

namespace headrace::kafka {

struct client_deleter {
    void operator()(rd_kafka_conf_t* p) const { rd_kafka_conf_destroy(p); }
    void operator()(rd_kafka_topic_conf_t* p) const { rd_kafka_topic_conf_destroy(p); }
    void operator()(rd_kafka_queue_t* p) const { rd_kafka_queue_destroy(p); }
    void operator()(rd_kafka_event_t* p) const { rd_kafka_event_destroy(p); }
    void operator()(rd_kafka_headers_t* p) const { rd_kafka_headers_destroy(p); }
    void operator()(rd_kafka_topic_t* p) const { rd_kafka_topic_destroy(p); }
    void operator()(rd_kafka_error_t* p) const { rd_kafka_error_destroy(p); }
    void operator()(rd_kafka_AdminOptions_t* p) const { rd_kafka_AdminOptions_destroy(p); }
    void operator()(rd_kafka_NewTopic_t* p) const { rd_kafka_NewTopic_destroy(p); }
    void operator()(rd_kafka_ConfigResource_t* p) const { rd_kafka_ConfigResource_destroy(p); }
    void operator()(const rd_kafka_metadata_t* p) const { rd_kafka_metadata_destroy(p); }
    // May wait for the client's threads; where that must be bounded, release() and hand the
    // client to destroy_in_background() (producer.hpp).
    void operator()(rd_kafka_t* p) const {
        rd_kafka_destroy_flags(p, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
};

template <typename T>
using client_handle = std::unique_ptr<T, client_deleter>;

using client_ptr = client_handle<rd_kafka_t>;
using conf_ptr = client_handle<rd_kafka_conf_t>;
using queue_ptr = client_handle<rd_kafka_queue_t>;
using event_ptr = client_handle<rd_kafka_event_t>;
using headers_ptr = client_handle<rd_kafka_headers_t>;
using topic_ptr = client_handle<rd_kafka_topic_t>;

}  // namespace headrace::kafka
