#include "kafka/spool_sink.hpp"
#include "tests/unit/kafka/spool_support.hpp"

#include <sys/stat.h>

using namespace spool_test;

TEST_CASE("every field of a record comes back byte for byte") {
    temp_dir dir;
    content full;
    full.topic = "events_plugin_ingestion";
    full.key = std::string("tok:\0id", 7);
    full.headers = {{"token", "abc"}, {"empty", ""}, {"null", {}}, {std::string("n\0l", 3), "x"}};
    full.value = std::string("a\0b\n\xff", 5);
    full.kind = record_kind::companion;
    content bare;
    bare.key = {};
    bare.value = "";
    content empty_key;
    empty_key.key = "";
    content large;
    large.value = std::string(300'000, 'x');
    const std::vector<content> contents{full, bare, empty_key, large, event("last")};
    {
        auto s = spool::open(options_for(dir.path));
        test_job job(contents);
        REQUIRE(s->append(job));
        REQUIRE(job.wait() == std::optional(true));
        CHECK(read_all(dir.path) == contents);
        for (std::size_t i = 0; i < contents.size(); ++i) CHECK(job.sequence(i) == i + 1);
    }
    CHECK(read_all(dir.path) == contents);
}

TEST_CASE("a restart goes on behind the last record") {
    temp_dir dir;
    std::uint64_t last = 0;
    std::vector<std::string> expected;
    for (int run = 0; run < 4; ++run) {
        auto s = spool::open(options_for(dir.path));
        CHECK(s->figures().records == expected.size());
        for (int i = 0; i < 3; ++i) {
            expected.push_back(std::to_string(run) + "/" + std::to_string(i));
            const std::uint64_t sequence = store(*s, event(expected.back()));
            CHECK(sequence > last);
            last = sequence;
        }
    }
    CHECK(values_in(dir.path) == expected);
    CHECK(std::distance(fs::directory_iterator(dir.path / "instances"), {}) == 1);
}

TEST_CASE("files and directories are private") {
    temp_dir dir;
    auto s = spool::open(options_for(dir.path / "spool"));
    store(*s, event("x"));
    for (const auto& entry : fs::recursive_directory_iterator(dir.path)) {
        struct stat status {};
        REQUIRE(::stat(entry.path().c_str(), &status) == 0);
        CAPTURE(entry.path().string());
        CHECK((status.st_mode & 0777) == (entry.is_directory() ? 0700u : 0600u));
    }
}

TEST_CASE("dead letters have a log of their own") {
    temp_dir dir;
    auto s = spool::open(options_for(dir.path));
    content dead = event("dead one");
    dead.topic = "dead";
    dead.kind = record_kind::dead_letter;
    test_job job({event("good one"), dead});
    REQUIRE(s->append(job));
    REQUIRE(job.wait() == std::optional(true));
    CHECK(values_in(dir.path) == std::vector<std::string>{"good one"});
    CHECK(values_in(dir.path, "dead") == std::vector<std::string>{"dead one"});
    CHECK(s->figures().dead_letters == 1);
    CHECK(s->figures().events == 1);
}

TEST_CASE("segments rotate and nothing is lost between them") {
    temp_dir dir;
    auto o = options_for(dir.path);
    o.segment = 64 * 1024;
    auto s = spool::open(o);
    std::vector<std::string> expected;
    for (int i = 0; i < 60; ++i) {
        expected.push_back(std::string(5000, static_cast<char>('a' + i % 26)));
        store(*s, event(expected.back()));
    }
    store(*s, event(expected.emplace_back(300'000, 'z')));
    CHECK(files_below(dir.path, ".seg").size() > 5);
    CHECK(values_in(dir.path) == expected);
    s->stop();
    CHECK(values_in(dir.path) == expected);
    CHECK(spool::open(o)->figures().records == expected.size());
}

TEST_CASE("many threads append and each record is stored once") {
    temp_dir dir;
    auto s = spool::open(options_for(dir.path));
    constexpr int threads = 8, each = 50;
    std::atomic<int> ok{0};
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t)
        workers.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) {
                test_job job({event(std::to_string(t) + "-" + std::to_string(i)), event("x")});
                if (s->append(job) && job.wait() == std::optional(true)) ++ok;
            }
        });
    for (auto& w : workers) w.join();
    CHECK(ok == threads * each);
    auto values = values_in(dir.path);
    CHECK(values.size() == threads * each * 2);
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    CHECK(values.size() == threads * each + 1);
    CHECK(s->figures().stored_total == threads * each * 2);
}

TEST_CASE("a full spool takes nothing more and stays readable") {
    temp_dir dir;
    auto o = options_for(dir.path);
    o.max_size = 256 * 1024;
    o.segment = 64 * 1024;
    auto s = spool::open(o);
    std::size_t stored = 0;
    for (int i = 0; i < 100; ++i) {
        test_job job({event(std::string(10'000, 'f'))});
        if (!s->append(job)) break;
        if (job.wait() == std::optional(true)) ++stored;
    }
    CHECK(stored > 10);
    CHECK(stored < 26);
    test_job more({event(std::string(100'000, 'f'))});
    CHECK(!s->append(more));
    std::string reason;
    CHECK(!s->healthy(&reason));
    CHECK_THAT(reason, ContainsSubstring("full"));
    CHECK(values_in(dir.path).size() == stored);
    s->stop();
    auto again = spool::open(o);
    CHECK(again->figures().records == stored);
}

TEST_CASE("nothing is taken after stop, and stop can be called twice") {
    temp_dir dir;
    auto s = spool::open(options_for(dir.path));
    s->stop();
    s->stop();
    test_job job({event("late")});
    CHECK(!s->append(job));
    CHECK(fs::is_empty(dir.path / "instances"));
}

TEST_CASE("two processes on one directory get an instance each") {
    temp_dir dir;
    auto a = spool::open(options_for(dir.path));
    auto b = spool::open(options_for(dir.path));
    store(*a, event("from a"));
    store(*b, event("from b"));
    auto values = values_in(dir.path);
    std::sort(values.begin(), values.end());
    CHECK(values == std::vector<std::string>{"from a", "from b"});
    CHECK(std::distance(fs::directory_iterator(dir.path / "instances"), {}) == 2);
}

TEST_CASE("tmpfs is refused with the remedy unless it is allowed") {
    temp_dir dir;
    if (!dir.path.string().starts_with("/dev/shm")) return;
    auto o = options_for(dir.path);
    o.allow_tmpfs = false;
    try {
        spool::open(o);
        FAIL("opened");
    } catch (const spool_error& e) {
        CHECK(e.exit_code == 78);
        CHECK_THAT(e.what(), ContainsSubstring("HEADRACE_SPOOL_ALLOW_TMPFS"));
    }
}

TEST_CASE("a path that is a file is refused as a wrong configuration") {
    temp_dir dir;
    spit(dir.path / "file", "x");
    try {
        spool::open(options_for(dir.path / "file" / "spool"));
        FAIL("opened");
    } catch (const spool_error& e) {
        CHECK(e.exit_code == 78);
        CHECK_THAT(e.what(), ContainsSubstring("--spool-dir"));
    }
}
