#pragma once
// What kafka_sink is made of. Private to kafka/ and its tests.
#include "kafka/delivery.hpp"
#include "kafka/drain.hpp"
#include "kafka/kafka_sink.hpp"

#include <atomic>

namespace headrace::kafka {

struct kafka_sink::parts {
    parts(
        const config::settings& s,
        topic_table& topics,
        std::unique_ptr<spool> store,
        std::uint64_t memory,
        const log_function& log
    );

    config::kafka_settings settings;
    std::vector<std::string> warnings;
    std::unique_ptr<spool> store;
    producer_pool pool;
    supervisor judge;
    room live, spooling;
    drain shipper;
    delivery reports;
    std::atomic<bool> stopped{false};
    std::atomic<std::uint32_t> submitters{0};  // threads inside submit()
    bool hangs = false;                        // the spool did not end in time; main thread
};

}  // namespace headrace::kafka
