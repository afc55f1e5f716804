#pragma once
// Checks a Redis address from the outside in, for `headrace check`. Synchronous: own thread or a
// command, never a worker.
#include <chrono>
#include <string>
#include <vector>

namespace headrace::ingest {

struct check_step {
    std::string name;  // url, dns, connect, auth, select, ping
    bool ok = false;
    std::string detail;  // what was found; never a password
    std::string remedy;  // what to do about it, empty if ok
};

// The steps in order, up to and including the first that failed. Addresses:
// redis://[[user]:password@]host[:port][/db], unix:///path and redis+unix://[[user]:password@]/path
// with ?db=N; user and password may be percent-encoded. `timeout` bounds each single step except
// the look-up of the name, which the system's resolver bounds.
// The process has to ignore SIGPIPE: hiredis 0.14 writes without MSG_NOSIGNAL.
std::vector<check_step> check_redis(const std::string& url, std::chrono::milliseconds timeout);

}  // namespace headrace::ingest
