#include "config/check.hpp"

#include "config/findings.hpp"
#include "config/listener.hpp"
#include "config/source.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace headrace::config {
namespace {

// Reads every entry; complains about the bad ones and about those that are there already.
void listener_list(
    findings& to,
    std::string_view key,
    const std::vector<std::string>& entries,
    std::vector<listener>& seen
) {
    for (const auto& text : entries) {
        listener one;
        if (auto bad = parse_listener(text, one)) {
            if (entries.size() > 1) bad->reason = fmt::format("\"{}\": {}", text, bad->reason);
            to.error_if(std::move(bad), key);
            continue;
        }
        auto same = [&](const listener& other) {
            bool equal = other.host == one.host && other.port == one.port && other.path == one.path;
            return equal && (one.port != 0 || !one.path.empty());
        };
        if (std::any_of(seen.begin(), seen.end(), same)) {
            to.error(
                key,
                fmt::format("{} is listened on already", text),
                "Name each address once, over server.listen and admin.listen together."
            );
        }
        seen.push_back(std::move(one));
    }
}

void listeners(findings& to) {
    const auto& server = to.all().server;
    std::vector<listener> seen;
    if (server.listen.empty()) {
        for (auto host : {"::", "0.0.0.0"})
            seen.push_back({.host = host, .port = 3000, .path = {}});
    }
    listener_list(to, "server.listen", server.listen, seen);
    auto first_admin = seen.size();
    listener_list(to, "admin.listen", server.admin_listen, seen);
    bool open = std::any_of(
        seen.begin() + static_cast<std::ptrdiff_t>(first_admin),
        seen.end(),
        [](const listener& one) { return !is_loopback(one); }
    );
    if (open && server.admin_token.empty()) {
        to.warn(
            "admin.listen",
            "others can reach it, and without admin.token they get metrics and health only",
            "Set admin.token (HEADRACE_ADMIN_TOKEN_FILE), or listen on 127.0.0.1."
        );
    }
    if (!server.admin_token.empty() && server.admin_token.size() < 16) {
        to.warn("admin.token", "it is short enough to be guessed", "Use at least 16 characters.");
    }
}

void proxies(findings& to) {
    const auto& server = to.all().server;
    bool over_tcp = false;
    for (const auto& text : server.proxy_protocol) {
        over_tcp = over_tcp || !text.starts_with("unix:");
        const auto& known = server.listen;
        if (std::find(known.begin(), known.end(), text) != known.end()) continue;
        to.error(
            "server.proxy_protocol",
            fmt::format("\"{}\" is not an entry of server.listen", text),
            "Name entries of server.listen, spelled the same."
        );
    }
    if (over_tcp && server.trusted_proxies.empty()) {
        to.error(
            "server.proxy_protocol",
            "no peer is trusted to speak the PROXY protocol",
            "List the proxies in server.trusted_proxies."
        );
    }
    for (const auto& network : server.trusted_proxies) {
        to.error_if(check_network(network), "server.trusted_proxies");
    }
    const auto& header = server.client_ip_header;
    if (header.empty()) return;
    auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    };
    if (!std::all_of(header.begin(), header.end(), fits)) {
        to.error(
            "server.client_ip_header",
            "this is no header name",
            "Write a name such as CF-Connecting-IP."
        );
    } else if (server.trusted_proxies.empty()) {
        to.warn(
            "server.client_ip_header",
            "it has no effect without server.trusted_proxies",
            "List the proxies that set this header in server.trusted_proxies."
        );
    }
}

void timeouts(findings& to) {
    const auto& server = to.all().server;
    if (server.answer_timeout <= to.all().kafka.ack_timeout) {
        to.error(
            "server.answer_timeout",
            fmt::format(
                "it is not longer than kafka.ack_timeout ({})", to.show("kafka.ack_timeout")
            ),
            "Leave a second between them for the local store, for example 3s and 2s."
        );
    }
    if (server.drain_delay >= server.shutdown_timeout) {
        to.error(
            "server.shutdown_timeout",
            fmt::format(
                "it is not longer than server.drain_delay ({})", to.show("server.drain_delay")
            ),
            "Make it at least 5s longer than server.drain_delay."
        );
    }
}

