// What the disk refuses to open or read: nothing of it is lost, and it is told.
#include "kafka/spool_format.hpp"
#include "kafka/spool_instance.hpp"
#include "kafka/spool_topics.hpp"
#include "tests/unit/kafka/spool_support.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

using namespace spool_test;

namespace {

// Refuses one path, or one range of every segment.
class refusing_disk final : public spool_disk {
public:
    std::atomic<int> code{0};
    std::string name;  // of a file or directory; empty: none
    std::atomic<std::uint64_t> bad_begin{0}, bad_end{0};

    int open(const fs::path& p, int flags) override {
        return refused(p) ? -code : spool_disk::open(p, flags);
    }
    int list(const fs::path& p, std::vector<std::string>& names) override {
        return refused(p) ? -code : spool_disk::list(p, names);
    }
    long read(int fd, void* to, std::size_t size, std::uint64_t offset) override {
        if (offset < bad_end && offset + size > bad_begin) return -EIO;
        return spool_disk::read(fd, to, size, offset);
    }

private:
    bool refused(const fs::path& p) const {
        return code != 0 && !name.empty() && p.filename() == name;
    }
};

constexpr std::uint64_t second_record = spool_data_begin + spool_block;

// A sealed backlog of one segment with the values "0", "1", ..., each in a block of its own.
void leave_backlog(const fs::path& dir, int records) {
    auto s = spool::open(options_for(dir, spool_mode::backlog));
    for (int i = 0; i < records; ++i) store(*s, event(std::to_string(i)));
}

// The same as a process leaves it that is killed.
void leave_unsealed(const fs::path& dir, int records) {
    temp_dir other;
    auto s = spool::open(options_for(other.path, spool_mode::backlog));
    for (int i = 0; i < records; ++i) store(*s, event(std::to_string(i)));
    const fs::path from = *fs::directory_iterator(other.path / "instances");
    fs::create_directories(dir / "instances");
    fs::copy(from, dir / "instances" / from.filename(), fs::copy_options::recursive);
}

spool_error refusal(const fs::path& dir, spool_mode mode, spool_disk& disk) {
    try {
        open_spool(options_for(dir, mode), disk);
    } catch (const spool_error& e) {
        return e;
    }
    return {"it opened", 0};
}

// Records that are handed out until there is nothing for now.
std::vector<std::string> drain_all(spool& s) {
    std::vector<std::string> values;
    stored_record r;
    std::uint32_t instance = 0;
    while (s.next_unshipped(r, instance)) {
        values.emplace_back(r.value);
        s.drained(instance, r.sequence, true);
    }
    return values;
}

bool drains(spool& s, const std::vector<std::string>& wanted) {
    std::vector<std::string> values;
    return eventually([&] {
        for (auto& v : drain_all(s)) values.push_back(v);
        return values == wanted;
    });
}

}  // namespace

TEST_CASE("an instance that this user may not read is refused with the owner and the remedy") {
    for (const spool_mode mode : {spool_mode::backlog, spool_mode::standalone}) {
        temp_dir dir;
        leave_backlog(dir.path, 1);
        const fs::path segment = files_below(dir.path, ".seg").at(0);
        for (const fs::path& p : {segment.parent_path(), segment}) {
            refusing_disk disk;
            disk.name = p.filename().string();
            disk.code = EACCES;
            const spool_error e = refusal(dir.path, mode, disk);
            CAPTURE(p.string(), e.what());
            CHECK(e.exit_code == 78);
            CHECK_THAT(e.what(), ContainsSubstring("runs as uid"));
            CHECK_THAT(e.what(), ContainsSubstring("chown -R"));
        }
        CHECK(files_below(dir.path, ".seg").size() == 1);
    }
}

TEST_CASE("a lock file that cannot be opened is not taken for a running server") {
    temp_dir dir;
    leave_backlog(dir.path, 1);
    const fs::path old = files_below(dir.path, "lock").at(0);
    struct old_lock_disk final : spool_disk {
        fs::path path;
        int code = 0;
        int open(const fs::path& p, int flags) override {
            return p == path ? -code : spool_disk::open(p, flags);
        }
    } disk;
    disk.path = old;
    for (const int code : {EACCES, EMFILE}) {
        disk.code = code;
        const spool_error e = refusal(dir.path, spool_mode::backlog, disk);
        CHECK(e.exit_code == (code == EACCES ? 78 : 1));
        CHECK_THAT(e.what(), ContainsSubstring(old.string()));
    }
}

