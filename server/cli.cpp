#include "server/cli.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>

#include "config/check.hpp"
#include "config/load.hpp"
#include "ingest/redis_check.hpp"
#include "kafka/check.hpp"
#include "kafka/shipper.hpp"
#include "kafka/spool.hpp"
#include "server/app.hpp"
#include "server/health_client.hpp"
#include "server/spool_dir.hpp"

namespace headrace::server {

namespace {

constexpr int exit_usage = 2, exit_configuration = 78;

void print(std::FILE* to, const std::string& text) { std::fputs(text.c_str(), to); }

std::string usage() {
    return
        "headrace - event capture for PostHog SDKs\n"
        "\n"
        "  headrace [serve] [settings]       run the server (--print-config: show the settings and leave)\n"
        "  headrace check [settings]         judge the configuration, then connect to Kafka and Redis\n"
        "                                    --offline: do not connect; --strict: warnings are errors;\n"
        "                                    --create-topics: make missing topics\n"
        "  headrace init                     print a commented configuration file with every default\n"
        "  headrace spool ls|verify|cat|tail|replay|discard\n"
        "                                    look at, follow, ship or forget stored records\n"
        "  headrace health [--url URL]       exit 0 if the running server is ready\n"
        "  headrace version\n"
        "\n"
        "Settings come from defaults, --config FILE (TOML), HEADRACE_* variables, and flags, in this order:\n\n" +
        config::flag_help();
}

// The words of serve and check: settings, and the command's own switches.
struct command_line {
    config::sources sources;
    bool offline = false, strict = false, create_topics = false, print_config = false, help = false;
    std::optional<std::string> error;
};

bool own_switch(command_line& line, const std::string& name, const std::string& command) {
    if (name == "help") return line.help = true;
    if (name == "print-config" && command == "serve") return line.print_config = true;
    if (command != "check") return false;
    if (name == "offline") return line.offline = true;
    if (name == "strict") return line.strict = true;
    if (name == "create-topics") return line.create_topics = true;
    return false;
}

command_line parse(const std::vector<std::string>& words, const std::string& command) {
    command_line line;
    line.sources.environment = config::current_environment();
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "-h") {
            line.help = true;
            continue;
        }
        if (!word.starts_with("--")) {
            line.error = fmt::format("unexpected word \"{}\"; settings are written --name value", word);
            return line;
        }
        const std::size_t equals = word.find('=');
        const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
        if (equals == std::string::npos && own_switch(line, name, command)) continue;
        std::string value;
        if (equals != std::string::npos) {
            value = word.substr(equals + 1);
        } else if (config::kind_of_flag(name) == config::flag_kind::boolean) {
            // stands alone
        } else if (i + 1 < words.size()) {
            value = words[++i];
        } else if (config::kind_of_flag(name) == config::flag_kind::value || name == "config") {
            line.error = fmt::format("--{} needs a value", name);
            return line;
        }
        if (name == "config")
            line.sources.file = value;
        else
            line.sources.flags.emplace_back(name, value);
    }
    return line;
}

// All problems on stderr; true when there is an error among them.
bool report(const std::vector<config::problem>& problems) {
    bool bad = false;
    for (const config::problem& p : problems) {
        print(stderr, config::to_string(p) + "\n");
        bad = bad || p.severity == config::problem::level::error;
    }
    return bad;
}

int run_serve(const std::vector<std::string>& words) {
    const command_line line = parse(words, "serve");
    if (line.help) return print(stdout, usage()), 0;
    if (line.error) return print(stderr, "headrace: " + *line.error + "\n"), exit_usage;
    const config::loaded loaded = config::load(line.sources);
    if (report(config::all_problems(loaded))) return exit_configuration;
    if (line.print_config) return print(stdout, config::print(loaded)), 0;
    return serve(loaded);
}

bool print_kafka_steps(const config::kafka_settings& settings, bool create_topics) {
    const auto show = [](const kafka::check_step& s) {
        const char* mark = s.verdict == kafka::check_verdict::ok     ? "ok  "
                           : s.verdict == kafka::check_verdict::warning ? "warn"
                                                                     : "FAIL";
        print(stdout, fmt::format("{} kafka {}: {}\n", mark, s.name, s.detail));
        if (!s.remedy.empty()) print(stdout, "     remedy: " + s.remedy + "\n");
    };
    kafka::check_options options;
    options.create_topics = create_topics;
    return kafka::passed(kafka::check_kafka(settings, options, show));
}

bool print_redis_steps(const std::string& url) {
    bool good = true;
    for (const ingest::check_step& s : ingest::check_redis(url, std::chrono::seconds(5))) {
        good = good && s.ok;
        print(stdout, fmt::format("{} redis {}: {}\n", s.ok ? "ok  " : "FAIL", s.name, s.detail));
        if (!s.ok && !s.remedy.empty()) print(stdout, "     remedy: " + s.remedy + "\n");
    }
    return good;
}

int run_check(const std::vector<std::string>& words) {
    const command_line line = parse(words, "check");
    if (line.help) return print(stdout, usage()), 0;
    if (line.error) return print(stderr, "headrace: " + *line.error + "\n"), exit_usage;
    const config::loaded loaded = config::load(line.sources);
    std::vector<config::problem> problems = config::all_problems(loaded);
    if (line.strict) config::refuse_unknown(problems);
    if (report(problems)) return exit_configuration;
    print(stdout, "ok   configuration\n");
    if (line.offline) return 0;
    std::signal(SIGPIPE, SIG_IGN);   // hiredis writes to sockets that may be closed
    bool good = true;
    if (loaded.settings.kafka.brokers.empty())
        print(stdout, "ok   kafka: no brokers configured, the spool is the store (standalone)\n");
    else
        good = print_kafka_steps(loaded.settings.kafka, line.create_topics);
    if (!loaded.settings.redis.url.empty()) good = print_redis_steps(loaded.settings.redis.url) && good;
    return good ? 0 : 1;
}

// `spool` and the shipping it needs see the same settings as the server.
int run_spool(const std::vector<std::string>& words) {
    config::sources sources;
    sources.environment = config::current_environment();
    const config::loaded loaded = config::load(sources);
    const std::string dir = loaded.settings.spool.dir.empty() ? default_spool_dir() : loaded.settings.spool.dir;
    return kafka::run_spool_command(words, dir, kafka::make_shipper(loaded.settings.kafka));
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
    const std::string first = arguments.empty() ? "serve" : arguments.front();
    if (first.starts_with("-") && first != "-h" && first != "--help" && first != "--version")
        return run_serve(arguments);
    const std::vector<std::string> rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
    if (first == "serve") return run_serve(rest);
    if (first == "check") return run_check(rest);
    if (first == "spool") return run_spool(rest);
    if (first == "health") return run_health(rest);
    if (first == "init") return print(stdout, config::commented_defaults()), 0;
    if (first == "version" || first == "--version") return print(stdout, "headrace " HEADRACE_VERSION "\n"), 0;
    if (first == "help" || first == "-h" || first == "--help") return print(stdout, usage()), 0;
    print(stderr, "headrace: no command \"" + first + "\"\n\n" + usage());
    return exit_usage;
}

}  // namespace headrace::server
