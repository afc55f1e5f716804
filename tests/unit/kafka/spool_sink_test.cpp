#include "kafka/spool_sink.hpp"

#include "kafka/spool_instance.hpp"
#include "tests/unit/kafka/spool_support.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

using namespace spool_test;

namespace {

// A worker's side: collects what comes back and counts the wake-ups.
struct collecting_home final : completions {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<batch*> back;
    int pushes = 0;

    void push(batch* first) noexcept override {
        const std::lock_guard lock(mutex);
        ++pushes;
        for (; first != nullptr; first = first->next) back.push_back(first);
        changed.notify_all();
    }
    bool wait_for(std::size_t n) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(20), [&] { return back.size() >= n; });
    }
};

void fill(batch& b, collecting_home& home, std::string_view value, int n) {
    b.home = &home;
    for (int i = 0; i < n; ++i) {
        record& r = b.add();
        r.to = &topics().intern("events");
        r.value = b.memory.copy(value);
    }
}

// A disk whose syncs hang while it is told to. Outlives the spool that it hangs.
struct hanging_disk final : spool_disk {
    std::mutex mutex;
    std::condition_variable changed;
    bool hang = false;
    int hanging = 0;

    int sync(int fd) override {
        std::unique_lock lock(mutex);
        ++hanging;
        changed.notify_all();
        changed.wait(lock, [this] { return !hang; });
        --hanging;
        lock.unlock();
        return spool_disk::sync(fd);
    }
    void set(bool value) {
        const std::lock_guard lock(mutex);
        hang = value;
        changed.notify_all();
    }
    bool hangs() {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(20), [this] { return hanging > 0; });
    }
};

}  // namespace

TEST_CASE("a batch comes back decided, released and stored") {
    temp_dir dir;
    spool_sink sink(spool::open(options_for(dir.path)));
    collecting_home home;
    batch b;
    for (int round = 0; round < 3; ++round) {
        home.back.clear();
        b.reset();
        fill(b, home, "value", 4);
        REQUIRE(sink.submit(b));
        REQUIRE(home.wait_for(1));
        CHECK(b.take_back() == (batch::decided | batch::released));
        for (const record& r : b.records) {
            CHECK(r.outcome == fate::stored);
            CHECK(r.spool_sequence > 0);
        }
    }
    CHECK(sink.stats().spooled == 12);
    CHECK(sink.stats().spool_events == 12);
    CHECK(sink.health().spool_ok);
    CHECK(sink.health().honest_200_possible());
    CHECK(sink.stop(std::chrono::steady_clock::now()) == 0);
    CHECK(values_in(dir.path).size() == 12);
}

TEST_CASE("all batches of one worker in one group come back with one push") {
    temp_dir dir;
    collecting_home one, two;
    std::deque<batch> batches(40);
    spool_sink sink(spool::open(options_for(dir.path)));
    for (std::size_t i = 0; i < batches.size(); ++i) {
        fill(batches[i], i % 2 == 0 ? one : two, "v", 2);
        REQUIRE(sink.submit(batches[i]));
    }
    REQUIRE(one.wait_for(20));
    REQUIRE(two.wait_for(20));
    CHECK(one.back.size() == 20);
    CHECK(two.back.size() == 20);
    CHECK(one.pushes <= 20);
    sink.stop(std::chrono::steady_clock::now());
    collecting_home& home = one;
    batches[0].reset();
    fill(batches[0], home, "late", 1);
    CHECK(!sink.submit(batches[0]));
}

TEST_CASE("stop with a disk that hangs ends at its deadline and says what is undecided") {
    temp_dir dir;
    // Never destroyed: its last use by the spool's thread is ordered by a file lock only.
    static hanging_disk& disk = *new hanging_disk;
    collecting_home home;
    {
        batch first, second;
        spool_sink sink(open_spool(options_for(dir.path), disk));
        disk.set(true);
        fill(first, home, "value", 3);
        REQUIRE(sink.submit(first));
        REQUIRE(disk.hangs());
        fill(second, home, "value", 2);
        REQUIRE(sink.submit(second));
        const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
        CHECK(sink.stop(soon) == 5);
        batch third;
        fill(third, home, "value", 1);
        CHECK_FALSE(sink.submit(third));
        CHECK(sink.stop(soon) == 5);
    }
    CHECK(home.pushes == 0);
    // The disk comes back when sink and batches are gone: the spool tidies up behind itself.
    disk.set(false);
    const fs::path lock = files_below(dir.path, "lock").at(0);
    REQUIRE(eventually([&] {
        const int fd = ::open(lock.c_str(), O_RDONLY | O_CLOEXEC);
        const bool free = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
        ::close(fd);
        return free;
    }));
    CHECK(home.pushes == 0);
    CHECK(values_in(dir.path) == std::vector<std::string>(3, "value"));
}
