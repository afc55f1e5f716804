#include "server/logging.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "ingest/escape.hpp"

namespace headrace::server::log {

namespace {

std::shared_ptr<spdlog::logger> logger;
config::log_format format = config::log_format::json;

spdlog::level::level_enum to_spdlog(config::log_level level) {
    switch (level) {
        case config::log_level::debug: return spdlog::level::debug;
        case config::log_level::info: return spdlog::level::info;
        case config::log_level::warn: return spdlog::level::warn;
        case config::log_level::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string in_quotes(std::string_view text) {
    std::string out(ingest::escaped_max(text.size()) + 2, '\0');
    out[0] = '"';
    char* end = ingest::escape(text, out.data() + 1);
    *end++ = '"';
    out.resize(static_cast<std::size_t>(end - out.data()));
    return out;
}

}  // namespace

void start(const config::log_settings& settings) {
    format = settings.format;
    logger = std::make_shared<spdlog::logger>(
        "headrace", std::make_shared<spdlog::sinks::stderr_sink_mt>()
    );
    logger->set_level(to_spdlog(settings.level));
    logger->flush_on(spdlog::level::debug);
    logger->set_pattern(
        format == config::log_format::json
            ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
            : "%Y-%m-%dT%H:%M:%S.%eZ %l %v",
        spdlog::pattern_time_type::utc
    );
}

void write(config::log_level level, std::string_view event, std::initializer_list<field> fields) {
    if (!logger || !logger->should_log(to_spdlog(level))) return;
    std::string line = format == config::log_format::json ? "\"event\":" + in_quotes(event) : std::string(event);
    for (const field& f : fields) {
        line += format == config::log_format::json ? "," + in_quotes(f.first) + ":" : " " + std::string(f.first) + "=";
        line += in_quotes(f.second);
    }
    logger->log(to_spdlog(level), line);
}

}  // namespace headrace::server::log
