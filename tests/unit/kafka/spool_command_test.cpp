// `headrace spool`: what is printed and which exit codes come out.
#include "kafka/spool_render.hpp"
#include "tests/unit/kafka/spool_support.hpp"

#include <unistd.h>

#include <cstdio>

using namespace spool_test;

namespace {

struct ran {
    int code = 0;
    std::string out;
};

// Runs the command with stdout in a file.
ran run(const fs::path& dir, std::vector<std::string> words, const shipper_factory& factory = {}) {
    temp_dir scratch;
    const fs::path file = scratch.path / "out";
    std::fflush(stdout);
    const int saved = ::dup(1);
    FILE* to = std::fopen(file.c_str(), "w");
    REQUIRE(to != nullptr);
    ::dup2(::fileno(to), 1);
    ran r;
    r.code = run_spool_command(words, dir.string(), factory);
    std::fflush(stdout);
    ::dup2(saved, 1);
    ::close(saved);
    std::fclose(to);
    r.out = slurp(file);
    return r;
}

void fill(const fs::path& dir, int n) {
    auto s = spool::open(options_for(dir));
    for (int i = 0; i < n; ++i) store(*s, event("{\"n\":" + std::to_string(i) + "}"));
}

}  // namespace

TEST_CASE("cat prints one JSON object per record with null key and null header") {
    temp_dir dir;
    {
        auto s = spool::open(options_for(dir.path));
        content c = event("{\"a\":\"x\\n\"}");
        c.key = {};
        c.headers = {{"token", "abc"}, {"none", {}}};
        store(*s, c);
        const ran r = run(dir.path, {"cat", "--json"});
        CHECK(r.code == 0);
        CHECK_THAT(
            r.out,
            ContainsSubstring(
                "{\"seq\":1,\"topic\":\"events\",\"key\":null,\"headers\":{\"token\":\"abc\","
                "\"none\":null},\"value\":\"{\\\"a\\\":\\\"x\\\\n\\\"}\",\"stored_at\":\"2"
            )
        );
        CHECK(std::count(r.out.begin(), r.out.end(), '\n') == 1);
    }
    CHECK(run(dir.path, {"cat"}).code == 0);
    CHECK(run(dir.path, {"cat", "--log", "dead"}).out.empty());
}

TEST_CASE("tail prints the last ten records") {
    temp_dir dir;
    fill(dir.path, 15);
    const ran r = run(dir.path, {"tail"});
    CHECK(std::count(r.out.begin(), r.out.end(), '\n') == 10);
    CHECK_THAT(r.out, ContainsSubstring("{\"n\":14}"));
    CHECK_THAT(r.out, !ContainsSubstring("{\"n\":4}"));
}

TEST_CASE("ls and verify tell what is there, and verify what is damaged") {
    temp_dir dir;
    fill(dir.path, 7);
    CHECK_THAT(run(dir.path, {"ls"}).out, ContainsSubstring("standalone  unlocked  records 7"));
    CHECK_THAT(run(dir.path, {"ls", "--json"}).out, ContainsSubstring("\"unshipped\":7"));
    CHECK(run(dir.path, {"verify"}).code == 0);
    const fs::path path = files_below(dir.path, ".seg").at(0);
    std::string bytes = slurp(path);
    bytes[3 * 4096 + 30] = static_cast<char>(bytes[3 * 4096 + 30] ^ 1);
    spit(path, bytes);
    const ran r = run(dir.path, {"verify"});
    CHECK(r.code == 1);
    CHECK_THAT(r.out, ContainsSubstring("6 records intact"));
}

TEST_CASE("replay ships in order, marks what is shipped and goes on after a failure") {
    temp_dir dir;
    fill(dir.path, 6);
    std::vector<std::string> shipped;
    std::size_t limit = 4;
    const shipper_factory factory = [&](const std::string& brokers, std::string&) {
        CHECK(brokers == "localhost:1");
        return [&](const stored_record& r) {
            if (shipped.size() == limit) return false;
            shipped.emplace_back(r.value);
            return true;
        };
    };
    CHECK(run(dir.path, {"replay", "--to", "localhost:1"}, factory).code == 1);
    CHECK(shipped.size() == 4);
    limit = 100;
    CHECK(run(dir.path, {"replay", "--to=localhost:1"}, factory).code == 0);
    REQUIRE(shipped.size() == 6);
    CHECK(shipped[3] == "{\"n\":3}");
    CHECK(shipped[5] == "{\"n\":5}");
    CHECK(fs::is_empty(dir.path / "instances"));
}

TEST_CASE("replay and discard leave what a server holds, discard asks first") {
    temp_dir dir;
    {
        auto s = spool::open(options_for(dir.path));
        store(*s, event("x"));
        CHECK(run(dir.path, {"replay", "--to", "localhost:1"}).code == 1);
        CHECK(run(dir.path, {"discard", "--yes"}).code == 1);
        CHECK(values_in(dir.path).size() == 1);
    }
    CHECK(run(dir.path, {"discard"}).code == 2);
    CHECK(values_in(dir.path).size() == 1);
    const ran r = run(dir.path, {"discard", "--yes"});
    CHECK(r.code == 0);
    CHECK_THAT(r.out, ContainsSubstring("removed 1 events"));
    CHECK(values_in(dir.path).empty());
}

TEST_CASE("wrong usage is told with exit code 2") {
    temp_dir dir;
    fill(dir.path, 1);
    const std::vector<std::vector<std::string>> wrong{
        {},
        {"lss"},
        {"cat", "--log", "x"},
        {"cat", "-f"},
        {"replay"},
        {"cat", "--dir"},
        {"cat", "ls"},
        {"ls", "--yes"},
        {"replay", "--to", "b:1", "--log", "dead"},
        {"ls", "--what"}};
    for (const auto& words : wrong) CHECK(run(dir.path, words).code == 2);
    CHECK(run(dir.path, {"--help"}).code == 0);
    CHECK(run(dir.path / "none", {"ls"}).code == 1);
}

TEST_CASE("a scanner follows a running spool over segments and new instances") {
    temp_dir dir;
    auto o = options_for(dir.path);
    o.segment = 32 * 1024;
    auto s = spool::open(o);
    spool_scanner scanner(dir.path, "main");
    stored_record r;
    std::string id;
    CHECK(!scanner.next(r, id));
    for (int i = 0; i < 30; ++i) {
        const std::string value = std::to_string(i) + std::string(3000, 'f');
        store(*s, event(value));
        REQUIRE(scanner.next(r, id));
        CHECK(r.value == value);
        CHECK(!scanner.next(r, id));
    }
    auto other = spool::open(o);
    store(*other, event("other"));
    REQUIRE(scanner.next(r, id));
    CHECK(r.value == "other");
}

TEST_CASE("values that are not UTF-8 keep their bytes in base64") {
    stored_record r;
    r.value = std::string_view("a\xff", 2);
    CHECK_THAT(
        json_line(r, "i"),
        ContainsSubstring("\"value\":\"a\xEF\xBF\xBD\",\"value_base64\":\"Yf8=\"")
    );
    CHECK(rfc3339(1'700'000'000'123'456'789) == "2023-11-14T22:13:20.123Z");
    CHECK(rfc3339(-1) == "1969-12-31T23:59:59.999Z");
}
