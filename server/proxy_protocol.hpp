#pragma once
// PROXY protocol v1 (text) and v2 (binary) at the start of a connection, on listeners marked for
// it (design.md D11). Pure: bytes in, verdict out.
#include <cstddef>
#include <optional>
#include <string_view>

#include "ingest/client_ip.hpp"

namespace headrace::server {

enum class proxy_state { need_more, done, bad };

struct proxy_header {
    std::size_t size = 0;                          // bytes of the header when done
    std::optional<ingest::ip_address> source;      // none: LOCAL, UNKNOWN or a unix source
};

constexpr std::size_t proxy_header_max = 16 + 65'535;   // v2 can carry that many bytes of TLVs

proxy_state parse_proxy_header(std::string_view bytes, proxy_header& out);

}  // namespace headrace::server
