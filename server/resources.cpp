#include "server/resources.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "config/settings.hpp"

namespace headrace::server {

namespace {

namespace fs = std::filesystem;

std::optional<std::string> first_line(const fs::path& file) {
    std::ifstream in(file);
    std::string line;
    if (!in || !std::getline(in, line)) return std::nullopt;
    return line;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data()) return std::nullopt;
    return value;
}

// Where this process may be in a hierarchy: its own group, then its parents, then the root.
std::vector<fs::path> candidates(const fs::path& root, const std::string& membership, std::string_view controller) {
    fs::path base = root;
    std::string own;
    std::istringstream lines(membership);
    for (std::string line; std::getline(lines, line);) {
        const auto first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
        const bool v2 = names == ",,";
        if (controller.empty() ? !v2 : names.find("," + std::string(controller) + ",") == std::string::npos) continue;
        own = line.substr(second + 1);
    }
    if (!controller.empty()) base /= controller;
    std::vector<fs::path> out;
    for (fs::path at = fs::path(own).relative_path(); !at.empty(); at = at.parent_path()) out.push_back(base / at);
    out.push_back(base);
    return out;
}

std::optional<double> quota_v2(const fs::path& group) {
    const auto line = first_line(group / "cpu.max");
    if (!line || line->starts_with("max")) return std::nullopt;
    const auto quota = number(*line);
    const auto period = number(std::string_view(*line).substr(std::min(line->find(' ') + 1, line->size())));
    if (!quota || !period || *period == 0) return std::nullopt;
    return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<double> quota_v1(const fs::path& group) {
    const auto quota = first_line(group / "cpu.cfs_quota_us"), period = first_line(group / "cpu.cfs_period_us");
    if (!quota || !period || quota->starts_with("-")) return std::nullopt;
    const auto q = number(*quota), p = number(*period);
    if (!q || !p || *p == 0) return std::nullopt;
    return static_cast<double>(*q) / static_cast<double>(*p);
}

// v1 writes "no limit" as a number near 2^63.
constexpr std::uint64_t no_limit = 1ull << 60;

}  // namespace

std::uint32_t cgroup_cpus(const fs::path& root, const std::string& membership, std::uint32_t otherwise) {
    double least = otherwise;
    for (const fs::path& g : candidates(root, membership, "")) {
        if (const auto q = quota_v2(g)) least = std::min(least, *q);
    }
    for (const fs::path& g : candidates(root, membership, "cpu")) {
        if (const auto q = quota_v1(g)) least = std::min(least, *q);
    }
    // A quota of 1.5 CPUs gets two workers: one would leave half a CPU unused.
    return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(least + 0.999));
}

std::uint64_t cgroup_memory(const fs::path& root, const std::string& membership) {
    std::uint64_t least = no_limit;
    for (const fs::path& g : candidates(root, membership, "")) {
        const auto line = first_line(g / "memory.max");
        if (const auto n = line ? number(*line) : std::nullopt) least = std::min(least, *n);
    }
    for (const fs::path& g : candidates(root, membership, "memory")) {
        const auto line = first_line(g / "memory.limit_in_bytes");
        if (const auto n = line ? number(*line) : std::nullopt) least = std::min(least, *n);
    }
    return least >= no_limit ? 0 : least;
}

resources find_resources() {
    resources out;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        out.cpus = static_cast<std::uint32_t>(std::max(1, CPU_COUNT(&set)));
    std::ifstream in("/proc/self/cgroup");
    const std::string membership{std::istreambuf_iterator<char>(in), {}};
    out.cpus = cgroup_cpus("/sys/fs/cgroup", membership, out.cpus);

    const std::uint64_t ram = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                              static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    const std::uint64_t limit = cgroup_memory("/sys/fs/cgroup", membership);
    out.memory_from_cgroup = limit != 0 && limit < ram;
    out.memory = out.memory_from_cgroup ? limit : ram;

    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_NOFILE, &files);
        out.descriptors = files.rlim_cur;
    }
    return out;
}

std::uint64_t memory_budget_bytes(std::uint64_t setting, const resources& r) {
    if (setting != 0) return setting;
    const std::uint64_t half = r.memory / 2;
    return r.memory_from_cgroup ? half : std::min(half, 4 * config::GiB);
}

}  // namespace headrace::server
