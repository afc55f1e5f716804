#include "kafka/spool_instance.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace headrace::kafka {
namespace {

namespace fs = std::filesystem;

constexpr long tmpfs_magic = 0x01021994, ramfs_magic = 0x858458f6, overlay_magic = 0x794c7630;

// Makes the entries of a directory last over a loss of power.
void sync_entries(spool_disk& disk, const fs::path& dir) {
    const int e = disk.sync_directory(dir);
    // A directory that may be written but not read, or of a file system that cannot do it.
    if (e >= 0 || e == -EACCES || e == -EINVAL) return;
    throw spool_error("spool: syncing " + dir.string() + ": " + os_error(e), 1);
}

// With its parents. What is created is synced in the directory above it.
void make_directory(spool_disk& disk, const fs::path& path, ::mode_t mode = 0700) {
    struct stat status {};
    const fs::path parent = path.parent_path();
    if (!parent.empty() && ::stat(parent.c_str(), &status) != 0 && errno == ENOENT)
        make_directory(disk, parent, 0777);
    if (::mkdir(path.c_str(), mode) == 0)
        sync_entries(disk, parent);
    else if (errno != EEXIST)
        refuse_path(path, errno);
    if (::stat(path.c_str(), &status) != 0) refuse_path(path, errno);
    if (!S_ISDIR(status.st_mode)) refuse_path(path, ENOTDIR);
}

own_instance new_instance(const spool_options& options, spool_disk& disk) {
    // A process that starts at the same moment may take the still empty directory away.
    for (int attempt = 0; attempt < 10; ++attempt) {
        const spool_bytes16 id = random_bytes16();
        const fs::path dir = options.dir / "instances" / to_hex(id);
        if (::mkdir(dir.c_str(), 0700) != 0) refuse_path(dir, errno);
        int error = 0;
        auto lock = instance_lock::take(dir, error, disk);
        if (error != 0) refuse_path(dir / "lock", error);
        if (!lock) continue;
        sync_entries(disk, options.dir / "instances");
        return {dir, id, std::move(*lock)};
    }
    throw spool_error("spool: cannot lock an instance below " + options.dir.string(), 1);
}

// What an instance that nobody holds contains must be known before anything is decided about it.
void check_readable(const instance_entry& entry) {
    if (!entry.newer_format && (entry.error == 0 || entry.mode)) return;
    if (instance_lock::held(entry.dir)) return;
    if (entry.newer_format) refuse_newer(entry.dir);
    refuse_path(entry.dir, entry.error);
}

void add_held(held_store& held, const log_figures& figures) {
    held.events += figures.events;
    held.bytes += figures.bytes;
    if (figures.oldest_ns != 0 &&
        (held.oldest_stored_at_ns == 0 || figures.oldest_ns < held.oldest_stored_at_ns))
        held.oldest_stored_at_ns = figures.oldest_ns;
}

}  // namespace

// Names whoever owns the nearest existing directory, and the command that mends it.
void refuse_path(const fs::path& path, int code) {
    if (code == ENOSPC || code == EIO || code == EDQUOT || code == EMFILE || code == ENFILE)
        throw spool_error("spool: cannot use " + path.string() + ": " + os_error(code), 1);
    fs::path existing = path;
    struct stat status {};
    while (::stat(existing.c_str(), &status) != 0 && existing.has_parent_path() &&
           existing != existing.parent_path())
        existing = existing.parent_path();
    const std::string uid = std::to_string(::geteuid()), gid = std::to_string(::getegid());
    std::string text = "spool: cannot use " + path.string() + ": " + os_error(code) + ". ";
    if (code == EACCES || code == EPERM)
        text += existing.string() + " belongs to uid " + std::to_string(status.st_uid) +
                ", headrace runs as uid " + uid + ". Run: chown -R " + uid + ":" + gid + " " +
                existing.string() + "  (or choose another directory with --spool-dir)";
    else
        text += "Choose another directory with --spool-dir (HEADRACE_SPOOL_DIR)";
    throw spool_error(text, 78);
}