TEST_CASE("a segment that cannot be opened at the start is counted, kept and shipped later") {
    temp_dir dir;
    auto o = options_for(dir.path, spool_mode::backlog);
    o.segment = 64 * 1024;
    std::vector<std::string> values;
    {
        auto s = spool::open(o);
        for (int i = 0; i < 40; ++i) {
            values.push_back(std::to_string(i) + std::string(4000, 'x'));
            store(*s, event(values.back()));
        }
    }
    const auto files = files_below(dir.path, ".seg");
    REQUIRE(files.size() > 2);
    for (const std::size_t which : {std::size_t{1}, files.size() - 1}) {
        refusing_disk disk;
        disk.name = files[which].filename().string();
        disk.code = EIO;
        // Its own segment must not be the one that is refused.
        auto own = claim_instance(o, disk);
        log_store store(disk, files[which].parent_path(), spool_log::main, true);
        store.load(true);
        CHECK(store.figures().unread == 1);
        CHECK(store.next_sequence() > 40);
        CHECK(store.next_number() == files.size() + 1);
        std::vector<std::string> seen;
        stored_record r;
        while (store.next(r)) seen.emplace_back(r.value);
        CHECK(seen.size() < values.size());
        CHECK(!store.nothing_left());
        disk.code = 0;
        store.look_again();
        CHECK(store.figures().unread == 0);
        while (store.next(r)) seen.emplace_back(r.value);
        std::sort(seen.begin(), seen.end());
        auto wanted = values;
        std::sort(wanted.begin(), wanted.end());
        CHECK(seen == wanted);
    }
}

TEST_CASE("a segment that cannot be opened once is tried again at the next look") {
    temp_dir dir;
    leave_backlog(dir.path, 3);
    refusing_disk disk;
    log_store store(disk, files_below(dir.path, ".seg").at(0).parent_path(), spool_log::main, true);
    store.load(true);
    disk.name = "main-0000000001.seg";
    disk.code = EMFILE;
    stored_record r;
    CHECK(!store.next(r));
    CHECK(!store.next(r));
    disk.code = 0;
    REQUIRE(store.next(r));
    CHECK(r.value == "0");
    store.drained(r.sequence, false);
    disk.code = EMFILE;
    while (store.next(r)) CHECK(r.value != "0");
    disk.code = 0;
    REQUIRE(store.next(r));
    CHECK(r.value == "0");
}

TEST_CASE("records behind a read error are waiting at the next start") {
    temp_dir dir;
    leave_backlog(dir.path, 3);
    {
        refusing_disk disk;
        auto s = open_spool(options_for(dir.path, spool_mode::backlog), disk);
        disk.bad_begin = second_record;
        disk.bad_end = second_record + spool_block;
        CHECK(drain_all(*s) == std::vector<std::string>{"0", "2"});
        CHECK(s->figures().records == 1);
        s->stop();
    }
    CHECK(files_below(dir.path, ".bad").empty());
    auto s = spool::open(options_for(dir.path, spool_mode::backlog));
    // What was shipped behind it is sent again: the checkpoint is one number.
    CHECK(drains(*s, {"1", "2"}));
}

TEST_CASE("a start during a read error ends no segment and loses no record") {
    temp_dir dir;
    leave_unsealed(dir.path, 3);
    const fs::path path = files_below(dir.path, ".seg").at(0);
    const std::string before = slurp(path);
    for (const std::uint64_t begin : {second_record, second_record + spool_block}) {
        refusing_disk disk;
        disk.bad_begin = begin;
        disk.bad_end = before.size();
        log_store store(disk, path.parent_path(), spool_log::main, true);
        store.load(true);
        CHECK(store.last_end() == before.size());
        CHECK(store.next_sequence() > 4);
        stored_record r;
        while (store.next(r)) store.drained(r.sequence, true);
        store.drop_shipped();
        CHECK(!store.nothing_left());
        CHECK(slurp(path) == before);
    }
    auto s = spool::open(options_for(dir.path, spool_mode::backlog));
    CHECK(drains(*s, {"0", "1", "2"}));
}

TEST_CASE("a segment with damage in it is never unlinked, also when all around it was shipped") {
    temp_dir dir;
    leave_backlog(dir.path, 3);
    const fs::path path = files_below(dir.path, ".seg").at(0);
    std::string bytes = slurp(path);
    bytes[second_record + 30] = static_cast<char>(bytes[second_record + 30] ^ 1);
    spit(path, bytes);
    log_store store(real_disk(), path.parent_path(), spool_log::main, true);
    store.load(true);
    stored_record r;
    // Not one look more than there are records.
    for (int i = 0; i < 2; ++i) {
        REQUIRE(store.next(r));
        store.drained(r.sequence, true);
    }
    store.drop_shipped();
    CHECK(store.nothing_left());
    CHECK(files_below(dir.path, ".bad").size() == 1);
}

