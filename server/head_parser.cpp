#include "server/head_parser.hpp"

#include <algorithm>

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>

namespace headrace::server {

namespace http = boost::beast::http;
using boost::beast::iequals;

namespace {

// A chunk's size line, its extensions, or the trailers may not need more than this at once.
constexpr std::size_t chunk_framing_max = 8 * 1024;
constexpr std::size_t chunk_extension_max = 1024;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// Of a field that comes twice the first one counts.
void first(std::string_view& known, std::string_view value) {
    if (known.empty()) known = value;
}

std::ptrdiff_t line_ends(const char* from, const char* to) { return std::count(from, to, '\n'); }

}  // namespace

head_parser::head_parser(std::size_t head_bytes_max, std::string_view named_ip_header)
    : named_ip_header_(named_ip_header) {
    header_limit(static_cast<std::uint32_t>(head_bytes_max));
    body_limit(boost::none);
    eager(true);
}

parse_state head_parser::parse_head(std::string_view bytes, std::size_t& consumed) {
    bytes_ = bytes;
    error_code ec;
    eager(false);
    // Beast takes the start line and each complete field as they come.
    const std::string_view rest = bytes.substr(parsed_);
    if (rest.empty()) return parse_state::need_more;
    parsed_ += put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
    if (ec && ec != http::error::need_more) return failed(ec);
    if (!is_header_done()) return parse_state::need_more;
    if (last_end_ != nullptr && line_ends(last_end_, bytes.data() + parsed_) > 2) {
        reason_ = "folded header field";
        return parse_state::failed;
    }
    consumed = parsed_;
    return parse_state::done;
}

parse_state head_parser::parse_chunks(
    std::string_view bytes, std::size_t& consumed, body_function body, void* context
) {
    in_trailers_ = true;   // every field from now on is a trailer
    bytes_ = bytes;
    body_ = body;
    body_context_ = context;
    eager(true);
    error_code ec;
    consumed = put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
    if (ec == http::error::need_more) ec = {};
    if (ec) return failed(ec);
    if (is_done()) return parse_state::done;
    if (bytes.size() - consumed > chunk_framing_max) {
        status_ = 400;
        reason_ = "chunk framing too long";
        return parse_state::failed;
    }
    return parse_state::need_more;
}

void head_parser::refuse(error_code& ec, unsigned status, std::string_view reason) {
    status_ = status;
    reason_ = reason;
    ec = http::error::bad_value;
}

parse_state head_parser::failed(const error_code& ec) {
    if (!reason_.empty()) return parse_state::failed;
    status_ = 400;
    reason_ = "malformed HTTP request";
    if (ec == http::error::header_limit) {
        // The request line alone may be what is too long.
        const bool line_ended = bytes_.find('\n') != std::string_view::npos;
        status_ = line_ended ? 431 : 414;
        reason_ = line_ended ? "header fields too large" : "request target too long";
    } else if (ec == http::error::bad_version && bytes_.substr(0, bytes_.find('\n')).ends_with('\r')) {
        status_ = 505;
        reason_ = "only HTTP/1.0 and HTTP/1.1 are spoken here";
    }
    return parse_state::failed;
}

void head_parser::on_request_impl(
    http::verb method, string_view, string_view target, int version, error_code&
) {
    head_.method = method;
    head_.target = view(target);
    head_.version = version;
}

// Is this field folded over several lines (obs-fold)? Beast joins such a value in a buffer on its
// own stack, or, when the first line is empty, gives a view of a later line. Between the end of a
// value and the next name there is one line end, between a name and its value none.
bool head_parser::folded(std::string_view name, std::string_view value) {
    const auto within = [this](std::string_view text) {
        return text.data() >= bytes_.data() && text.data() + text.size() <= bytes_.data() + bytes_.size();
    };
    if (!within(name) || (!value.empty() && !within(value))) return true;
    const char* const name_end = name.data() + name.size();
    const bool before = last_end_ != nullptr && line_ends(last_end_, name.data()) > 1;
    const bool inside = !value.empty() && line_ends(name_end, value.data()) > 0;
    last_end_ = value.empty() ? name_end : value.data() + value.size();
    return before || inside;
}

void head_parser::on_field_impl(
    http::field field, string_view name, string_view value, error_code& ec
) {
    if (in_trailers_) return;   // discarded: a trailer never changes a request
    if (folded(view(name), view(value))) return refuse(ec, 400, "folded header field");
    collect(field, view(name), view(value), ec);
}

void head_parser::collect(
    http::field field, std::string_view name, std::string_view value, error_code& ec
) {
    switch (field) {
        case http::field::host:
            if (++hosts_ > 1) return refuse(ec, 400, "more than one Host field");
            head_.host = value;
            return;
        case http::field::content_length:
            if (++lengths_ > 1 || value.find(',') != std::string_view::npos)
                return refuse(ec, 400, "more than one Content-Length");
            return;
        case http::field::transfer_encoding:
            if (++encodings_ > 1 || !iequals(value, "chunked"))
                return refuse(ec, 400, "Transfer-Encoding must be chunked and nothing else");
            return;
        case http::field::content_type: first(head_.content_type, value); return;
        case http::field::content_encoding: first(head_.content_encoding, value); return;
        case http::field::user_agent: first(head_.user_agent, value); return;
        case http::field::origin: first(head_.origin, value); return;
        case http::field::access_control_request_headers: first(head_.request_headers, value); return;
        case http::field::expect:
            if (iequals(value, "100-continue"))
                head_.expect_continue = true;
            else
                head_.bad_expect = true;
            return;
        default: collect_ip(name, value);
    }
}

void head_parser::collect_ip(std::string_view name, std::string_view value) {
    const auto is = [name](std::string_view other) { return iequals(name, other); };
    ingest::ip_headers& ip = head_.addresses;
    if (!named_ip_header_.empty() && is(named_ip_header_)) ip.named.add(value);
    switch (name.size()) {
        case 9:
            if (is("forwarded")) ip.forwarded.add(value);
            if (is("x-real-ip")) first(ip.x_real_ip, value);
            return;
        case 12:
            if (is("x-request-id")) first(head_.request_id, value);
            return;
        case 13:
            if (is("fly-client-ip")) first(ip.fly_client_ip, value);
            return;
        case 14:
            if (is("true-client-ip")) first(ip.true_client_ip, value);
            return;
        case 15:
            if (is("x-forwarded-for")) ip.x_forwarded_for.add(value);
            return;
        case 16:
            if (is("cf-connecting-ip")) first(ip.cf_connecting_ip, value);
            return;
        case 25:
            if (is("cloudfront-viewer-address")) first(ip.cloudfront_viewer_address, value);
            return;
        default: return;
    }
}

void head_parser::on_header_impl(error_code& ec) {
    head_.chunked = chunked();
    head_.keep_alive = keep_alive();
    if (const auto length = content_length()) head_.content_length = *length;
    if (head_.version == 10 && encodings_ != 0)
        return refuse(ec, 400, "Transfer-Encoding in an HTTP/1.0 request");
    if (head_.version >= 11 && hosts_ == 0) return refuse(ec, 400, "no Host field");
    if (lengths_ != 0 && encodings_ != 0)
        return refuse(ec, 400, "Content-Length together with Transfer-Encoding");
    check_target(ec);
}

// Absolute-form targets keep their path when they name the same host; else they are refused.
void head_parser::check_target(error_code& ec) {
    std::string_view target = head_.target;
    if (target.starts_with('/') || (target == "*" && head_.method == http::verb::options)) return;
    constexpr std::string_view scheme = "http://";
    if (target.size() <= scheme.size() || !iequals(target.substr(0, scheme.size()), scheme))
        return refuse(ec, 400, "request target must be a path");
    target.remove_prefix(scheme.size());
    const std::size_t path = std::min(target.find_first_of("/?"), target.size());
    if (!iequals(target.substr(0, path), head_.host))
        return refuse(ec, 400, "request target names another host than the Host field");
    head_.target = path < target.size() && target[path] == '/' ? target.substr(path) : "/";
}

void head_parser::on_chunk_header_impl(std::uint64_t, string_view extension, error_code& ec) {
    if (extension.size() > chunk_extension_max) refuse(ec, 400, "chunk extension too long");
}

std::size_t head_parser::on_body_impl(string_view text, error_code&) { return text.size(); }

std::size_t head_parser::on_chunk_body_impl(std::uint64_t, string_view text, error_code& ec) {
    if (!body_(body_context_, text.data(), text.size()))
        refuse(ec, 413, "body too large");
    return text.size();
}

}  // namespace headrace::server
