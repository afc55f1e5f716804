#include "ingest/redis_check.hpp"

#include <hiredis.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>

namespace headrace::ingest {
namespace {

constexpr std::size_t shown_max = 200;  // bytes of a server's text in a detail

struct redis_address {
    std::string host;
    std::string port = "6379";
    std::string path;  // unix socket, instead of host and port
    std::string user;
    std::string password;
    int db = 0;
};

struct context_deleter {
    void operator()(redisContext* context) const { redisFree(context); }
};
struct reply_deleter {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
struct addresses_deleter {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using context_ptr = std::unique_ptr<redisContext, context_deleter>;
using reply_ptr = std::unique_ptr<redisReply, reply_deleter>;
using addresses_ptr = std::unique_ptr<addrinfo, addresses_deleter>;

std::optional<int> number(std::string_view text, int greatest) {
    int out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return out < 0 || out > greatest ? std::nullopt : std::optional<int>{out};
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned value = 0;
        if (i + 2 >= text.size()) return std::nullopt;
        const char* digits = text.data() + i + 1;
        const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
        if (error != std::errc{} || end != digits + 2) return std::nullopt;
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

// user:password, :password or user. Returns what is wrong, empty if nothing is.
std::string read_credentials(std::string_view text, redis_address& out) {
    const std::size_t colon = text.find(':');
    const auto user = percent_decoded(text.substr(0, colon));
    const auto password =
        percent_decoded(colon == std::string_view::npos ? "" : text.substr(colon + 1));
    if (!user || !password) return "user or password has a broken percent sequence";
    if (!user->empty() && password->empty()) return "there is a user but no password";
    out.user = *user;
    out.password = *password;
    return {};
}

std::string read_database(std::string_view text, redis_address& out) {
    if (text.empty()) return {};
    const auto db = number(text, 1'000'000);
    if (!db) return "the database is not a number";
    out.db = *db;
    return {};
}

// host, host:port or [address]:port.
std::string read_host(std::string_view text, redis_address& out) {
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return "a bracket is not closed";
        port = text.substr(close + 1);
        text = text.substr(1, close - 1);
        if (!port.empty() && port[0] != ':')
            return "there is text between the bracket and the port";
    } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
        port = text.substr(colon);
        text = text.substr(0, colon);
    }
    if (text.empty()) return "there is no host";
    if (!port.empty()) {
        const auto parsed = number(port.substr(1), 65'535);
        if (!parsed || *parsed == 0) return "the port is not a number from 1 to 65535";
        out.port = std::to_string(*parsed);
    }
    out.host = text;
    return {};
}

std::string read_tcp(std::string_view rest, redis_address& out) {
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
        std::string wrong = read_credentials(rest.substr(0, at), out);
        if (!wrong.empty()) return wrong;
        rest.remove_prefix(at + 1);
    }
    if (rest.find('?') != std::string_view::npos) return "options behind '?' are not supported";
    const std::size_t slash = rest.find('/');
    std::string wrong = read_host(rest.substr(0, slash), out);
    if (!wrong.empty() || slash == std::string_view::npos) return wrong;
    return read_database(rest.substr(slash + 1), out);
}

std::string read_unix(std::string_view rest, redis_address& out) {
    constexpr std::string_view db_option = "db=";
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return "there is no path";
    if (slash != 0) {
        if (rest[slash - 1] != '@') return "there is a host in front of the path";
        std::string wrong = read_credentials(rest.substr(0, slash - 1), out);
        if (!wrong.empty()) return wrong;
        rest.remove_prefix(slash);
    }
    const std::size_t question = rest.find('?');
    out.path = rest.substr(0, question);
    if (question == std::string_view::npos) return {};
    const std::string_view option = rest.substr(question + 1);
    if (!option.starts_with(db_option)) return "the only option is ?db=N";
    return read_database(option.substr(db_option.size()), out);
}

std::string read_url(std::string_view url, redis_address& out) {
    if (url.find('\0') != std::string_view::npos) return "it has a zero byte";
    const auto take = [&](std::string_view scheme) {
        if (!url.starts_with(scheme)) return false;
        url.remove_prefix(scheme.size());
        return true;
    };
    if (take("rediss://")) return "TLS to Redis (rediss://) is not built in";
    if (take("redis+unix://") || take("unix://")) return read_unix(url, out);
    if (take("redis://")) return read_tcp(url, out);
    return "it begins with none of redis://, unix:// and redis+unix://";
}

// A text from outside: printable, short, and without the password even if a server repeats it.
std::string shown(std::string_view text, const std::string& password) {
    if (!password.empty() && text.find(password) != std::string_view::npos) {
        return "(an answer that repeats the password)";
    }
    std::string out(text.substr(0, shown_max));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?'
    );
    return out;
}

std::string remedy_for_link(const redisContext* context) {
    if (context->err == REDIS_ERR_PROTOCOL) {
        return "what listens there does not speak the Redis protocol: check the port in redis.url";
    }
    if (context->err == REDIS_ERR_EOF) {
        return "the connection was closed: does redis.url name a TLS port, or is maxclients "
               "reached?";
    }
    return "no answer in time: check that redis.url names a Redis and that it is not blocked";
}

std::string remedy_for_error(std::string_view error) {
    if (error.starts_with("NOAUTH"))
        return "put the password into redis.url: redis://:PASSWORD@host";
    if (error.starts_with("WRONGPASS") || error.starts_with("ERR invalid password")) {
        return "correct user and password in redis.url, or in the file that holds it";
    }
    if (error.starts_with("ERR AUTH") || error.starts_with("ERR Client sent AUTH")) {
        return "the server has no password: remove it from redis.url";
    }
    if (error.starts_with("ERR DB index") || error.starts_with("ERR invalid DB index")) {
        return "name in redis.url a database that exists (usually 0 to 15; in a cluster only 0)";
    }
    if (error.starts_with("NOPERM"))
        return "give the user of redis.url the permission (ACL SETUSER)";
    if (error.starts_with("LOADING"))
        return "the server that redis.url names is loading its data: try again";
    if (error.starts_with("DENIED"))
        return "the server is in protected mode: set a password there and in redis.url, or bind";
    return "see the log of the server that redis.url names";
}

class checker {
public:
    checker(redis_address address, std::chrono::milliseconds timeout)
        : address_(std::move(address)) {
        const auto ms = std::max<std::chrono::milliseconds::rep>(timeout.count(), 1);
        timeout_ = {.tv_sec = ms / 1'000, .tv_usec = ms % 1'000 * 1'000};
    }

    std::vector<check_step> run() && {
        steps_.push_back({"url", true, "the address is well-formed", ""});
        const bool linked = address_.path.empty() ? look_up() && connect_tcp() : connect_unix();
        if (linked && authenticate() && select()) command("ping", {"PING"}, "the server answers");
        return std::move(steps_);
    }

private:
    bool passed(std::string name, std::string detail) {
        steps_.push_back({std::move(name), true, std::move(detail), ""});
        return true;
    }
    bool failed(std::string name, std::string_view detail, std::string remedy) {
        steps_.push_back(
            {std::move(name), false, shown(detail, address_.password), std::move(remedy)}
        );
        return false;
    }

    bool look_up() {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        const int error = getaddrinfo(address_.host.c_str(), address_.port.c_str(), &hints, &list);
        found_.reset(list);
        if (error != 0) {
            return failed(
                "dns",
                address_.host + ": " + gai_strerror(error),
                "correct the host name in redis.url, or the resolver of this machine or container"
            );
        }
        return passed("dns", address_.host + " is " + numeric(*list));
    }

    static std::string numeric(const addrinfo& found) {
        char host[NI_MAXHOST];
        const int error = getnameinfo(
            found.ai_addr, found.ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST
        );
        return error == 0 ? host : "?";
    }

    bool connect_tcp() {
        std::string last = "no address";
        for (const addrinfo* one = found_.get(); one != nullptr; one = one->ai_next) {
            const std::string host = numeric(*one);
            const auto port = number(address_.port, 65'535).value_or(0);
            link_.reset(redisConnectWithTimeout(host.c_str(), port, timeout_));
            if (usable()) return passed("connect", host + " port " + address_.port);
            last = host + " port " + address_.port + ": " + link_error();
        }
        return failed(
            "connect",
            last,
            "correct redis.url, or check that Redis runs there, and firewalls between"
        );
    }

    bool connect_unix() {
        link_.reset(redisConnectUnixWithTimeout(address_.path.c_str(), timeout_));
        if (usable()) return passed("connect", address_.path);
        return failed(
            "connect",
            address_.path + ": " + link_error(),
            "compare redis.url with `unixsocket` of redis.conf; this user needs permission on the "
            "socket"
        );
    }

    bool usable() {
        return link_ && link_->err == 0 && redisSetTimeout(link_.get(), timeout_) == REDIS_OK;
    }
    std::string link_error() const { return link_ ? link_->errstr : "out of memory"; }

    bool authenticate() {
        if (address_.password.empty()) return passed("auth", "no password in the address");
        std::vector<std::string> words{"AUTH"};
        if (!address_.user.empty()) words.push_back(address_.user);
        words.push_back(address_.password);
        return command("auth", words, "the password is accepted");
    }

    bool select() {
        if (address_.db == 0) return passed("select", "database 0 needs no command");
        const std::string db = std::to_string(address_.db);
        return command("select", {"SELECT", db}, "database " + db);
    }

    bool command(const char* name, const std::vector<std::string>& words, const std::string& good) {
        std::vector<const char*> texts;
        std::vector<std::size_t> sizes;
        for (const std::string& word : words) {
            texts.push_back(word.data());
            sizes.push_back(word.size());
        }
        const reply_ptr reply(static_cast<redisReply*>(redisCommandArgv(
            link_.get(), static_cast<int>(words.size()), texts.data(), sizes.data()
        )));
        if (!reply) return failed(name, link_->errstr, remedy_for_link(link_.get()));
        if (reply->type == REDIS_REPLY_ERROR) {
            const std::string_view error(reply->str, reply->len);
            return failed(name, error, remedy_for_error(error));
        }
        if (reply->type != REDIS_REPLY_STATUS) {
            return failed(name, "an answer of another kind", "check that redis.url names a Redis");
        }
        return passed(name, good);
    }

    redis_address address_;
    timeval timeout_{};
    addresses_ptr found_;
    context_ptr link_;
    std::vector<check_step> steps_;
};

}  // namespace

std::vector<check_step> check_redis(const std::string& url, std::chrono::milliseconds timeout) {
    redis_address address;
    const std::string wrong = read_url(url, address);
    if (wrong.empty()) return checker(std::move(address), timeout).run();
    const std::string remedy =
        url.starts_with("rediss://")
            ? "set redis.url to redis:// on a private network, or use a TLS proxy beside headrace"
            : "write redis.url as redis://[:password@]host[:port][/database]";
    return {{"url", false, wrong, remedy}};
}

}  // namespace headrace::ingest
