#include "ingest/redis_check.hpp"

#include "tests/support/catch.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

using namespace headrace::ingest;
using namespace std::chrono_literals;

namespace {

const std::string secret = "s3cret/with@signs";
const std::string secret_encoded = "s3cret%2Fwith%40signs";

// A socket bound to a free port of 127.0.0.1; listening or only keeping the port.
class local_port {
public:
    explicit local_port(bool listening) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        if (listening) REQUIRE(listen(fd_, 4) == 0);
        port_ = ntohs(address.sin_port);
    }
    ~local_port() { close(fd_); }
    local_port(const local_port&) = delete;
    local_port& operator=(const local_port&) = delete;
    int fd() const { return fd_; }
    std::string text() const { return std::to_string(port_); }

private:
    int fd_;
    int port_ = 0;
};

std::string find_server() {
    for (const std::string path : {"/usr/bin/redis-server", "/usr/local/bin/redis-server"}) {
        if (access(path.c_str(), X_OK) == 0) return path;
    }
    return {};
}

// Debian's redis-server with a password, on a free port and a unix socket in its own directory.
class redis_server {
public:
    explicit redis_server(const std::string& binary) {
        char pattern[] = "/tmp/headrace-redis-XXXXXX";
        REQUIRE(mkdtemp(pattern) != nullptr);
        directory_ = pattern;
        port_ = local_port(false).text();
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) run(binary);
    }
    ~redis_server() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        std::filesystem::remove_all(directory_);
    }
    redis_server(const redis_server&) = delete;
    redis_server& operator=(const redis_server&) = delete;

    const std::string& port() const { return port_; }
    std::string unix_path() const { return directory_ + "/redis.sock"; }
    std::string url(const std::string& rest = "") const {
        return "redis://:" + secret_encoded + "@127.0.0.1:" + port_ + rest;
    }
    bool wait_until_ready() const {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (std::chrono::steady_clock::now() < deadline) {
            if (check_redis(url(), 1s).back().ok) return true;
            std::this_thread::sleep_for(10ms);
        }
        return false;
    }

private:
    [[noreturn]] void run(const std::string& binary) const {
        const int null = open("/dev/null", O_RDWR);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        const std::string socket_path = unix_path();
        execl(
            binary.c_str(),
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            port_.c_str(),
            "--dir",
            directory_.c_str(),
            "--save",
            "",
            "--appendonly",
            "no",
            "--requirepass",
            secret.c_str(),
            "--unixsocket",
            socket_path.c_str(),
            static_cast<char*>(nullptr)
        );
        _exit(127);
    }

    std::string directory_;
    std::string port_;
    pid_t pid_ = -1;
};

void check_no_secret(const std::vector<check_step>& steps) {
    for (const auto& step : steps) {
        for (const std::string& text : {step.name, step.detail, step.remedy}) {
            INFO(text);
            CHECK(text.find("s3cret") == std::string::npos);
            CHECK(text.find("wr0ng") == std::string::npos);
        }
    }
}

std::vector<check_step> checked(const std::string& url, std::chrono::milliseconds timeout = 5s) {
    auto steps = check_redis(url, timeout);
    REQUIRE_FALSE(steps.empty());
    check_no_secret(steps);
    for (std::size_t i = 0; i + 1 < steps.size(); ++i) CHECK(steps[i].ok);
    for (const auto& step : steps) CHECK(step.ok == step.remedy.empty());
    // What failed names the setting.
    if (!steps.back().ok) CHECK_THAT(steps.back().remedy, ContainsSubstring("redis.url"));
    return steps;
}

// Name and result of the last step.
std::string last(const std::vector<check_step>& steps) {
    return steps.back().name + (steps.back().ok ? " ok" : " failed");
}

std::string names(const std::vector<check_step>& steps) {
    std::string out;
    for (const auto& step : steps) out += step.name + " ";
    return out;
}

}  // namespace

TEST_CASE("redis check: an address that cannot be read is refused with a reason, not repeated") {
    for (const std::string url :
         {"",
          "redis",
          "http://:s3cret@host",
          "redis://",
          "redis://:s3cret@",
          "redis://:s3cret@host:0",
          "redis://:s3cret@host:70000",
          "redis://:s3cret@host:port",
          "redis://:s3cret@host:6379/x",
          "redis://:s3cret@host/-1",
          "redis://:s3cret%zz@host",
          "redis://:s3cret%2@host",
          "redis://user@host",
          "redis://[::1",
          "redis://[::1]6379",
          "redis://:s3cret@host?tls=1",
          "unix://relative",
          "redis+unix://host/path",
          "unix:///path?x=1"}) {
        INFO(url);
        const auto steps = checked(url);
        CHECK(names(steps) == "url ");
        CHECK_FALSE(steps.back().ok);
    }
    CHECK_FALSE(checked(std::string("redis://host\0x", 14)).back().ok);
}

