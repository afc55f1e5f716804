#include "server/router.hpp"

namespace headrace::server {

namespace {

struct row {
    std::string_view path;
    server::endpoint endpoint;
    ingest::route route;
    std::uint8_t label;
};

using ingest::route;

constexpr row table[] = {
    {"/i/v0/e", endpoint::capture, route::i_v0_e, 0},
    {"/batch", endpoint::capture, route::batch, 1},
    {"/e", endpoint::capture, route::e, 2},
    {"/capture", endpoint::capture, route::capture, 3},
    {"/track", endpoint::capture, route::track, 4},
    {"/engage", endpoint::capture, route::engage, 5},
    {"/i/v0/ai/batch", endpoint::capture, route::ai_batch, 6},
    {"/test/black_hole", endpoint::capture, route::black_hole, 7},
};

constexpr row status_table[] = {
    {"/", endpoint::root, route::i_v0_e, 8},
    {"/_readiness", endpoint::readiness, route::i_v0_e, 9},
    {"/_liveness", endpoint::liveness, route::i_v0_e, 10},
    {"/metrics", endpoint::metrics, route::i_v0_e, 11},
};

}  // namespace

match find_route(std::string_view path) {
    for (const row& r : status_table)
        if (path == r.path) return {r.endpoint, r.route, r.label};
    if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);   // one slash, not two
    for (const row& r : table)
        if (path == r.path) return {r.endpoint, r.route, r.label};
    return {endpoint::not_found, route::i_v0_e, path_labels.size() - 1};
}

}  // namespace headrace::server