TEST_CASE("a disk that hangs while a segment is removed blocks nobody who asks the store") {
    struct hanging_disk final : spool_disk {
        log_store* store = nullptr;
        int unlinked = 0;
        // Deadlocks, if the store's mutex is held meanwhile.
        int unlink(const fs::path& p) override {
            std::atomic<bool> answered{false};
            std::thread other([&] {
                static_cast<void>(store->figures());
                store->shipped(1);
                answered = true;
            });
            other.join();
            if (answered) ++unlinked;
            return spool_disk::unlink(p);
        }
    } disk;
    temp_dir dir;
    leave_backlog(dir.path, 3);
    const fs::path path = files_below(dir.path, ".seg").at(0);
    log_store store(disk, path.parent_path(), spool_log::main, true);
    disk.store = &store;
    store.load(true);
    stored_record r;
    while (store.next(r)) store.drained(r.sequence, true);
    store.drop_shipped();
    CHECK(disk.unlinked == 1);
    CHECK(store.nothing_left());
    CHECK(!fs::exists(path));
}

TEST_CASE("records of more topics than a spool may name stay where they are") {
    temp_dir dir;
    auto s = spool::open(options_for(dir.path, spool_mode::backlog));
    constexpr std::size_t more = 5;
    std::vector<content> contents;
    for (std::size_t i = 0; i < spool_topics::names_max + more; ++i) {
        contents.push_back(event("v"));
        contents.back().topic = "t" + std::to_string(i);
    }
    contents.push_back(event("of a known topic"));
    contents.back().topic = "t0";
    test_job job(contents);
    REQUIRE(s->append(job));
    REQUIRE(job.wait() == std::optional(true));
    std::size_t seen = 0;
    CHECK(eventually([&] {
        seen += drain_all(*s).size();
        return seen == spool_topics::names_max + 1;
    }));
    CHECK(s->figures().records == more);
    CHECK(drain_all(*s).empty());
}

TEST_CASE("a topic's index is never given twice") {
    topic_table table;
    for (int i = 0; i < 65'536; ++i) table.intern_dead_letters("d");
    CHECK(table.at(65'535).index == 65'535);
    CHECK_THROWS_AS(table.intern("one more"), std::length_error);
    CHECK(table.size() == 65'536);
}

TEST_CASE("files that are not regular ones are not opened") {
    for (const char* name : {"main-0000000001.seg", "main-0000000009.seg", "checkpoint"}) {
        for (const bool fifo : {true, false}) {
            temp_dir dir;
            leave_backlog(dir.path, 1);
            const fs::path path = files_below(dir.path, ".seg").at(0);
            temp_dir elsewhere;
            spit(elsewhere.path / "target", slurp(path));
            const fs::path other = path.parent_path() / name;
            fs::remove(other);
            if (fifo)
                REQUIRE(::mkfifo(other.c_str(), 0600) == 0);
            else
                fs::create_symlink(elsewhere.path / "target", other);
            auto s = spool::open(options_for(dir.path, spool_mode::backlog));
            const bool kept = other.filename() != path.filename();
            CHECK(drain_all(*s).size() == (kept ? 1 : 0));
            CHECK(s->figures().records == 0);
        }
    }
}

TEST_CASE("a lock that is not a regular file is refused and does not hang the start") {
    temp_dir dir;
    leave_backlog(dir.path, 1);
    const fs::path lock = files_below(dir.path, "lock").at(0);
    fs::remove(lock);
    REQUIRE(::mkfifo(lock.c_str(), 0600) == 0);
    const spool_error e = refusal(dir.path, spool_mode::backlog, real_disk());
    CHECK(e.exit_code == 78);
    CHECK_THAT(e.what(), ContainsSubstring(lock.string()));
}

TEST_CASE("a record with a sequence that its file cannot reach is not believed") {
    temp_dir dir;
    leave_unsealed(dir.path, 1);
    const fs::path path = files_below(dir.path, ".seg").at(0);
    std::string bytes = slurp(path);
    segment_header h;
    REQUIRE(decode_header(bytes.data(), h) == header_state::ok);
    test_job forged({event("forged")});
    const record& r = *forged.records[0];
    encode_record(
        r,
        payload_bytes(r),
        1,
        h.first_sequence + (std::uint64_t{1} << 50),
        second_record,
        keys_of(h.salt),
        bytes.data() + second_record
    );
    spit(path, bytes);
    auto s = spool::open(options_for(dir.path, spool_mode::backlog));
    CHECK(drain_all(*s) == std::vector<std::string>{"0"});
    CHECK(s->figures().quarantined_bytes > 0);
}
