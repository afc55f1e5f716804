#pragma once
// How kafka/ speaks to the operator: the server passes its structured logger as a function. Any
// thread may call it. One call per state change; never a secret, key or record.
#include <functional>
#include <string>

namespace headrace::kafka {

enum class log_level { debug, info, warn, error };
using log_function = std::function<void(log_level, const std::string&)>;

}  // namespace headrace::kafka
