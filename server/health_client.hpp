#pragma once
// `headrace health`: asks the running server's admin port for /healthz/ready. For HEALTHCHECK lines
// and probes that have no curl. Exit 0 ready, 1 not ready or not there, 2 usage.
#include <string>
#include <vector>

namespace headrace::server {

int run_health(const std::vector<std::string>& arguments);

}  // namespace headrace::server
