#pragma once
// What must fit together once every single value is readable. Looks at the file system (are
// certificates readable?), never at the network. Main thread.
#include "config/load.hpp"

#include <vector>

namespace headrace::config {

// Everything that is wrong or odd, at once, in the order of the reference. Meant for a load()
// whose problems hold no error; otherwise it also judges the defaults that stand in.
std::vector<problem> check(const loaded&);

}  // namespace headrace::config
