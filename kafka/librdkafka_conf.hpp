#pragma once
// From our settings to librdkafka's properties (kafka-ops.md 2.1 for the names, design.md D5 for
// the values). Private to kafka/. No property that the linked library does not know, and none
// that would break a promise, stops the start: it is left out and said so in `warnings`.
#include "config/settings.hpp"
#include "kafka/client_handles.hpp"
#include "kafka/log.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::kafka {

// Receives librdkafka's own log lines on its threads; at most 20 lines per 10 s pass, the number
// of those held back is told with the next one. Must outlive the client it is given to.
class client_log {
public:
    explicit client_log(log_function out) : out_(std::move(out)) {}
    void line(int syslog_level, std::string_view text);

private:
    std::mutex mutex_;
    log_function out_;
    std::int64_t window_start_ms_ = 0;
    std::uint32_t in_window_ = 0;
    std::uint32_t held_back_ = 0;
};

struct conf_choice {
    std::uint64_t memory = 0;             // bytes for records in flight; 0: the library's defaults
    bool alone = false;                   // one record per request
    bool statistics = true;               // every 5 s
    bool delivery_events = true;          // reports and errors as events on the main queue
    std::set<std::string> left_out = {};  // properties of settings.librdkafka not to apply
};

// Library versions from which idempotence is sound (design.md D5).
bool idempotence_is_sound(int library_version);

conf_ptr make_conf(
    const config::kafka_settings& settings,
    const conf_choice& choice,
    std::vector<std::string>& warnings
);

// The value of a property as it stands in `conf`; empty when there is none.
std::string conf_value(const rd_kafka_conf_t* conf, const char* name);

// Which promise the finished `conf` would break, whatever set it so; empty: none.
std::string broken_promise(const rd_kafka_conf_t* conf);

// A client of `settings`, or null with a complete sentence in `error`. When only passthrough
// properties prevent it, as few as possible are left out with a warning each; security.protocol
// never is. `log` must outlive the client.
client_ptr make_client(
    const config::kafka_settings& settings,
    conf_choice choice,
    client_log& log,
    std::vector<std::string>& warnings,
    std::string& error
);

}  // namespace headrace::kafka
