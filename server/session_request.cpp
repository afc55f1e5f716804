// What a complete head or body means: routes, admission, the pipeline, answers.
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <new>
#include <utility>

#include "ingest/decode.hpp"
#include "server/session.hpp"

namespace headrace::server {

namespace http = boost::beast::http;
using ingest::reason;

namespace {

constexpr std::string_view text_plain = "text/plain; charset=utf-8";
constexpr std::string_view json_type = "application/json";
constexpr std::size_t chunk_window = 16 * 1024;        // over a chunked body
constexpr std::size_t first_body_step = 128 * 1024;    // given for a Content-Length alone
constexpr std::size_t useless_body_max = 64 * 1024;    // read away to keep a connection

constexpr std::size_t index(auto e) { return static_cast<std::size_t>(e); }

ingest::wall_ns wall_now() {
    timespec ts{};
    clock_gettime(CLOCK_REALTIME, &ts);
    return static_cast<ingest::wall_ns>(ts.tv_sec) * 1'000'000'000 + ts.tv_nsec;
}

std::string_view query_of(std::string_view target) {
    const std::size_t question = target.find('?');
    return question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
}

ingest::reply refusal(reason why, std::string detail) {
    ingest::reply r;
    r.status = ingest::describe(why).status;
    r.json = false;
    r.retry_after = r.status == 503;
    r.body = ingest::reject{why, std::move(detail)}.text();
    return r;
}

// D9: an answer says how many events were dropped on purpose, and why.
std::string dropped_header(const ingest::outcome& result) {
    std::string causes;
    for (std::size_t i = 0; i < result.counts.dropped.size(); ++i) {
        const std::uint32_t n = result.counts.dropped[i];
        if (n == 0) continue;
        const auto cause = ingest::label(static_cast<ingest::drop_cause>(i));
        causes += fmt::format("{}{};n={}", causes.empty() ? "" : ", ", cause, n);
    }
    if (causes.empty()) return {};
    return "x-headrace-dropped: " + causes + "\r\naccess-control-expose-headers: x-headrace-dropped\r\n";
}

}  // namespace

std::size_t session::method_label() const {
    if (!parser_) return 4;
    switch (parser_->head().method) {
        case http::verb::get: return 0;
        case http::verb::post: return 1;
        case http::verb::head: return 2;
        case http::verb::options: return 3;
        default: return 4;
    }
}

std::string_view session::request_id() {
    if (request_id_size_ == 0) {
        const std::string_view incoming = parser_ ? parser_->head().request_id : std::string_view{};
        if (usable_request_id(incoming)) {
            std::memcpy(request_id_, incoming.data(), incoming.size());
            request_id_size_ = incoming.size();
        } else {
            ingest::render_uuid(ingest::make_uuid_v7(wall_now() / 1'000'000, worker_.random()), request_id_);
            request_id_size_ = 36;
        }
    }
    return {request_id_, request_id_size_};
}

void session::on_head() {
    const request_head& head = parser_->head();
    started_ = steady::now();
    keep_alive_ = head.keep_alive && !worker_.draining();
    http10_ = head.version == 10;
    head_only_ = head.method == http::verb::head;
    route_ = find_route(head.target.substr(0, head.target.find('?')));
    append_request_headers(headers_, head, request_id());
    body_expected_ = head.content_length.value_or(0);
    discarded_ = 0;

    if (head.bad_expect) return fail(417, "the only expectation known here is 100-continue");
    const bool has_body = head.chunked || body_expected_ != 0;
    const bool reads = head.method == http::verb::get || head.method == http::verb::head;
    const bool capture_method = reads || head.method == http::verb::post;
    if (head.method == http::verb::options || route_.endpoint != endpoint::capture || !capture_method) {
        if (head.method != http::verb::options && route_.endpoint != endpoint::capture && reads && has_body)
            return fail(400, "a body is not expected here");
        route_after_discard_ = true;
        if (has_body && !head.chunked && !head.expect_continue && body_expected_ <= useless_body_max) {
            state_ = state::discard;
            worker_.wait(*this, wait_kind::discard);
            return on_discard_bytes();
        }
        if (has_body) keep_alive_ = false;   // what follows cannot be told from the body
        if (!has_body) consume(std::exchange(head_size_, 0));
        return answer_status_route();
    }
    if (!begin_body()) return;
    if (head.chunked) return on_chunk_bytes();
    on_body_bytes();
}

// Decides from the head alone whether the body may come. False: answered, or being read away.
bool session::begin_body() {
    const request_head& head = parser_->head();
    const auto& limits = worker_.settings().limits;
    if (body_expected_ > limits.body) {
        // The query comes first in the order of checks (http-v0.md 4.3).
        ingest::query_parameters unused;
        if (const auto bad = ingest::parse_query(query_of(head.target), unused)) {
            ++worker_.metrics().refused_bodies[index(reason::bad_query)];
            keep_alive_ = false;
            reply(refusal(bad->reason, bad->detail));
            return false;
        }
        refuse_body(reason::body_too_big, !head.expect_continue && body_expected_ <= 2 * limits.body);
        return false;
    }
    if (body_expected_ > body_limit()) {
        refuse_body(reason::body_too_big, false);
        return false;
    }
    state_ = head.chunked ? state::chunked : state::body;
    const bool in_place = !head.chunked && head_size_ + body_expected_ <= in_.capacity;
    if (head.chunked && in_.capacity < head_size_ + chunk_window) {
        if (!worker_.buffers().grow(in_, head_size_ + chunk_window)) {
            refuse_body(reason::no_memory, false);
            return false;
        }
        // The buffer moved, and the head's views with it: read the head again where it is now.
        parser_.emplace(limits.head, worker_.settings().server.client_ip_header);
        if (parser_->parse_head(in_.view(), head_size_) != parse_state::done) {
            close();
            return false;
        }
    }
    if (head.chunked || !in_place) {
        const std::size_t arrived = in_.size - head_size_;
        body_ = worker_.buffers().acquire(std::min<std::uint64_t>(body_expected_, std::max(arrived, first_body_step)));
        if (!body_) {
            refuse_body(reason::no_memory, false);
            return false;
        }
    }
    if (!head.chunked && !in_place) {
        const std::size_t here = std::min<std::uint64_t>({in_.size - head_size_, body_expected_, body_.capacity});
        std::memcpy(body_.data.get(), in_.data.get() + head_size_, here);
        body_.size = here;
        cut(head_size_, here);
    }
    if (head.expect_continue && in_.size == head_size_ && body_.size == 0) {
        constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        if (::send(socket_.native_handle(), go_on.data(), go_on.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            close();
            return false;
        }
    }
    return true;
}

// A body that we will not use. With `keep_reading` it is read and thrown away first, so that the
// connection stays usable; else the answer goes out now and the connection closes.
void session::refuse_body(reason why, bool keep_reading) {
    std::string detail;
    if (why == reason::body_too_big && body_limit() < worker_.settings().limits.body)
        detail = fmt::format("Request body exceeds a quarter of limits.memory, {} bytes", body_limit());
    else if (why == reason::body_too_big)
        detail = fmt::format("Request body exceeds limit of {} bytes", body_limit());
    ++worker_.metrics().refused_bodies[index(why)];
    pending_ = refusal(why, std::move(detail));
    if (!keep_reading) {
        keep_alive_ = false;
        return reply(pending_);
    }
    const bool in_parser = state_ == state::chunked;
    state_ = state::discard;
    worker_.wait(*this, wait_kind::discard);
    if (!in_parser) on_discard_bytes();
}

void session::on_body(char* body, std::size_t size) {
    worker_.forget(*this);
    started_ = steady::now();
    try {
        capture(body, size);
    } catch (const std::bad_alloc&) {
        ++worker_.metrics().refused_bodies[index(reason::no_memory)];
        reply(refusal(reason::no_memory, {}));
    }
}

void session::capture(char* body, std::size_t size) {
    const request_head& head = parser_->head();
    char ip[64];

    ingest::request rq;
    rq.route = route_.route;
    rq.path = head.target.substr(0, head.target.find('?'));
    rq.query = query_of(head.target);
    rq.content_type = head.content_type;
    rq.content_encoding = head.content_encoding;
    rq.request_id = request_id();
    rq.ip = worker_.shared().ips.resolve(head.addresses, peer_, ip);
    rq.body = body;
    rq.body_size = size;
    rq.now = wall_now();

    flight* f = worker_.take_flight();
    worker_metrics& metrics = worker_.metrics();
    try {
        f->result = worker_.pipeline().process(rq, f->batch);
    } catch (const std::bad_alloc&) {
        worker_.recycle(f);
        throw;
    }
    // The pipeline has copied what it keeps: the request's bytes are free.
    metrics.raw_bytes.observe(payload_bounds, static_cast<double>(size));
    const bool in_place = !body_;
    worker_.buffers().release(std::move(body_));
    consume(std::exchange(head_size_, 0) + (in_place ? size : 0));
    count(f->result);

    f->started = started_;
    f->requester = session_ptr(this);
    if (f->batch.records.empty()) {
        const ingest::outcome result = std::move(f->result);
        worker_.recycle(f);
        return answer(result.answer, result);
    }
    state_ = state::waiting;
    if (in_.size == 0) worker_.buffers().release(std::move(in_));
    if (worker_.launch(f)) return;
    const ingest::outcome result = std::move(f->result);
    worker_.recycle(f);
    const auto& counts = result.counts;
    metrics.refused[index(reason::unavailable)] += counts.to_write + counts.dead_lettered;
    answer(result.refused ? result.answer : refusal(reason::unavailable, {}), result);
}

// D19, the part that is known before the sink decides.
void session::count(const ingest::outcome& result) {
    worker_metrics& metrics = worker_.metrics();
    const auto& counts = result.counts;
    metrics.received += counts.received;
    for (std::size_t i = 0; i < counts.dropped.size(); ++i) metrics.dropped[i] += counts.dropped[i];
    for (std::size_t i = 0; i < counts.refused.size(); ++i) metrics.refused[i] += counts.refused[i];
    metrics.heatmaps_split += counts.heatmaps_split;
    metrics.historical_rerouted += counts.historical_rerouted;
    if (result.refused && counts.received == 0) ++metrics.refused_bodies[index(result.why)];
    if (counts.received != 0) metrics.batch_size.observe(batch_size_bounds, counts.received);
    metrics.decoded_bytes.observe(payload_bounds, static_cast<double>(result.decoded_bytes));
}

void session::answer(const ingest::reply& answer, const ingest::outcome& result) {
    if (state_ == state::closed) return;
    reply(answer, dropped_header(result));
}

void session::answer_status_route() {
    const request_head& head = parser_->head();
    if (head.method == http::verb::options) {
        const bool status_route = route_.endpoint != endpoint::capture && route_.endpoint != endpoint::not_found;
        return reply(200, {}, {}, status_route ? "allow: GET,HEAD\r\n" : "");
    }
    if (route_.endpoint == endpoint::capture) return reply(405, {}, {}, "allow: POST,GET,HEAD,OPTIONS\r\n");
    const bool metrics_here = worker_.settings().server.export_prometheus;
    if (route_.endpoint == endpoint::not_found || (route_.endpoint == endpoint::metrics && !metrics_here))
        return reply(404, {}, {});
    if (head.method != http::verb::get && head.method != http::verb::head)
        return reply(405, {}, {}, "allow: GET,HEAD\r\n");
    const health& now = worker_.shared().health;
    switch (route_.endpoint) {
        case endpoint::root: return reply(200, text_plain, "capture");
        case endpoint::readiness: return reply(now.ready() ? 200 : 503, {}, {});
        case endpoint::liveness:
            return now.live() ? reply(200, text_plain, "ok") : reply(500, text_plain, now.not_live_reason());
        case endpoint::metrics:
            return reply(200, "text/plain; version=0.0.4; charset=utf-8", worker_.shared().metrics_text());
        case endpoint::capture:
        case endpoint::not_found: return reply(404, {}, {});
    }
}

void session::reply(const ingest::reply& r, std::string_view extra) {
    std::string with_retry;
    if (r.retry_after) {
        // 1-5 s with jitter (D9), so that clients that failed together do not return together.
        with_retry = fmt::format("retry-after: {}\r\n{}", 1 + worker_.random().next() % 5, extra);
        extra = with_retry;
    }
    const std::string_view type = r.body.empty() ? std::string_view{} : r.json ? json_type : text_plain;
    reply(r.status, type, r.body, extra);
}

void session::reply(unsigned status, std::string_view content_type, std::string_view body, std::string_view extra) {
    if (worker_.draining()) keep_alive_ = false;
    response r;
    r.status = status;
    r.content_type = content_type;
    r.body = body;
    r.extra = extra;
    r.close = !keep_alive_;
    r.http10_keep_alive = http10_ && keep_alive_;
    r.head_only = head_only_;
    std::string& out = worker_.scratch();
    out.clear();
    append_response(out, r, headers_, worker_.date());
    const double seconds = std::chrono::duration<double>(steady::now() - started_).count();
    worker_.metrics().count_request(route_.label, method_label(), status, seconds);
    send(out);
}

// An answer after which nothing on this connection can be trusted to be a request.
void session::fail(unsigned status, std::string_view text) {
    keep_alive_ = false;
    if (headers_.empty()) append_request_headers(headers_, parser_ ? parser_->head() : request_head{}, request_id());
    const std::string_view retry = status == 503 ? "retry-after: 1\r\n" : "";
    reply(status, text_plain, text, retry);
}

}  // namespace headrace::server
