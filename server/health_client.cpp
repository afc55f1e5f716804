#include "server/health_client.hpp"

#include <cstdio>
#include <string_view>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "config/load.hpp"

namespace headrace::server {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

struct place {
    std::string host, port, target;
};

place split(std::string_view url) {
    if (url.starts_with("http://")) url.remove_prefix(7);
    place p;
    const std::size_t slash = url.find('/');
    p.target = slash == std::string_view::npos ? "/healthz/ready" : std::string(url.substr(slash));
    url = url.substr(0, slash);
    const std::size_t colon = url.rfind(':');
    p.host = std::string(url.substr(0, colon));
    p.port = colon == std::string_view::npos ? "80" : std::string(url.substr(colon + 1));
    if (p.host.starts_with('[')) p.host = p.host.substr(1, p.host.size() - 2);
    // An "any" address is where a server listens, not where one connects to.
    if (p.host == "::") p.host = "::1";
    if (p.host == "0.0.0.0" || p.host.empty()) p.host = "127.0.0.1";
    return p;
}

int ask(const place& p) {
    asio::io_context context;
    boost::beast::tcp_stream stream(context);
    http::response<http::string_body> answer;
    boost::beast::flat_buffer buffer;
    http::request<http::empty_body> rq{http::verb::get, p.target, 11};
    rq.set(http::field::host, "localhost");
    boost::system::error_code failed;
    const auto step = [&failed](const boost::system::error_code& ec) { failed = failed ? failed : ec; };
    const auto found = asio::ip::tcp::resolver(context).resolve(p.host, p.port, failed);
    if (!failed) {
        stream.expires_after(std::chrono::seconds(3));
        stream.async_connect(found, [&](const boost::system::error_code& ec, const auto&) {
            if (ec) return step(ec);
            http::async_write(stream, rq, [&](const boost::system::error_code& wrote, std::size_t) {
                if (wrote) return step(wrote);
                http::async_read(stream, buffer, answer, [&](const boost::system::error_code& read, std::size_t) { step(read); });
            });
        });
        context.run();
    }
    if (failed) {
        std::fprintf(stderr, "headrace health: %s:%s: %s\n", p.host.c_str(), p.port.c_str(), failed.message().c_str());
        return 1;
    }
    std::fputs(answer.body().c_str(), stdout);
    return answer.result_int() == 200 ? 0 : 1;
}

}  // namespace

int run_health(const std::vector<std::string>& arguments) {
    std::string url;
    if (arguments.size() == 2 && arguments[0] == "--url") {
        url = arguments[1];
    } else if (!arguments.empty()) {
        std::fputs("usage: headrace health [--url http://127.0.0.1:3001/healthz/ready]\n", stderr);
        return 2;
    } else {
        config::sources sources;
        sources.environment = config::current_environment();
        const config::loaded loaded = config::load(sources);
        if (loaded.settings.server.admin_listen.empty()) {
            std::fputs("headrace health: no admin listener is configured; pass --url\n", stderr);
            return 2;
        }
        url = loaded.settings.server.admin_listen.front();
    }
    if (url.starts_with("unix:")) {
        std::fputs("headrace health: cannot ask over a unix socket; pass --url\n", stderr);
        return 2;
    }
    return ask(split(url));
}

}  // namespace headrace::server
