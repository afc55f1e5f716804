#pragma once
// Structured logs on stderr, one line per state change (design.md D20). Never a body, a whole
// token, a key or an Authorization value: callers pass what may be seen. Any thread.
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "config/settings.hpp"

namespace headrace::server::log {

using field = std::pair<std::string_view, std::string>;

void start(const config::log_settings&);
void write(config::log_level, std::string_view event, std::initializer_list<field> fields = {});

inline void info(std::string_view event, std::initializer_list<field> fields = {}) {
    write(config::log_level::info, event, fields);
}
inline void warn(std::string_view event, std::initializer_list<field> fields = {}) {
    write(config::log_level::warn, event, fields);
}
inline void error(std::string_view event, std::initializer_list<field> fields = {}) {
    write(config::log_level::error, event, fields);
}

}  // namespace headrace::server::log
