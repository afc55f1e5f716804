#include "kafka/spool_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <system_error>

namespace headrace::kafka {
namespace {

template <typename T>
T result(T value) {
    return value < 0 ? static_cast<T>(-errno) : value;
}

}  // namespace

int spool_disk::open(const std::filesystem::path& path, int flags) {
    // A FIFO must not hang the one who opens it.
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) return -errno;
    struct stat status {};
    if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) return fd;
    ::close(fd);
    return -EINVAL;
}

int spool_disk::list(const std::filesystem::path& path, std::vector<std::string>& names) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
         it.increment(error))
        names.push_back(it->path().filename().string());
    return -error.value();
}

long spool_disk::read(int fd, void* to, std::size_t size, std::uint64_t offset) {
    return result(::pread(fd, to, size, static_cast<off_t>(offset)));
}

long spool_disk::write(int fd, const void* from, std::size_t size, std::uint64_t offset) {
    return result(::pwrite(fd, from, size, static_cast<off_t>(offset)));
}

int spool_disk::allocate(int fd, std::uint64_t size) {
    return -::posix_fallocate(fd, 0, static_cast<off_t>(size));
}

int spool_disk::truncate(int fd, std::uint64_t size) {
    return result(::ftruncate(fd, static_cast<off_t>(size)));
}

int spool_disk::sync(int fd) { return result(::fdatasync(fd)); }
int spool_disk::sync_all(int fd) { return result(::fsync(fd)); }

int spool_disk::sync_directory(const std::filesystem::path& path) {
    const file_handle dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return dir ? result(::fsync(dir.get())) : -errno;
}

int spool_disk::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
    return result(::rename(from.c_str(), to.c_str()));
}

int spool_disk::unlink(const std::filesystem::path& path) { return result(::unlink(path.c_str())); }

long spool_disk::size(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) < 0 ? -errno : static_cast<long>(status.st_size);
}

long spool_disk::free_bytes(const std::filesystem::path& path) {
    struct statvfs status {};
    if (::statvfs(path.c_str(), &status) < 0) return -errno;
    const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
    return static_cast<long>(std::min<std::uint64_t>(free, std::numeric_limits<long>::max()));
}

int spool_disk::write_all(int fd, const void* from, std::size_t size, std::uint64_t offset) {
    const auto* at = static_cast<const char*>(from);
    while (size > 0) {
        const long n = write(fd, at, size, offset);
        if (n == -EINTR) continue;
        if (n < 0) return static_cast<int>(n);
        if (n == 0) return -EIO;
        at += n;
        offset += static_cast<std::uint64_t>(n);
        size -= static_cast<std::size_t>(n);
    }
    return 0;
}

long spool_disk::read_all(int fd, void* to, std::size_t size, std::uint64_t offset) {
    auto* at = static_cast<char*>(to);
    std::size_t done = 0;
    while (done < size) {
        const long n = read(fd, at + done, size - done, offset + done);
        if (n == -EINTR) continue;
        if (n < 0) return n;
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    return static_cast<long>(done);
}

spool_disk& real_disk() {
    static spool_disk disk;
    return disk;
}

std::string os_error(long code) {
    return std::generic_category().message(static_cast<int>(code < 0 ? -code : code));
}

void file_handle::reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

}  // namespace headrace::kafka
