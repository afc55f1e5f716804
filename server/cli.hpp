#pragma once
// The command line: `headrace [serve|check|init|spool|health|version|help] ...`. Main thread.
// Exit codes: 0 good, 1 a failure at run time, 2 wrong usage, 78 a wrong configuration.
#include <string>
#include <vector>

namespace headrace::server {

int run_command(const std::vector<std::string>& arguments);

}  // namespace headrace::server
