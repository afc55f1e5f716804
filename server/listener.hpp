#pragma once
// All listening sockets and the one thread that accepts from them (design.md section 4): each
// connection goes to the worker with the fewest. Opened on the main thread, before ready.
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ingest/client_ip.hpp"
#include "server/worker.hpp"

namespace headrace::server {

// A listening socket. Closed and, for a unix path, unlinked by its owner.
class listening_socket {
public:
    // "host:port", "[::]:port" (dual-stack), "unix:/path". Throws std::runtime_error with a
    // complete message: which address, why, what to do.
    static listening_socket open(const std::string& address, const std::string& setting);
    // Default of `server.listen`: [::]:3000 dual-stack, 0.0.0.0:3000 where IPv6 is off.
    static std::string default_address();

    listening_socket(listening_socket&&) noexcept;
    listening_socket& operator=(listening_socket&&) = delete;
    ~listening_socket();

    int descriptor() const { return fd_; }
    bool tcp() const { return path_.empty(); }
    // For the ready line: "127.0.0.1:3000", "[::]:3000" or "unix:/path", with the real port.
    std::string name() const;

private:
    listening_socket(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    int fd_;
    std::string path_;   // unix
};

class acceptor {
public:
    struct source {
        listening_socket socket;
        bool proxy_protocol = false;
    };
    // `proxies`: peers that may send a PROXY header; others are closed at once.
    acceptor(
        std::vector<source>,
        std::vector<std::unique_ptr<worker>>&,
        std::uint32_t connections_max,
        std::vector<ingest::cidr> proxies
    );
    ~acceptor();

    void start();
    // Takes over what is queued in the kernel, closes the sockets, joins the thread.
    void stop();
    std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

private:
    void run();
    bool accept_one(source&);
    void hand_over(int fd, const source&, const std::optional<ingest::ip_address>&);

    std::vector<source> sources_;
    std::vector<std::unique_ptr<worker>>& workers_;
    const std::uint32_t connections_max_;
    const std::vector<ingest::cidr> proxies_;
    int wake_ = -1;
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> refused_{0};
    std::thread thread_;
};

}  // namespace headrace::server
