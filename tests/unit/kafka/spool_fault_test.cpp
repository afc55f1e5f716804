// Faults of the disk, injected below the spool.
#include "kafka/spool_instance.hpp"
#include "tests/unit/kafka/spool_support.hpp"

#include <fcntl.h>

#include <cerrno>

using namespace spool_test;

namespace {

class faulty_disk final : public spool_disk {
public:
    std::atomic<int> open_error{0}, write_error{0}, sync_error{0}, allocate_error{0};
    std::atomic<int> directory_error{0};
    std::atomic<bool> short_writes{false}, note_directories{false};
    std::atomic<long> free{-1};
    std::atomic<int> syncs{0};

    int open(const fs::path& p, int flags) override {
        const bool creates = p.extension() == ".seg" && (flags & O_CREAT) != 0;
        return creates && open_error != 0 ? -open_error : spool_disk::open(p, flags);
    }
    long write(int fd, const void* from, std::size_t size, std::uint64_t offset) override {
        if (write_error != 0) {
            // Half of it gets there, as on a disk that fills up.
            if (size > 4096) spool_disk::write(fd, from, size / 2, offset);
            return -write_error;
        }
        if (short_writes && size > 100) size = 100;
        return spool_disk::write(fd, from, size, offset);
    }
    int allocate(int fd, std::uint64_t size) override {
        return allocate_error != 0 ? -allocate_error : spool_disk::allocate(fd, size);
    }
    int sync(int fd) override {
        ++syncs;
        return sync_error != 0 ? -sync_error : spool_disk::sync(fd);
    }
    std::vector<fs::path> synced_directories;  // before the spool's thread runs

    int sync_directory(const fs::path& p) override {
        if (note_directories) synced_directories.push_back(p);
        return directory_error != 0 ? -directory_error : spool_disk::sync_directory(p);
    }
    long free_bytes(const fs::path& p) override {
        return free >= 0 ? free.load() : spool_disk::free_bytes(p);
    }
};

// Nothing: refused by append(), which took nothing.
std::optional<bool> try_store(spool& s, const std::string& value) {
    test_job job({event(value)});
    if (!s.append(job)) return {};
    const auto result = job.wait();
    REQUIRE(result.has_value());
    return result;
}

bool recovers(spool& s) {
    return eventually([&] { return s.healthy(nullptr); });
}

}  // namespace

TEST_CASE("a failing write or sync is answered with false and the spool recovers by itself") {
    struct fault {
        const char* name;
        std::atomic<int> faulty_disk::*where;
        int code;
    };
    const fault faults[] = {
        {"write ENOSPC", &faulty_disk::write_error, ENOSPC},
        {"write EIO", &faulty_disk::write_error, EIO},
        {"write EROFS", &faulty_disk::write_error, EROFS},
        {"sync EIO", &faulty_disk::sync_error, EIO},
        {"sync ENOSPC", &faulty_disk::sync_error, ENOSPC},
    };
    for (const fault& f : faults) {
        CAPTURE(f.name);
        temp_dir dir;
        faulty_disk disk;
        auto s = open_spool(options_for(dir.path), disk);
        REQUIRE(try_store(*s, "before") == std::optional(true));
        disk.*f.where = f.code;
        CHECK(try_store(*s, std::string(9000, 'f')) == std::optional(false));
        std::string reason;
        CHECK(!s->healthy(&reason));
        CHECK_THAT(reason, ContainsSubstring(os_error(f.code)));
        CHECK(!try_store(*s, "refused").has_value());
        disk.*f.where = 0;
        REQUIRE(recovers(*s));
        CHECK(try_store(*s, "after") == std::optional(true));
        CHECK(values_in(dir.path) == std::vector<std::string>{"before", "after"});
        s->stop();
        CHECK(values_in(dir.path) == std::vector<std::string>{"before", "after"});
        CHECK(open_spool(options_for(dir.path), disk)->figures().records == 2);
    }
}

TEST_CASE("what was synced before a failed sync stays and is counted") {
    temp_dir dir;
    faulty_disk disk;
    auto s = open_spool(options_for(dir.path), disk);
    for (int i = 0; i < 5; ++i)
        REQUIRE(try_store(*s, "v" + std::to_string(i)) == std::optional(true));
    disk.sync_error = EIO;
    CHECK(try_store(*s, "lost") == std::optional(false));
    CHECK(s->figures().sync_errors == 1);
    CHECK(s->figures().records == 5);
    CHECK(s->figures().stored_total == 5);
    disk.sync_error = 0;
    REQUIRE(recovers(*s));
    test_job job({event("next")});
    REQUIRE(s->append(job));
    REQUIRE(job.wait() == std::optional(true));
    // The number of a record whose sync failed is not given to another one.
    CHECK(job.sequence() > 6);
}

TEST_CASE("bytes behind a failed sync are ignored although they are intact") {
    temp_dir dir;
    faulty_disk disk;
    auto s = open_spool(options_for(dir.path), disk);
    REQUIRE(try_store(*s, "before") == std::optional(true));
    disk.sync_error = EIO;
    CHECK(try_store(*s, "not acknowledged") == std::optional(false));
    disk.sync_error = 0;
    REQUIRE(recovers(*s));
    REQUIRE(try_store(*s, "after") == std::optional(true));
    CHECK(values_in(dir.path) == std::vector<std::string>{"before", "after"});
}

