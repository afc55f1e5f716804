#pragma once
// Which setting chose a topic. Private to kafka/. Pure.
#include "config/settings.hpp"

#include <string>
#include <string_view>

namespace headrace::kafka {

// "kafka.topics.error_tracking"; several with a comma; empty: none (a record stored long ago).
std::string setting_of(const config::topic_settings& topics, std::string_view name);

}  // namespace headrace::kafka
