#pragma once
// What the process was given: CPUs (affinity and cgroup quota), memory (cgroup v1 or v2 limit, else
// RAM), file descriptors. Read once at start, main thread. Zero budget or no cgroup: the machine's.
#include <cstdint>
#include <filesystem>
#include <string>

namespace headrace::server {

struct resources {
    std::uint32_t cpus = 1;
    std::uint64_t memory = 0;           // bytes this process may use
    bool memory_from_cgroup = false;
    std::uint64_t descriptors = 1024;   // soft limit after raising it to the hard one
};

resources find_resources();

// The parts, against another root for tests ("/sys/fs/cgroup" and "/proc/self/cgroup").
std::uint32_t cgroup_cpus(const std::filesystem::path& cgroup_root, const std::string& membership, std::uint32_t otherwise);
std::uint64_t cgroup_memory(const std::filesystem::path& cgroup_root, const std::string& membership);   // 0: none

// design.md section 4: the setting, else half of the cgroup limit, else half of RAM, at most 4 GiB.
std::uint64_t memory_budget_bytes(std::uint64_t setting, const resources&);

}  // namespace headrace::server
