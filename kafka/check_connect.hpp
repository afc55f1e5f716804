#pragma once
// The steps below Kafka's protocol: name, connection, certificate. Private to kafka/check.
#include "kafka/check.hpp"

namespace headrace::kafka {

struct host_port {
    std::string host, port;
};

// Splits "host:port", "[v6]:port"; port 9092 when there is none.
host_port split_address(const std::string& address);

// "dns", "tcp" and, where the settings ask for it, "tls" of one address; stops at a failure.
std::vector<check_step> check_address(
    const config::kafka_settings& settings,
    const std::string& address,
    std::chrono::milliseconds timeout
);

}  // namespace headrace::kafka