void limits(findings& to) {
    const auto& limits = to.all().limits;
    if (limits.inflated < limits.body) {
        to.error(
            "limits.inflated",
            fmt::format("it is smaller than limits.body ({})", to.show("limits.body")),
            "Make it at least as large as limits.body."
        );
    }
    if (limits.memory != 0 && limits.body > limits.memory / 4) {
        to.warn(
            "limits.body",
            fmt::format(
                "bodies over a quarter of limits.memory ({}) are refused all the same",
                to.show("limits.memory")
            ),
            fmt::format("Lower it to {}, or raise limits.memory.", format_size(limits.memory / 4))
        );
    }
}

void store(findings& to) {
    const auto& spool = to.all().spool;
    if (!spool.dir.empty() && !spool.dir.starts_with('/')) {
        to.error(
            "spool.dir",
            "the path is not absolute, it would depend on where headrace is started",
            "Write a path that begins with a slash."
        );
    }
    if (spool.max_size != 0 && spool.max_size < 2 * spool.segment) {
        to.error(
            "spool.max_size",
            fmt::format("it holds fewer than two segments ({} each)", to.show("spool.segment")),
            fmt::format(
                "Raise it to at least {}, or lower spool.segment.", format_size(2 * spool.segment)
            )
        );
    }
    const auto& dead = to.all().dead_letters;
    if (dead.per_token_per_hour > dead.per_hour) {
        to.warn(
            "dead_letters.per_token_per_hour",
            fmt::format("dead_letters.per_hour ({}) is reached first", dead.per_hour),
            "Lower it, or raise dead_letters.per_hour."
        );
    }
    const auto& url = to.all().redis.url;
    if (!url.empty()) to.error_if(check_redis_url(url), "redis.url");
}

}  // namespace

void findings::add(
    problem::level level, std::string_view key, std::string reason, std::string remedy
) {
    constexpr std::string_view property_prefix = "kafka.librdkafka.";
    given named{.target = find(key)};
    if (named.target) {
        named.text = show(key);
    } else {
        named.property = key.substr(property_prefix.size());
        named.text = in_.settings.kafka.librdkafka.at(named.property);
    }
    auto origin = in_.origins.find(std::string(key));
    problems_.push_back(
        {.severity = level,
         .setting = std::string(key),
         .value = shown_value(named),
         .origin = origin == in_.origins.end() ? std::string{} : origin->second,
         .reason = std::move(reason),
         .remedy = std::move(remedy)}
    );
}

void findings::error(std::string_view key, std::string reason, std::string remedy) {
    add(problem::level::error, key, std::move(reason), std::move(remedy));
}

void findings::warn(std::string_view key, std::string reason, std::string remedy) {
    add(problem::level::warning, key, std::move(reason), std::move(remedy));
}

void findings::error_if(std::optional<fault> bad, std::string_view key) {
    if (bad) error(key, std::move(bad->reason), std::move(bad->remedy));
}

bool findings::is_default(std::string_view key) const {
    auto origin = in_.origins.find(std::string(key));
    return origin == in_.origins.end() || origin->second == "default";
}

std::string findings::show(std::string_view key) const { return plain(*find(key), in_.settings); }

void check_server(findings& to) {
    listeners(to);
    proxies(to);
    timeouts(to);
    limits(to);
}

std::vector<problem> check(const loaded& in) {
    findings to(in);
    check_server(to);
    check_kafka(to);
    check_topics(to);
    store(to);
    return to.take();
}

std::vector<problem> all_problems(const loaded& in) {
    auto out = in.problems;
    auto loaded_count = static_cast<std::ptrdiff_t>(out.size());
    for (auto& one : check(in)) {
        auto refused = [&](const problem& other) {
            return other.severity == problem::level::error && other.setting == one.setting;
        };
        if (std::none_of(out.begin(), out.begin() + loaded_count, refused)) {
            out.push_back(std::move(one));
        }
    }
    return out;
}

bool has_errors(const std::vector<problem>& problems) {
    return std::any_of(problems.begin(), problems.end(), [](const problem& one) {
        return one.severity == problem::level::error;
    });
}

}  // namespace headrace::config
