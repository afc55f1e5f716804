#pragma once
// The few figures that are read from librdkafka's statistics JSON. Pure.
#include <cstdint>
#include <string_view>

namespace headrace::kafka {

struct client_stats {
    std::uint32_t brokers_up = 0;
    std::uint32_t brokers_known =
        0;  // brokers of the cluster; before its first answer the configured ones
};

client_stats parse_client_stats(std::string_view json);

}  // namespace headrace::kafka
