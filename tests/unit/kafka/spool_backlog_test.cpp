// Backlog mode: what was shipped, what is handed out, adoption.
#include "kafka/spool_segment.hpp"
#include "tests/unit/kafka/spool_support.hpp"

#include <set>
#include <tuple>

using namespace spool_test;

namespace {

struct handed {
    std::string value;
    std::uint64_t sequence;
    std::uint32_t instance;
};

std::optional<handed> next_of(spool& s) {
    stored_record r;
    std::uint32_t instance = 0;
    if (!s.next_unshipped(r, instance)) return {};
    return handed{std::string(r.value), r.sequence, instance};
}

// The spool publishes a group's records just after its jobs were answered.
std::optional<handed> next_soon(spool& s) {
    std::optional<handed> h;
    eventually([&] { return (h = next_of(s)).has_value(); });
    return h;
}

std::vector<std::string> drain_all(spool& s, bool ok = true) {
    std::vector<std::string> values;
    while (auto h = next_of(s)) {
        values.push_back(h->value);
        s.drained(h->instance, h->sequence, ok);
        if (!ok && values.size() > 1000) break;
    }
    return values;
}

// An instance that a process left behind without stopping well: copied while it was alive.
void leave_behind(const fs::path& dir, spool_mode mode, const std::vector<std::string>& values) {
    temp_dir other;
    auto s = spool::open(options_for(other.path, mode));
    for (const auto& v : values) store(*s, event(v));
    const fs::path from = *fs::directory_iterator(other.path / "instances");
    fs::create_directories(dir / "instances");
    fs::copy(from, dir / "instances" / from.filename(), fs::copy_options::recursive);
}

std::size_t instances(const fs::path& dir) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir / "instances"), {}));
}

}  // namespace

