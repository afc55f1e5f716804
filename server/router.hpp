#pragma once
// Which paths exist: exact and case-sensitive, both spellings listed (http-v0.md 1.1, 1.2).
#include <array>
#include <cstdint>
#include <string_view>

#include "ingest/request.hpp"

namespace headrace::server {

enum class endpoint : std::uint8_t { capture, root, readiness, liveness, metrics, not_found };

// Route patterns as they appear in the metric label `path`.
constexpr std::array<std::string_view, 13> path_labels = {
    "/i/v0/e", "/batch", "/e", "/capture", "/track", "/engage", "/i/v0/ai/batch",
    "/test/black_hole", "/", "/_readiness", "/_liveness", "/metrics", "unmatched"};

struct match {
    server::endpoint endpoint = endpoint::not_found;
    ingest::route route = ingest::route::i_v0_e;      // with endpoint::capture
    std::uint8_t label = path_labels.size() - 1;      // index into path_labels
};

match find_route(std::string_view path);

}  // namespace headrace::server
