#pragma once
// Opening a spool directory: checks of the file system and of ownership, this process's own
// instance, and what is found of others (design.md D25). Main thread, at start.
#include "kafka/spool.hpp"
#include "kafka/spool_segment.hpp"
#include "kafka/spool_store.hpp"

#include <filesystem>
#include <memory>
#include <vector>

namespace headrace::kafka {

struct own_instance {
    std::filesystem::path dir;
    spool_bytes16 id{};
    instance_lock lock;
};

// An unlocked instance of somebody else, taken over to be shipped.
struct adopted_instance {
    adopted_instance(spool_disk&, std::filesystem::path, instance_lock);
    std::filesystem::path dir;
    instance_lock lock;
    log_store store;
    bool gone = false;  // everything shipped, directory removed
};

// Creates <dir>/instances. Throws spool_error. True: the directory lies on an overlay file system
// and goes away with its container.
bool prepare_directory(const spool_options&, spool_disk&);

// Standalone: an unlocked standalone instance if there is one, else a new one. Backlog: a new one.
own_instance claim_instance(const spool_options&, spool_disk&);

// Backlog mode: locks what can be shipped, oldest first, and sums up in `held` what is left alone.
std::vector<std::unique_ptr<adopted_instance>> adopt_instances(
    const spool_options&, spool_disk&, const own_instance&, held_store& held
);

// Throw spool_error: `path` cannot be used because of errno `code`, with the remedy; `path` was
// written by a newer version.
[[noreturn]] void refuse_path(const std::filesystem::path& path, int code);
[[noreturn]] void refuse_newer(const std::filesystem::path& path);

// As spool::open, on this disk.
std::unique_ptr<spool> open_spool(const spool_options&, spool_disk&);

}  // namespace headrace::kafka
