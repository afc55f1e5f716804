#include "server/spool_dir.hpp"

#include <unistd.h>

#include <cstdlib>

namespace headrace::server {

std::string default_spool_dir() {
    const std::string system = "/var/lib/headrace";
    const bool there = ::access(system.c_str(), F_OK) == 0;
    if (::access(there ? system.c_str() : "/var/lib", W_OK) == 0) return system;
    if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
        return std::string(state) + "/headrace";
    const char* home = std::getenv("HOME");
    return std::string(home != nullptr && *home != '\0' ? home : "/tmp") + "/.local/state/headrace";
}

}  // namespace headrace::server
