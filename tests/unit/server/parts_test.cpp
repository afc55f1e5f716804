// The small pure parts of the server: routes, response heads, admin answers, resources, budget.
#include <filesystem>
#include <fstream>

#include "server/admin.hpp"
#include "server/buffers.hpp"
#include "server/resources.hpp"
#include "server/response.hpp"
#include "server/router.hpp"
#include "tests/support/catch.hpp"

using namespace headrace::server;
namespace fs = std::filesystem;

TEST_CASE("routes match exactly, with and without one slash") {
    for (const char* path : {"/i/v0/e", "/e", "/batch", "/capture", "/track", "/engage", "/i/v0/ai/batch", "/test/black_hole"}) {
        CAPTURE(path);
        CHECK(find_route(path).endpoint == endpoint::capture);
        CHECK(find_route(path + std::string("/")).endpoint == endpoint::capture);
        CHECK(find_route(path + std::string("//")).endpoint == endpoint::not_found);
        CHECK(path_labels[find_route(path).label] == path);
    }
    for (const char* path : {"/E", "/batch/x", "", "//", "/_readiness/", "/s/"}) {
        CAPTURE(path);
        CHECK(find_route(path).endpoint == endpoint::not_found);
    }
    CHECK(find_route("/").endpoint == endpoint::root);
}

TEST_CASE("a success answer has the contract's headers") {
    std::string headers, out;
    request_head head;
    head.origin = "https://a.test";
    append_request_headers(headers, head, "id-1");
    response r;
    r.content_type = "application/json";
    r.body = "{\"status\":\"Ok\"}";
    append_response(out, r, headers, "Sat, 21 Nov 2026 13:31:18 GMT");
    CHECK(out ==
          "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n"
          "vary: origin, access-control-request-method, access-control-request-headers\r\n"
          "access-control-allow-credentials: true\r\naccess-control-allow-origin: https://a.test\r\n"
          "x-request-id: id-1\r\ndate: Sat, 21 Nov 2026 13:31:18 GMT\r\n\r\n{\"status\":\"Ok\"}");
}

TEST_CASE("204 has no length, HEAD no body, a closing answer says so") {
    std::string out;
    response r;
    r.status = 204;
    append_response(out, r, "", "d");
    CHECK(out == "HTTP/1.1 204 No Content\r\ndate: d\r\n\r\n");
    out.clear();
    r = {};
    r.body = "abc";
    r.head_only = true;
    r.close = true;
    append_response(out, r, "", "d");
    CHECK(out == "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\ndate: d\r\n\r\n");
}

TEST_CASE("a date is an HTTP date") { CHECK(http_date(1795267878) == "Sat, 21 Nov 2026 13:31:18 GMT"); }

TEST_CASE("request ids are short and visible") {
    CHECK(usable_request_id("abc-123"));
    CHECK(!usable_request_id(""));
    CHECK(!usable_request_id("a b"));
    CHECK(!usable_request_id(std::string(65, 'a')));
    CHECK(!usable_request_id("a\x80"));
}

TEST_CASE("the admin port guards all but metrics and health") {
    health state(1);
    admin_server::options o;
    o.health = &state;
    o.metrics_text = [] { return std::string("m 1\n"); };
    admin_request rq{"GET", "/metrics", "evil.test", "", false};
    CHECK(answer_admin(rq, o).body == "m 1\n");
    rq.target = "/healthz/ready";
    CHECK(answer_admin(rq, o).status == 503);
    state.enter(phase::serving);
    CHECK(answer_admin(rq, o).status == 200);
    rq.method = "POST";
    CHECK(answer_admin(rq, o).status == 405);

    rq = {"GET", "/admin/other", "localhost:3001", "", true};
    CHECK(answer_admin(rq, o).status == 404);
    rq.host = "rebound.test";
    CHECK(answer_admin(rq, o).status == 403);
    rq.local_peer = false;
    rq.host = "localhost";
    CHECK(answer_admin(rq, o).status == 403);
    o.token = "s3cret";
    rq.authorization = "Bearer s3cret";
    CHECK(answer_admin(rq, o).status == 404);
    rq.authorization = "Bearer s3cre";
    CHECK(answer_admin(rq, o).status == 403);
}

TEST_CASE("readiness is red only after five dishonest seconds, or while draining") {
    health state(1);
    state.enter(phase::serving);
    headrace::kafka::sink_health bad;
    bad.reason = "disk full";
    state.watch(bad);
    CHECK(state.ready());   // not yet five seconds
    CHECK(state.reason() == "disk full");
    state.enter(phase::draining);
    CHECK(!state.ready());
    CHECK(state.live());
}

TEST_CASE("cgroup limits are found in both versions and in parent groups") {
    const fs::path root = fs::temp_directory_path() / ("headrace-cgroup-" + std::to_string(::getpid()));
    const auto put = [&root](const char* file, const char* text) {
        fs::create_directories((root / file).parent_path());
        std::ofstream(root / file) << text << "\n";
    };
    CHECK(cgroup_memory(root, "0::/a/b") == 0);
    CHECK(cgroup_cpus(root, "0::/a/b", 8) == 8);
    put("a/memory.max", "268435456");
    put("a/b/memory.max", "max");
    put("a/b/cpu.max", "150000 100000");
    CHECK(cgroup_memory(root, "0::/a/b") == 268435456);
    CHECK(cgroup_cpus(root, "0::/a/b", 8) == 2);
    put("memory/c/memory.limit_in_bytes", "134217728");
    put("cpu/c/cpu.cfs_quota_us", "-1");
    CHECK(cgroup_memory(root, "5:memory:/c\n4:cpu:/c\n") == 134217728);
    CHECK(cgroup_cpus(root, "5:memory:/c\n4:cpu:/c\n", 8) == 8);
    put("cpu/c/cpu.cfs_quota_us", "50000");
    put("cpu/c/cpu.cfs_period_us", "100000");
    CHECK(cgroup_cpus(root, "5:memory:/c\n4:cpu:/c\n", 8) == 1);
    fs::remove_all(root);
}

TEST_CASE("the memory budget defaults to half, and 4 GiB at most without a cgroup") {
    resources r;
    r.memory = 64ull << 30;
    CHECK(memory_budget_bytes(0, r) == 4ull << 30);
    r.memory = 256 << 20;
    r.memory_from_cgroup = true;
    CHECK(memory_budget_bytes(0, r) == 128 << 20);
    CHECK(memory_budget_bytes(7, r) == 7);
}

TEST_CASE("leases never exceed the budget and give everything back") {
    memory_budget budget(10 << 20);
    {
        memory_lease a(budget), b(budget);
        CHECK(a.take(6 << 20));
        CHECK(!b.take(5 << 20));
        CHECK(b.take(3 << 20));
        a.give(6 << 20);
        CHECK(b.take(5 << 20));
        CHECK(b.used() == 8 << 20);
    }
    CHECK(budget.take(10 << 20));
}

TEST_CASE("a grown buffer keeps its bytes, and the pool takes buffers back") {
    memory_budget budget(1 << 20);
    memory_lease lease(budget);
    buffer_pool pool(lease);
    buffer b = pool.acquire(10);
    REQUIRE(b);
    CHECK(b.capacity == buffer_pool::smallest);
    std::memcpy(b.end(), "abc", 3);
    b.size = 3;
    REQUIRE(pool.grow(b, 5000));
    CHECK(b.view() == "abc");
    CHECK(b.capacity == 8192);
    CHECK(!pool.grow(b, 4 << 20));
    CHECK(b.view() == "abc");
    pool.release(std::move(b));
    CHECK(lease.used() == 0);
}
