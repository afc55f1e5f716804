#pragma once
// The admin port (design.md D14): /metrics and /healthz/* for everybody who can reach it; anything
// else only for loopback and unix peers or with the admin token. One thread; slow clients and
// odd requests cost the request path nothing. Also watches the sink for readiness (D22).
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/health.hpp"
#include "server/listener.hpp"

namespace headrace::server {

class admin_server {
public:
    struct options {
        std::string token;                                  // secret; empty: local peers only
        std::function<std::string()> metrics_text;          // may wait for the workers, at most 1 s
        std::function<kafka::sink_health()> sink_health;
        server::health* health = nullptr;
    };

    admin_server(std::vector<listening_socket>, options);
    ~admin_server();   // stops and joins

    void start();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// What a request on the admin port gets; pure, for tests.
struct admin_request {
    std::string method, target, host, authorization;
    bool local_peer = false;
};
struct admin_reply {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::string allow;   // with 405
};
admin_reply answer_admin(const admin_request&, const admin_server::options&);

}  // namespace headrace::server
