#pragma once
// Where the spool lies when the setting is empty: /var/lib/headrace if this user can write there
// (or create it), else $XDG_STATE_HOME/headrace, else ~/.local/state/headrace.
#include <string>

namespace headrace::server {

std::string default_spool_dir();

}  // namespace headrace::server