TEST_CASE("parked records are not handed out until all are put back in line") {
    temp_dir dir;
    spool_options options = options_for(dir.path, spool_mode::backlog);
    options.segment = 64 << 10;  // several segments
    auto s = spool::open(options);
    for (int i = 0; i < 60; ++i) store(*s, event(std::to_string(i) + std::string(4'000, 'x')));
    const auto number = [](const handed& h) { return std::stoi(h.value); };
    for (int i = 0; i < 60; ++i) {
        const auto h = next_soon(*s);
        REQUIRE(h.has_value());
        REQUIRE(number(*h) == i);
        if (i % 3 == 0)
            s->park(h->instance, h->sequence);
        else if (i % 3 == 1)
            s->drained(h->instance, h->sequence, true);
    }
    CHECK(!next_of(*s).has_value());
    CHECK(s->figures().records == 40);
    s->unpark();
    for (int i = 0; i < 60; i += 3) {
        const auto h = next_of(*s);
        REQUIRE(h.has_value());
        CHECK(number(*h) == i);
        s->drained(h->instance, h->sequence, true);
    }
    CHECK(!next_of(*s).has_value());
    s->unpark();
    CHECK(!next_of(*s).has_value());
    CHECK(s->figures().records == 20);
}

TEST_CASE("records are handed out once, in order, and shipped ones not at all") {
    temp_dir dir;
    auto s = spool::open(options_for(dir.path, spool_mode::backlog));
    std::vector<std::uint64_t> sequences;
    for (int i = 0; i < 6; ++i) sequences.push_back(store(*s, event(std::to_string(i))));
    s->shipped(sequences[1]);
    s->bind(sequences[3], true);
    std::vector<std::string> values;
    while (values.size() < 4) {
        const auto h = next_soon(*s);
        REQUIRE(h.has_value());
        values.push_back(h->value);
    }
    CHECK(values == std::vector<std::string>{"0", "2", "4", "5"});
    CHECK(!next_of(*s).has_value());
    // Its first attempt failed: now the drain may have it.
    s->bind(sequences[3], false);
    CHECK(next_of(*s).value().value == "3");
    s->drained(0, sequences[3], false);
    CHECK(next_of(*s).value().value == "3");
    CHECK(!next_of(*s).has_value());
    CHECK(s->figures().records == 5);
    for (const auto q : sequences) s->drained(0, q, true);
    CHECK(s->figures().records == 0);
    CHECK(s->figures().events == 0);
    CHECK(s->figures().shipped_total == 6);
    s->shipped(sequences[0]);
    CHECK(s->figures().shipped_total == 6);
}

TEST_CASE("a record that fails goes behind the others") {
    temp_dir dir;
    auto s = spool::open(options_for(dir.path, spool_mode::backlog));
    for (int i = 0; i < 300; ++i) store(*s, event(std::to_string(i)));
    const auto first = next_soon(*s);
    REQUIRE(first.has_value());
    s->drained(0, first->sequence, false);
    std::set<std::string> seen;
    std::size_t place = 0;
    while (const auto h = next_soon(*s)) {
        CHECK(seen.insert(h->value).second);
        if (h->value == first->value) place = seen.size();
        s->drained(0, h->sequence, true);
        if (seen.size() == 300) break;
    }
    // Behind all that the drain could see.
    CHECK(place >= 299);
    CHECK(s->figures().records == 0);
}

TEST_CASE("shipped segments are unlinked and a stopped empty instance leaves nothing") {
    temp_dir dir;
    auto o = options_for(dir.path, spool_mode::backlog);
    o.segment = 32 * 1024;
    auto s = spool::open(o);
    std::vector<std::uint64_t> sequences;
    for (int i = 0; i < 40; ++i) sequences.push_back(store(*s, event(std::string(4000, 'x'))));
    REQUIRE(files_below(dir.path, ".seg").size() > 3);
    for (const auto q : sequences) s->shipped(q);
    CHECK(eventually([&] { return files_below(dir.path, ".seg").size() == 1; }));
    s->stop();
    CHECK(instances(dir.path) == 0);
}

TEST_CASE("a restart adopts the backlog and sends only what was not shipped") {
    temp_dir dir;
    std::vector<std::uint64_t> sequences;
    {
        auto s = spool::open(options_for(dir.path, spool_mode::backlog));
        for (int i = 0; i < 200; ++i) sequences.push_back(store(*s, event(std::to_string(i))));
        for (int i = 0; i < 120; ++i) s->shipped(sequences[static_cast<std::size_t>(i)]);
    }
    auto s = spool::open(options_for(dir.path, spool_mode::backlog));
    CHECK(s->figures().records == 80);
    CHECK(s->figures().events == 80);
    CHECK(s->figures().oldest_stored_at_ns > 0);
    store(*s, event("new"));
    std::vector<std::string> values;
    while (values.size() < 81) {
        const auto h = next_soon(*s);
        REQUIRE(h.has_value());
        values.push_back(h->value);
        s->drained(h->instance, h->sequence, true);
    }
    CHECK(values.front() == "120");
    CHECK(values[79] == "199");
    CHECK(values.back() == "new");
    CHECK(!next_of(*s).has_value());
    CHECK(eventually([&] { return instances(dir.path) == 1; }));
    s->stop();
    CHECK(instances(dir.path) == 0);
}

TEST_CASE("a checkpoint that is damaged or of another segment hides no record") {
    for (const bool remove : {false, true}) {
        temp_dir dir;
        {
            auto s = spool::open(options_for(dir.path, spool_mode::backlog));
            std::vector<std::uint64_t> sequences;
            for (int i = 0; i < 10; ++i) sequences.push_back(store(*s, event(std::to_string(i))));
            for (int i = 0; i < 5; ++i) s->shipped(sequences[static_cast<std::size_t>(i)]);
        }
        const fs::path path = files_below(dir.path, "checkpoint").at(0);
        std::string bytes = slurp(path);
        bytes[40] = static_cast<char>(bytes[40] ^ 1);
        remove ? static_cast<void>(fs::remove(path)) : spit(path, bytes);
        auto s = spool::open(options_for(dir.path, spool_mode::backlog));
        CHECK(s->figures().records == 10);
        CHECK(drain_all(*s).size() == 10);
    }
}

TEST_CASE("instances of others are adopted oldest first, but never a locked one") {
    temp_dir dir;
    auto living = spool::open(options_for(dir.path, spool_mode::backlog));
    store(*living, event("living"));
    leave_behind(dir.path, spool_mode::backlog, {"old 1", "old 2"});
    leave_behind(dir.path, spool_mode::backlog, {"newer"});
    auto s = spool::open(options_for(dir.path, spool_mode::backlog));
    CHECK(drain_all(*s) == std::vector<std::string>{"old 1", "old 2", "newer"});
    CHECK(living->figures().records == 1);
}

TEST_CASE("an old standalone store is held, told, and shipped only on request") {
    temp_dir dir;
    leave_behind(dir.path, spool_mode::standalone, {"s1", "s2", "s3"});
    {
        auto s = spool::open(options_for(dir.path, spool_mode::backlog));
        CHECK(s->held().events == 3);
        CHECK(s->held().bytes > 0);
        CHECK(s->held().oldest_stored_at_ns > 0);
        CHECK(drain_all(*s).empty());
    }
    auto o = options_for(dir.path, spool_mode::backlog);
    o.ship_old = true;
    auto s = spool::open(o);
    CHECK(s->held().events == 0);
    CHECK(drain_all(*s) == std::vector<std::string>{"s1", "s2", "s3"});
}

TEST_CASE("a standalone server continues its own store and leaves a backlog alone") {
    temp_dir dir;
    leave_behind(dir.path, spool_mode::standalone, {"mine"});
    leave_behind(dir.path, spool_mode::backlog, {"of another mode"});
    auto s = spool::open(options_for(dir.path));
    CHECK(instances(dir.path) == 2);
    CHECK(s->figures().records == 1);
    store(*s, event("more"));
    auto values = values_in(dir.path);
    std::sort(values.begin(), values.end());
    CHECK(values == std::vector<std::string>{"mine", "more", "of another mode"});
}

TEST_CASE("records that cannot be read any more do not keep the others or their segment") {
    temp_dir dir;
    leave_behind(dir.path, spool_mode::backlog, {"a", "b", "c"});
    { auto sealed = spool::open(options_for(dir.path, spool_mode::backlog)); }
    const fs::path path = files_below(dir.path, ".seg").at(0);
    std::string bytes = slurp(path);
    bytes[3 * 4096 + 4096 + 30] = static_cast<char>(bytes[3 * 4096 + 4096 + 30] ^ 1);
    spit(path, bytes);
    auto s = spool::open(options_for(dir.path, spool_mode::backlog));
    CHECK(drain_all(*s) == std::vector<std::string>{"a", "c"});
    CHECK(s->figures().records == 0);
    // The damaged bytes are kept under another name for whoever wants to look at them.
    CHECK(eventually([&] { return files_below(dir.path, ".bad").size() == 1; }));
}

TEST_CASE("shipping, binding and appending from many threads keeps every record once") {
    temp_dir dir;
    auto o = options_for(dir.path, spool_mode::backlog);
    o.segment = 64 * 1024;
    auto s = spool::open(o);
    constexpr int threads = 4, each = 60;
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t)
        workers.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) {
                test_job job({event(std::to_string(t * each + i) + std::string(500, 'p'))});
                if (!s->append(job) || job.wait() != std::optional(true)) return;
                if (i % 3 == 0) {
                    s->bind(job.sequence(), true);
                    s->bind(job.sequence(), false);
                }
            }
        });
    std::set<std::string> seen;
    const bool all = eventually([&] {
        while (auto h = next_of(*s)) {
            seen.insert(h->value);
            s->drained(h->instance, h->sequence, true);
            std::ignore = s->figures();
        }
        return seen.size() == threads * each;
    });
    for (auto& w : workers) w.join();
    CHECK(all);
    CHECK(eventually([&] {
        drain_all(*s);
        return s->figures().records == 0;
    }));
}
