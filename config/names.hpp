#pragma once
// From the name of a setting as someone wrote it to its entry. Main thread, at start.
#include "config/source.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace headrace::config {

struct resolved {
    const entry* target = nullptr;  // null: no such name
    bool from_file = false;         // <NAME>_FILE: the value is in the file it names
};

resolved resolve_key(std::string_view key);            // "kafka.sasl_password_file"
resolved resolve_variable(std::string_view variable);  // "HEADRACE_KAFKA_SASL_PASSWORD_FILE"
resolved resolve_flag(std::string_view flag);          // "kafka-sasl-password-file", "listen"

const std::vector<std::string>& all_keys();
const std::vector<std::string>& all_variables();
const std::vector<std::string>& all_flags();

// Replaces the path in `one.text` by what the file holds, without the line end. False: it cannot
// be read, which is a problem now.
bool load_secret(given& one, std::vector<problem>&);

}  // namespace headrace::config
