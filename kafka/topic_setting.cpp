#include "kafka/topic_setting.hpp"

#include <utility>

namespace headrace::kafka {

std::string setting_of(const config::topic_settings& t, std::string_view name) {
    const std::pair<const char*, const std::string*> all[] = {
        {"analytics_main", &t.analytics_main},
        {"analytics_overflow", &t.analytics_overflow},
        {"analytics_historical", &t.analytics_historical},
        {"heatmaps", &t.heatmaps},
        {"client_warnings", &t.client_warnings},
        {"error_tracking", &t.error_tracking},
        {"dlq", &t.dlq},
        {"ai_main", &t.ai_main},
        {"ai_overflow", &t.ai_overflow},
        {"dead_letters", &t.dead_letters},
    };
    std::string found;
    for (const auto& [key, topic] : all)
        if (*topic == name)
            found += (found.empty() ? "kafka.topics." : ", kafka.topics.") + std::string(key);
    return found;
}

}  // namespace headrace::kafka
