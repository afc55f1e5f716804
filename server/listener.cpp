#include "server/listener.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "server/logging.hpp"

namespace headrace::server {

namespace {

constexpr int backlog = 4096;

[[noreturn]] void refuse(const std::string& setting, const std::string& address, int error) {
    std::string remedy = "choose another address";
    if (error == EADDRINUSE)
        remedy = "another process listens there; stop it or choose another port";
    else if (error == EACCES)
        remedy = "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher port";
    else if (error == EADDRNOTAVAIL)
        remedy = "this machine has no such address; use 0.0.0.0 or [::] for all";
    throw std::runtime_error(
        fmt::format("{}: cannot listen on {}: {}. Remedy: {}.", setting, address, std::strerror(error), remedy)
    );
}

int open_unix(const std::string& path, const std::string& setting, const std::string& address) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.size() >= sizeof name.sun_path) refuse(setting, address, ENAMETOOLONG);
    std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) refuse(setting, address, errno);
    // A stale socket file of a dead process refuses connections; a live one accepts them.
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe >= 0) {
        const bool dead = ::connect(probe, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 && errno == ECONNREFUSED;
        ::close(probe);
        if (dead) ::unlink(path.c_str());
    }
    if (::bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 || ::listen(fd, backlog) != 0) {
        const int error = errno;
        ::close(fd);
        refuse(setting, address, error);
    }
    return fd;
}

int open_tcp(const std::string& address, const std::string& setting) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos) refuse(setting, address, EINVAL);
    std::string host = address.substr(0, colon);
    if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), address.c_str() + colon + 1, &hints, &found);
    if (failed != 0)
        throw std::runtime_error(fmt::format(
            "{}: cannot listen on {}: {}. Remedy: write host:port with a name or address of this machine.",
            setting, address, gai_strerror(failed)
        ));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
    const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) refuse(setting, address, errno);
    const int one = 1, zero = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (found->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, backlog) != 0) {
        const int error = errno;
        ::close(fd);
        refuse(setting, address, error);
    }
    return fd;
}

}  // namespace

listening_socket listening_socket::open(const std::string& address, const std::string& setting) {
    if (address.starts_with("unix:")) {
        const std::string path = address.substr(5);
        return {open_unix(path, setting, address), path};
    }
    return {open_tcp(address, setting), {}};
}

std::string listening_socket::default_address() {
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    const bool v6 = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;
    if (fd >= 0) ::close(fd);
    return v6 ? "[::]:3000" : "0.0.0.0:3000";
}

listening_socket::listening_socket(listening_socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

listening_socket::~listening_socket() {
    if (fd_ < 0) return;
    ::close(fd_);
    if (!path_.empty()) ::unlink(path_.c_str());
}

std::string listening_socket::name() const {
    if (!path_.empty()) return "unix:" + path_;
    sockaddr_storage a{};
    socklen_t size = sizeof a;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&a), &size);
    char text[INET6_ADDRSTRLEN] = {};
    if (a.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(a);
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        return fmt::format("{}:{}", text, ntohs(v4.sin_port));
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(a);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
}

acceptor::acceptor(
    std::vector<source> sources,
    std::vector<std::unique_ptr<worker>>& workers,
    std::uint32_t connections_max,
    std::vector<ingest::cidr> proxies
)
    : sources_(std::move(sources)),
      workers_(workers),
      connections_max_(connections_max),
      proxies_(std::move(proxies)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

acceptor::~acceptor() {
    stop();
    ::close(wake_);
}

void acceptor::start() {
    thread_ = std::thread([this] { run(); });
}

void acceptor::stop() {
    if (!thread_.joinable()) return;
    stopping_.store(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
    thread_.join();
}

void acceptor::run() {
    std::vector<pollfd> watched;
    for (const source& s : sources_) watched.push_back({s.socket.descriptor(), POLLIN, 0});
    watched.push_back({wake_, POLLIN, 0});
    while (!stopping_.load()) {
        if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) break;
        for (std::size_t i = 0; i < sources_.size(); ++i)
            if ((watched[i].revents & POLLIN) != 0)
                for (int n = 0; n < 64 && accept_one(sources_[i]); ++n) {}
    }
    // What the kernel has already accepted for us is served, then nothing more comes.
    for (source& s : sources_)
        while (accept_one(s)) {}
    sources_.clear();
}

bool acceptor::accept_one(source& from) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int fd = ::accept4(
        from.socket.descriptor(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC
    );
    if (fd >= 0) {
        hand_over(fd, from, ingest::ip_of(reinterpret_cast<const sockaddr*>(&address)));
        return true;
    }
    if (errno == ECONNABORTED || errno == EINTR) return true;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        log::error("cannot accept connections", {{"error", std::strerror(errno)},
                                                 {"remedy", "raise the limit of open files"}});
        pollfd stop{wake_, POLLIN, 0};
        ::poll(&stop, 1, 100);
    }
    return false;
}

void acceptor::hand_over(int fd, const source& from, const std::optional<ingest::ip_address>& peer) {
    const int one = 1;
    if (from.socket.tcp()) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (from.proxy_protocol && peer && !ingest::contains(proxies_, *peer)) {
        ::close(fd);
        refused_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    std::uint32_t all = 0;
    worker* least = workers_.front().get();
    for (const auto& w : workers_) {
        all += w->connections();
        if (w->connections() < least->connections()) least = w.get();
    }
    if (all >= connections_max_) {
        constexpr std::string_view full =
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\n"
            "content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n\r\ntoo many connections\n";
        [[maybe_unused]] const ssize_t sent = ::send(fd, full.data(), full.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        ::shutdown(fd, SHUT_WR);
        ::close(fd);
        refused_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    least->adopt({fd, from.socket.tcp(), from.proxy_protocol, peer});
}

}  // namespace headrace::server