TEST_CASE("redis check: TLS addresses are refused with a sentence") {
    const auto steps = checked("rediss://:s3cret@127.0.0.1:6380");
    CHECK(last(steps) == "url failed");
    CHECK_THAT(steps.back().detail, ContainsSubstring("TLS"));
    CHECK_THAT(steps.back().remedy, ContainsSubstring("redis://"));
}

TEST_CASE("redis check: a port where nobody listens fails at connect") {
    const local_port closed(false);
    const auto steps = checked("redis://:" + secret_encoded + "@127.0.0.1:" + closed.text());
    CHECK(names(steps) == "url dns connect ");
    CHECK_FALSE(steps.back().ok);
    CHECK(last(checked("unix:///nonexistent/redis.sock")) == "connect failed");
}

TEST_CASE("redis check: a name that is no address fails at the look-up") {
    // A label of 64 letters is refused by the resolver itself, without any query.
    const auto steps = checked("redis://" + std::string(64, 'a'));
    CHECK(names(steps) == "url dns ");
    CHECK_FALSE(steps.back().ok);
}

TEST_CASE("redis check: a listener that says nothing ends in a time-out") {
    const local_port silent(true);
    const auto steps = checked("redis://127.0.0.1:" + silent.text(), 100ms);
    CHECK(last(steps) == "ping failed");
    CHECK_THAT(steps.back().remedy, ContainsSubstring("no answer in time"));
}

TEST_CASE("redis check: a listener that speaks another protocol is told apart") {
    const local_port web(true);
    std::thread server([&] {
        const int peer = accept(web.fd(), nullptr, nullptr);
        char request[512];
        const auto got = read(peer, request, sizeof request);
        const std::string_view answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
        if (got > 0) CHECK(write(peer, answer.data(), answer.size()) > 0);
        close(peer);
    });
    const auto steps = check_redis("redis://127.0.0.1:" + web.text(), 5s);
    server.join();
    CHECK(last(steps) == "ping failed");
    CHECK_THAT(steps.back().remedy, ContainsSubstring("Redis protocol"));
}

TEST_CASE("redis check: a server that repeats the password does not get it shown") {
    const local_port parrot(true);
    std::thread server([&] {
        const int peer = accept(parrot.fd(), nullptr, nullptr);
        char request[512];
        const auto got = read(peer, request, sizeof request);
        const std::string answer = "-ERR I heard " + secret + "\r\n";
        if (got > 0) CHECK(write(peer, answer.data(), answer.size()) > 0);
        close(peer);
    });
    const auto steps =
        check_redis("redis://:" + secret_encoded + "@127.0.0.1:" + parrot.text(), 5s);
    server.join();
    CHECK(last(steps) == "auth failed");
    check_no_secret(steps);
}

TEST_CASE("redis check: a real server passes every step or names the one that fails") {
    const std::string binary = find_server();
    if (binary.empty()) {
        WARN("skipped: there is no redis-server on this machine");
        return;
    }
    const redis_server server(binary);
    REQUIRE(server.wait_until_ready());

    const auto good = checked(server.url("/3"));
    CHECK(names(good) == "url dns connect auth select ping ");
    CHECK(good.back().ok);
    CHECK(last(checked(server.url())) == "ping ok");
    CHECK(
        last(checked("redis://default:" + secret_encoded + "@localhost:" + server.port())) ==
        "ping ok"
    );
    CHECK(
        last(checked("redis+unix://:" + secret_encoded + "@" + server.unix_path() + "?db=2")) ==
        "ping ok"
    );

    const auto wrong = checked("redis://:wr0ng@127.0.0.1:" + server.port());
    CHECK(last(wrong) == "auth failed");
    CHECK_THAT(wrong.back().remedy, ContainsSubstring("password"));
    const auto user = checked("redis://nobody:wr0ng@127.0.0.1:" + server.port());
    CHECK(last(user) == "auth failed");
    const auto without = checked("redis://127.0.0.1:" + server.port());
    CHECK(last(without) == "ping failed");
    CHECK_THAT(without.back().remedy, ContainsSubstring("put the password"));
    CHECK(last(checked("unix://" + server.unix_path() + "?db=1")) == "select failed");
    const auto database = checked(server.url("/9999"));
    CHECK(last(database) == "select failed");
    CHECK_THAT(database.back().remedy, ContainsSubstring("database"));
}
