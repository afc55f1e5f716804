#pragma once
// The running server: builds sinks, workers, listeners, in this order; stops them in the order of
// design.md section 4. Main thread.
#include <memory>
#include <string>

#include "config/load.hpp"

namespace headrace::server {

// Runs `headrace serve` until SIGTERM or SIGINT. Returns the exit code: 0 clean, 1 a failure at
// run time, 78 a configuration that cannot work. Prints the ready line on stdout.
int serve(const config::loaded&);

}  // namespace headrace::server
