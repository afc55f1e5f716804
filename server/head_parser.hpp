#pragma once
// HTTP/1.1 request heads and chunked bodies: Beast's basic_parser with our own sink. Nothing is
// copied: all views point into the connection's read buffer and stay valid while it does not move.
// Stricter than Beast: every shape of design.md D12 that two parsers could read differently is
// refused. One parser per connection, reset for each request.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <boost/beast/http/basic_parser.hpp>

#include "ingest/client_ip.hpp"

namespace headrace::server {

// What the server needs of a request head.
struct request_head {
    boost::beast::http::verb method = boost::beast::http::verb::unknown;
    std::string_view target;
    int version = 11;                        // 10 or 11
    std::optional<std::uint64_t> content_length;
    bool chunked = false;
    bool keep_alive = true;
    bool expect_continue = false;
    bool bad_expect = false;                 // an Expect we do not know: 417
    std::string_view host, content_type, content_encoding, user_agent, request_id, origin;
    std::string_view request_headers;        // Access-Control-Request-Headers
    // Client address candidates (http-v0.md 5.2, design.md D11).
    ingest::ip_headers addresses;
};

enum class parse_state { need_more, done, failed };

class head_parser : private boost::beast::http::basic_parser<true> {
    using base = boost::beast::http::basic_parser<true>;

public:
    // `named_ip_header`: lower-case name to collect into request_head::named_ip, may be empty.
    head_parser(std::size_t head_bytes_max, std::string_view named_ip_header);
    head_parser(const head_parser&) = delete;

    // Parses the head at the start of `bytes`; `consumed` is its length when done. need_more: call
    // again with the same bytes, at the same address, and more behind them.
    parse_state parse_head(std::string_view bytes, std::size_t& consumed);
    const request_head& head() const { return head_; }

    // After a chunked head: consumes framing, hands each piece to `body` (data, size, context).
    // The unconsumed rest must be offered again with more bytes behind it.
    using body_function = bool (*)(void* context, const char* data, std::size_t size);
    parse_state parse_chunks(
        std::string_view bytes, std::size_t& consumed, body_function body, void* context
    );

    // After `failed`: the status to answer and a short plain reason.
    unsigned status() const { return status_; }
    std::string_view reason() const { return reason_; }

private:
    using error_code = boost::beast::error_code;
    using string_view = boost::beast::string_view;

    void on_request_impl(boost::beast::http::verb, string_view, string_view, int, error_code&)
        override;
    void on_response_impl(int, string_view, int, error_code&) override {}
    void on_field_impl(boost::beast::http::field, string_view, string_view, error_code&) override;
    void on_header_impl(error_code&) override;
    void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
    std::size_t on_body_impl(string_view, error_code&) override;
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override;
    std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override;
    void on_finish_impl(error_code&) override {}

    void refuse(error_code&, unsigned status, std::string_view reason);
    parse_state failed(const error_code&);
    bool folded(std::string_view name, std::string_view value);
    void collect(boost::beast::http::field, std::string_view name, std::string_view value, error_code&);
    void collect_ip(std::string_view name, std::string_view value);
    void check_target(error_code&);

    const std::string_view named_ip_header_;
    request_head head_;
    std::string_view bytes_;       // the buffer that views must point into
    std::size_t parsed_ = 0;       // of a head that came in pieces
    const char* last_end_ = nullptr;   // of the last field's value
    bool in_trailers_ = false;
    unsigned hosts_ = 0, lengths_ = 0, encodings_ = 0;
    body_function body_ = nullptr;
    void* body_context_ = nullptr;
    unsigned status_ = 400;
    std::string_view reason_;
};

}  // namespace headrace::server
