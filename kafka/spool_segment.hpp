#pragma once
// Names, listings and locks of what lies in a spool directory. Any thread.
#include "kafka/spool_file.hpp"
#include "kafka/spool_format.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace headrace::kafka {

struct segment_file {
    std::uint64_t number = 0;
    std::filesystem::path path;
};

std::string segment_name(spool_log, std::uint64_t number);
// In order of their numbers. `error`: 0, or why the directory could not be read as a whole.
std::vector<segment_file> list_segments(
    const std::filesystem::path& instance,
    spool_log,
    spool_disk& = real_disk(),
    int* error = nullptr
);

struct instance_entry {
    std::string id;
    std::filesystem::path dir;
    std::optional<spool_mode> mode;  // nothing: no segment with a readable header
    std::int64_t created_ns = 0;     // of its first segment
    bool newer_format = false;
    int error = 0;  // why its directory or a segment cannot be read
};
// Oldest first. Throws spool_error when the list cannot be read.
std::vector<instance_entry> list_instances(spool_disk&, const std::filesystem::path& spool_dir);

// Exclusive ownership of an instance directory, given up by the destructor or with the process.
class instance_lock {
public:
    // Nothing: another process holds it, or the directory is gone. `error` is set when the lock
    // file can be neither created nor locked for another reason.
    static std::optional<instance_lock> take(
        const std::filesystem::path& instance, int& error, spool_disk& = real_disk()
    );
    // Without keeping it: does a process hold it?
    static bool held(const std::filesystem::path& instance);
    void release() { file_.reset(); }

private:
    explicit instance_lock(file_handle file) : file_(std::move(file)) {}
    file_handle file_;
};

// Removes the lock file, the checkpoint and the directory of an instance whose lock the caller
// holds, if no other file is left in it.
void remove_empty_instance(spool_disk&, const std::filesystem::path& instance);

}  // namespace headrace::kafka
