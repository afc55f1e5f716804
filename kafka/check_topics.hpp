#pragma once
// The steps over Kafka's protocol: login, metadata, topics. Private to kafka/check.
#include "kafka/check.hpp"
#include "kafka/client_handles.hpp"

#include <set>

namespace headrace::kafka {

using metadata_ptr = client_handle<const rd_kafka_metadata_t>;

// "sasl" (where the settings ask for it) and "metadata". Null when one failed.
metadata_ptr check_metadata(
    rd_kafka_t* client,
    const config::kafka_settings& settings,
    std::chrono::milliseconds timeout,
    const step_function& emit
);

// The distinct topics of the settings.
std::set<std::string> topics_of(const config::topic_settings& topics);

// One step per topic; creates missing ones where the options say so.
void check_topics(
    rd_kafka_t* client,
    const config::kafka_settings& settings,
    const check_options& options,
    const rd_kafka_metadata_t& metadata,
    const step_function& emit
);

}  // namespace headrace::kafka
