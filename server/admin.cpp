#include "server/admin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "ingest/escape.hpp"

namespace headrace::server {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using generic_socket = asio::generic::stream_protocol::socket;
using stream = boost::beast::basic_stream<asio::generic::stream_protocol>;

namespace {

std::string json_string(std::string_view text) {
    std::string out(ingest::escaped_max(text.size()) + 2, '\0');
    out[0] = '"';
    char* end = ingest::escape(text, out.data() + 1);
    *end++ = '"';
    out.resize(static_cast<std::size_t>(end - out.data()));
    return out;
}

admin_reply verdict(bool good, std::string_view state, const std::string& reason) {
    admin_reply r;
    r.status = good ? 200 : 503;
    r.body = fmt::format("{{\"status\":{},\"reason\":{}}}\n", json_string(state),
                         reason.empty() ? "null" : json_string(reason));
    return r;
}

// A page in a browser can make a name of its own point to 127.0.0.1; it cannot forge Host.
bool local_host_name(std::string host) {
    if (host.starts_with('[')) return host.starts_with("[::1]");
    host = host.substr(0, host.find(':'));
    std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return host == "localhost" || host.starts_with("127.") || host.empty();
}

bool is_loopback(const ingest::ip_address& peer) {
    return ingest::contains(*ingest::parse_cidr("127.0.0.0/8"), peer) || peer == *ingest::parse_ip("::1");
}

bool equal_secret(std::string_view a, std::string_view b) {
    unsigned char difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
    return difference == 0;
}

bool allowed(const admin_request& rq, const std::string& token) {
    if (!token.empty() && rq.authorization.starts_with("Bearer ") &&
        equal_secret(std::string_view(rq.authorization).substr(7), token))
        return true;
    return rq.local_peer && local_host_name(rq.host);
}

}  // namespace

admin_reply answer_admin(const admin_request& rq, const admin_server::options& options) {
    const std::string path = rq.target.substr(0, rq.target.find('?'));
    const health& state = *options.health;
    const bool reads = rq.method == "GET" || rq.method == "HEAD";
    if (path == "/metrics" || path.starts_with("/healthz/")) {
        if (!reads) return {405, "application/json", "{\"error\":\"only GET and HEAD\"}\n", "GET, HEAD"};
        if (path == "/metrics")
            return {200, "text/plain; version=0.0.4; charset=utf-8", options.metrics_text(), {}};
        if (path == "/healthz/live") return verdict(state.live(), state.live() ? "live" : "stuck", state.not_live_reason());
        if (path == "/healthz/startup")
            return verdict(state.started(), state.started() ? "started" : "starting", state.reason());
        if (path == "/healthz/ready") {
            const std::string_view name = state.phase() == phase::draining ? "draining" : state.ready() ? "ready" : "not ready";
            return verdict(state.ready(), name, state.reason());
        }
    }
    if (!allowed(rq, options.token))
        return {403, "application/json",
                "{\"error\":\"this page is for local peers, or with HEADRACE_ADMIN_TOKEN as 'Authorization: Bearer ...'\"}\n", {}};
    return {404, "application/json", "{\"error\":\"no such page; there are /metrics and /healthz/live, ready, startup\"}\n", {}};
}

struct admin_server::impl {
    options opts;
    std::vector<listening_socket> sockets;
    asio::io_context context{1};
    std::vector<asio::posix::stream_descriptor> listeners;
    asio::steady_timer watcher{context};
    std::thread thread;

    impl(std::vector<listening_socket> s, options o) : opts(std::move(o)), sockets(std::move(s)) {}

    void watch() {
        opts.health->watch(opts.sink_health());
        watcher.expires_after(std::chrono::milliseconds(500));
        watcher.async_wait([this](const boost::system::error_code& ec) {
            if (!ec) watch();
        });
    }

    void accept_from(std::size_t i) {
        listeners[i].async_wait(asio::posix::stream_descriptor::wait_read, [this, i](const boost::system::error_code& ec) {
            if (ec) return;
            sockaddr_storage address{};
            socklen_t size = sizeof address;
            const int fd = ::accept4(sockets[i].descriptor(), reinterpret_cast<sockaddr*>(&address), &size,
                                     SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd >= 0) {
                const auto peer = ingest::ip_of(reinterpret_cast<sockaddr*>(&address));
                const bool local = !peer || is_loopback(*peer);
                generic_socket socket(context, asio::generic::stream_protocol(address.ss_family, 0), fd);
                asio::co_spawn(context, serve(stream(std::move(socket)), local), asio::detached);
            } else if (errno == EMFILE || errno == ENFILE) {
                std::this_thread::sleep_for(std::chrono::milliseconds(100));   // not a busy loop
            }
            accept_from(i);
        });
    }

    asio::awaitable<void> serve(stream peer, bool local) {
        try {
            boost::beast::flat_buffer buffer(16 * 1024);
            for (;;) {
                http::request_parser<http::string_body> parser;
                parser.body_limit(64 * 1024);
                peer.expires_after(std::chrono::seconds(30));
                co_await http::async_read(peer, buffer, parser, asio::use_awaitable);
                const http::request<http::string_body> rq = parser.release();
                admin_request seen;
                seen.method = std::string(rq.method_string());
                seen.target = std::string(rq.target());
                seen.host = std::string(rq[http::field::host]);
                seen.authorization = std::string(rq[http::field::authorization]);
                seen.local_peer = local;
                const admin_reply r = answer_admin(seen, opts);
                http::response<http::string_body> answer{static_cast<http::status>(r.status), rq.version()};
                answer.set(http::field::content_type, r.content_type);
                answer.set(http::field::cache_control, "no-store");
                if (!r.allow.empty()) answer.set(http::field::allow, r.allow);
                answer.keep_alive(rq.keep_alive());
                const std::size_t length = r.body.size();
                if (rq.method() != http::verb::head) answer.body() = r.body;
                answer.content_length(length);
                co_await http::async_write(peer, answer, asio::use_awaitable);
                if (!answer.keep_alive()) break;
            }
            peer.socket().shutdown(generic_socket::shutdown_send);
        } catch (const std::exception&) {
            // The peer went away or spoke something else: nothing to tell anybody.
        }
    }
};

admin_server::admin_server(std::vector<listening_socket> sockets, options o)
    : impl_(std::make_unique<impl>(std::move(sockets), std::move(o))) {}

void admin_server::start() {
    for (const listening_socket& s : impl_->sockets)
        impl_->listeners.emplace_back(impl_->context, ::dup(s.descriptor()));
    for (std::size_t i = 0; i < impl_->listeners.size(); ++i) impl_->accept_from(i);
    impl_->watch();
    impl_->thread = std::thread([this] { impl_->context.run(); });
}

admin_server::~admin_server() {
    impl_->context.stop();
    if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace headrace::server
