#include "kafka/spool_segment.hpp"

#include "kafka/spool_reader.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <tuple>

namespace headrace::kafka {
namespace {

namespace fs = std::filesystem;

std::string_view prefix_of(spool_log log) { return log == spool_log::main ? "main-" : "dead-"; }

std::optional<std::uint64_t> number_of(std::string_view name, spool_log log) {
    const std::string_view prefix = prefix_of(log);
    constexpr std::string_view suffix = ".seg";
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) return {};
    const std::string_view digits = name.substr(prefix.size(), name.size() - prefix.size() - 4);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc{} || end != digits.data() + digits.size() || number == 0) return {};
    return number;
}

// Mode and age from the first header that can be read.
void look_into(spool_disk& disk, instance_entry& entry) {
    entry.created_ns = std::numeric_limits<std::int64_t>::max();
    for (const spool_log log : {spool_log::main, spool_log::dead}) {
        bool known = false;
        int error = 0;
        const std::vector<segment_file> files = list_segments(entry.dir, log, disk, &error);
        if (error != ENOENT && error != 0) entry.error = error;
        for (const segment_file& file : files) {
            segment_reader reader(disk);
            const auto state = reader.open(file.path);
            if (state == segment_reader::opened::failed && reader.error() != ENOENT)
                entry.error = reader.error();
            if (state == segment_reader::opened::newer) entry.newer_format = true;
            if (state != segment_reader::opened::ok || known) continue;
            known = true;
            entry.mode = reader.header().mode;
            entry.created_ns = std::min(entry.created_ns, reader.header().created_ns);
        }
    }
}

bool still_at(const file_handle& file, const fs::path& path) {
    struct stat mine {
    }, there{};
    return ::fstat(file.get(), &mine) == 0 && ::stat(path.c_str(), &there) == 0 &&
           mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

}  // namespace

std::string segment_name(spool_log log, std::uint64_t number) {
    std::string digits = std::to_string(number);
    if (digits.size() < 10) digits.insert(0, 10 - digits.size(), '0');
    return std::string(prefix_of(log)) + digits + ".seg";
}

std::vector<segment_file> list_segments(
    const fs::path& instance, spool_log log, spool_disk& disk, int* error
) {
    std::vector<segment_file> files;
    std::vector<std::string> names;
    const int result = disk.list(instance, names);
    if (error != nullptr) *error = -result;
    for (const std::string& name : names)
        if (const auto number = number_of(name, log)) files.push_back({*number, instance / name});
    std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
        return a.number < b.number;
    });
    return files;
}

std::vector<instance_entry> list_instances(spool_disk& disk, const fs::path& spool_dir) {
    std::vector<instance_entry> entries;
    const fs::path above = spool_dir / "instances";
    std::vector<std::string> names;
    if (const int e = disk.list(above, names); e < 0 && e != -ENOENT)
        throw spool_error("spool: cannot read " + above.string() + ": " + os_error(e), 1);
    for (const std::string& name : names) {
        instance_entry entry;
        entry.id = name;
        entry.dir = above / name;
        std::error_code ignored;
        if (!from_hex(entry.id) || !fs::is_directory(entry.dir, ignored)) continue;
        look_into(disk, entry);
        entries.push_back(std::move(entry));
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        return std::tie(a.created_ns, a.id) < std::tie(b.created_ns, b.id);
    });
    return entries;
}

std::optional<instance_lock> instance_lock::take(
    const fs::path& instance, int& error, spool_disk& disk
) {
    error = 0;
    const fs::path path = instance / "lock";
    const int fd = disk.open(path, O_RDWR | O_CREAT);
    if (fd < 0) {
        if (fd != -ENOENT) error = -fd;
        return {};
    }
    file_handle file(fd);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) error = errno;
        return {};
    }
    // Whoever held it before may have removed the directory between our open and our lock.
    if (!still_at(file, path)) return {};
    return instance_lock(std::move(file));
}

bool instance_lock::held(const fs::path& instance) {
    const file_handle file(real_disk().open(instance / "lock", O_RDONLY));
    return file && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

void remove_empty_instance(spool_disk& disk, const fs::path& instance) {
    std::error_code error;
    for (fs::directory_iterator it(instance, error), end; !error && it != end;
         it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name != "lock" && name != "checkpoint" && name != "checkpoint.tmp") return;
    }
    if (error) return;
    for (const char* name : {"checkpoint.tmp", "checkpoint", "lock"}) disk.unlink(instance / name);
    ::rmdir(instance.c_str());
}

}  // namespace headrace::kafka
