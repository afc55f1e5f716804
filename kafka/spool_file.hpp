#pragma once
// What the spool asks of the operating system, behind an interface so that tests can inject
// faults. Every call returns >= 0 or -errno and may be made from any thread.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace headrace::kafka {

class spool_disk {
public:
    virtual ~spool_disk() = default;
    // Created with mode 0600. Only regular files: -ELOOP for a symbolic link, -EINVAL for others.
    virtual int open(const std::filesystem::path&, int flags);
    virtual int list(const std::filesystem::path&, std::vector<std::string>& names);
    virtual long read(int fd, void* to, std::size_t size, std::uint64_t offset);
    virtual long write(int fd, const void* from, std::size_t size, std::uint64_t offset);
    virtual int allocate(int fd, std::uint64_t size);
    virtual int truncate(int fd, std::uint64_t size);
    virtual int sync(int fd);  // data and what is needed to read it back
    virtual int sync_all(int fd);
    virtual int sync_directory(const std::filesystem::path&);
    virtual int rename(const std::filesystem::path& from, const std::filesystem::path& to);
    virtual int unlink(const std::filesystem::path&);
    virtual long size(int fd);
    // Bytes that an unprivileged process may still use.
    virtual long free_bytes(const std::filesystem::path&);

    // All bytes, or the error of the first piece that failed.
    int write_all(int fd, const void* from, std::size_t size, std::uint64_t offset);
    // Bytes read, less than `size` only at the end of the file.
    long read_all(int fd, void* to, std::size_t size, std::uint64_t offset);
};

spool_disk& real_disk();

// "No space left on device" for 28 and so on; takes either sign.
std::string os_error(long code);

class file_handle {
public:
    file_handle() = default;
    explicit file_handle(int fd) : fd_(fd) {}
    file_handle(file_handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    file_handle& operator=(file_handle&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~file_handle() { reset(); }
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void reset();

private:
    int fd_ = -1;
};

}  // namespace headrace::kafka