TEST_CASE("a segment that cannot be created makes the spool refuse, not fail") {
    for (auto where :
         {&faulty_disk::open_error, &faulty_disk::allocate_error, &faulty_disk::write_error}) {
        temp_dir dir;
        faulty_disk disk;
        disk.*where = ENOSPC;
        auto s = open_spool(options_for(dir.path), disk);
        CHECK(!s->healthy(nullptr));
        CHECK(!try_store(*s, "x").has_value());
        disk.*where = 0;
        REQUIRE(recovers(*s));
        CHECK(try_store(*s, "y") == std::optional(true));
        CHECK(values_in(dir.path) == std::vector<std::string>{"y"});
    }
}

TEST_CASE("nothing is acknowledged in a segment whose directory entry is not synced") {
    temp_dir dir;
    faulty_disk disk;
    auto o = options_for(dir.path);
    o.segment = 32 * 1024;
    auto s = open_spool(o, disk);
    disk.directory_error = EIO;
    std::size_t stored = 0;
    std::optional<bool> result;
    for (int i = 0; i < 20; ++i) {
        result = try_store(*s, std::string(4000, 'd'));
        if (result != std::optional(true)) break;
        ++stored;
    }
    CHECK(result == std::optional(false));
    CHECK(values_in(dir.path).size() == stored);
    disk.directory_error = 0;
    REQUIRE(recovers(*s));
    CHECK(try_store(*s, "again") == std::optional(true));
}

TEST_CASE("short writes are continued") {
    temp_dir dir;
    faulty_disk disk;
    disk.short_writes = true;
    auto s = open_spool(options_for(dir.path), disk);
    const std::string value(20'000, 's');
    REQUIRE(try_store(*s, value) == std::optional(true));
    CHECK(values_in(dir.path) == std::vector<std::string>{value});
}

TEST_CASE("the space that must stay free is not used, and the spool goes on when there is more") {
    temp_dir dir;
    faulty_disk disk;
    disk.free = 5 << 20;
    auto o = options_for(dir.path);
    o.min_free = 10 << 20;
    auto s = open_spool(o, disk);
    std::string reason;
    CHECK(!s->healthy(&reason));
    CHECK_THAT(reason, ContainsSubstring("min_free"));
    CHECK(!try_store(*s, "x").has_value());
    disk.free = 50 << 20;
    REQUIRE(recovers(*s));
    CHECK(try_store(*s, "y") == std::optional(true));
}

TEST_CASE("every directory that is created is synced in the one above it") {
    temp_dir dir;
    faulty_disk disk;
    auto o = options_for(dir.path / "a" / "b" / "");
    disk.note_directories = true;
    prepare_directory(o, disk);
    const auto claimed = claim_instance(o, disk);
    const auto synced = [&](const fs::path& p) {
        return std::any_of(
            disk.synced_directories.begin(),
            disk.synced_directories.end(),
            [&](const fs::path& q) { return fs::equivalent(p, q); }
        );
    };
    CHECK(synced(dir.path));
    CHECK(synced(dir.path / "a"));
    CHECK(synced(dir.path / "a" / "b"));
    CHECK(synced(dir.path / "a" / "b" / "instances"));
    CHECK(fs::exists(claimed.dir / "lock"));
}

TEST_CASE("an old instance that is claimed is synced in its directory") {
    temp_dir dir;
    auto o = options_for(dir.path);
    { store(*spool::open(o), event("kept")); }
    faulty_disk disk;
    disk.note_directories = true;
    const auto claimed = claim_instance(o, disk);
    CHECK(disk.synced_directories == std::vector<fs::path>{dir.path / "instances"});
    CHECK(!list_segments(claimed.dir, spool_log::main).empty());
}

TEST_CASE("a cap taken from the free space lets an adopted backlog be as large as it is") {
    temp_dir dir;
    {
        auto s = spool::open(options_for(dir.path, spool_mode::backlog));
        for (int i = 0; i < 40; ++i) store(*s, event(std::string(50'000, 'b')));
    }
    faulty_disk disk;
    disk.free = 1 << 20;
    auto o = options_for(dir.path, spool_mode::backlog);
    o.max_size = 0;
    auto s = open_spool(o, disk);
    REQUIRE(s->figures().records == 40);
    CHECK(s->figures().max_bytes > 2'000'000 + (1 << 19));
    CHECK(s->healthy(nullptr));
    CHECK(try_store(*s, "one more") == std::optional(true));
}

TEST_CASE("every group is synced before its jobs are answered") {
    temp_dir dir;
    faulty_disk disk;
    auto s = open_spool(options_for(dir.path), disk);
    for (int i = 0; i < 10; ++i) {
        const int before = disk.syncs;
        REQUIRE(try_store(*s, "v") == std::optional(true));
        CHECK(disk.syncs > before);
    }
}