void refuse_newer(const fs::path& path) {
    throw spool_error(
        "spool: " + path.string() +
            " was written by a newer version of headrace and is left untouched; run that "
            "version, or give this one another --spool-dir",
        78
    );
}

adopted_instance::adopted_instance(spool_disk& disk, fs::path path, instance_lock taken)
    : dir(std::move(path)), lock(std::move(taken)), store(disk, dir, spool_log::main, true) {}

bool prepare_directory(const spool_options& options, spool_disk& disk) {
    if (options.dir.empty()) throw spool_error("spool: no directory given (--spool-dir)", 78);
    std::error_code error;
    fs::path dir = fs::absolute(options.dir, error).lexically_normal();
    if (!dir.has_filename()) dir = dir.parent_path();  // written with a slash at its end
    make_directory(disk, dir);
    make_directory(disk, dir / "instances");
    if (::access((options.dir / "instances").c_str(), R_OK | W_OK | X_OK) != 0)
        refuse_path(options.dir / "instances", errno);
    struct statfs status {};
    if (::statfs(options.dir.c_str(), &status) != 0) refuse_path(options.dir, errno);
    const long type = static_cast<long>(status.f_type);
    if ((type == tmpfs_magic || type == ramfs_magic) && !options.allow_tmpfs)
        throw spool_error(
            "spool: " + options.dir.string() +
                " lies in memory (tmpfs), what is stored there is lost with the machine. Give "
                "--spool-dir on a disk, or set HEADRACE_SPOOL_ALLOW_TMPFS=true to accept that",
            78
        );
    return type == overlay_magic;
}

own_instance claim_instance(const spool_options& options, spool_disk& disk) {
    std::vector<instance_entry> entries = list_instances(disk, options.dir);
    for (const instance_entry& entry : entries) check_readable(entry);
    if (options.mode == spool_mode::backlog) return new_instance(options, disk);
    // The newest first: it is the one that the last process here wrote.
    std::reverse(entries.begin(), entries.end());
    std::stable_partition(entries.begin(), entries.end(), [](const instance_entry& e) {
        return e.mode.has_value();
    });
    for (const instance_entry& entry : entries) {
        if (entry.mode.value_or(spool_mode::standalone) != spool_mode::standalone) continue;
        int error = 0;
        auto lock = instance_lock::take(entry.dir, error, disk);
        if (error != 0) refuse_path(entry.dir / "lock", error);
        if (!lock) continue;
        // Whoever made it may have gone down before it was synced.
        sync_entries(disk, options.dir / "instances");
        return {entry.dir, from_hex(entry.id).value(), std::move(*lock)};
    }
    return new_instance(options, disk);
}

std::vector<std::unique_ptr<adopted_instance>> adopt_instances(
    const spool_options& options, spool_disk& disk, const own_instance& own, held_store& held
) {
    std::vector<std::unique_ptr<adopted_instance>> adopted;
    if (options.mode != spool_mode::backlog) return adopted;
    for (const instance_entry& entry : list_instances(disk, options.dir)) {
        if (entry.dir == own.dir) continue;
        const bool standalone = entry.mode == spool_mode::standalone;
        if (standalone && !options.ship_old) {
            if (instance_lock::held(entry.dir)) continue;
            log_store store(disk, entry.dir, spool_log::main, true);
            store.load(false);
            add_held(held, store.figures());
            continue;
        }
        int error = 0;
        auto lock = instance_lock::take(entry.dir, error, disk);
        if (error != 0) refuse_path(entry.dir / "lock", error);
        if (!lock) continue;
        auto taken = std::make_unique<adopted_instance>(disk, entry.dir, std::move(*lock));
        taken->store.load(true);
        adopted.push_back(std::move(taken));
    }
    return adopted;
}

}  // namespace headrace::kafka
