#pragma once
// What must fit together once every single value is readable. Looks at the file system (are
// certificates readable?), never at the network. Main thread.
#include "config/load.hpp"

#include <vector>

namespace headrace::config {

// Everything that does not fit together, at once, in a fixed order. Where load() refused a value it
// judges the weaker one that stands in.
std::vector<problem> check(const loaded&);

// What an operator should see: load()'s problems, then check()'s for the settings that load() had
// nothing against. Errors among them mean exit 78.
std::vector<problem> all_problems(const loaded&);
bool has_errors(const std::vector<problem>&);

}  // namespace headrace::config
