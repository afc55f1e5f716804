#include "server/session.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "server/proxy_protocol.hpp"

namespace headrace::server {

namespace asio = boost::asio;
using boost::system::error_code;

session::session(server::worker& w, worker::connection c)
    : worker_(w),
      socket_(w.context(), asio::generic::stream_protocol(c.tcp ? AF_INET6 : AF_UNIX, 0), c.descriptor),
      peer_(c.peer),
      state_(c.proxy_protocol ? state::proxy : state::idle),
      tcp_(c.tcp) {
    worker_.opened(*this);
}

session::~session() {
    worker_.buffers().release(std::move(in_));
    worker_.buffers().release(std::move(body_));
    worker_.closed(*this);
}

void session::start() {
    if (state_ == state::proxy) {
        worker_.wait(*this, wait_kind::head);
        read_more();
        return;
    }
    next_request();
}

void session::next_request() {
    state_ = state::idle;
    head_size_ = 0;
    route_ = {};
    route_after_discard_ = false;
    first_byte_seen_ = false;
    request_id_size_ = 0;
    keep_alive_ = true;
    http10_ = head_only_ = false;
    headers_.clear();
    parser_.emplace(worker_.settings().limits.head, worker_.settings().server.client_ip_header);
    if (in_.size != 0) {   // pipelined: from the loop, not by recursion
        asio::post(worker_.context(), [self = session_ptr(this)] { self->on_bytes(); });
        return;
    }
    if (worker_.draining()) return close();
    worker_.wait(*this, wait_kind::park);
    read_more();
}

// One read into the free room of the buffer that the present state fills.
void session::read_more() {
    const bool into_body = state_ == state::body && body_;
    buffer& target = into_body ? body_ : in_;
    if (!target) {
        target = worker_.buffers().acquire(buffer_pool::smallest);
        if (!target) return state_ == state::linger ? close() : fail(503, "out of memory budget, please retry");
    }
    // What follows the body belongs to the next request.
    const std::size_t most = into_body ? std::min<std::size_t>(target.room(), body_expected_ - target.size) : target.room();
    reading_ = true;
    socket_.async_read_some(
        asio::buffer(target.end(), most),
        [self = session_ptr(this)](const error_code& ec, std::size_t n) { self->on_read(ec, n); }
    );
}

// No buffer while nothing happens: give it back and only wait for readability.
void session::park() {
    state_ = state::parked;
    worker_.wait(*this, wait_kind::idle);
    if (in_.size == 0) worker_.buffers().release(std::move(in_));
    socket_.async_wait(socket_type::wait_read, [self = session_ptr(this)](const error_code& ec) {
        if (ec || self->state_ != state::parked) return self->close();
        self->state_ = state::idle;
        self->read_more();
    });
}

void session::on_read(const error_code& ec, std::size_t n) {
    reading_ = false;
    if (state_ == state::closed) return;
    if (const auto late = std::exchange(late_, std::nullopt); late && ec == asio::error::operation_aborted)
        return on_late(*late);
    if (ec || n == 0) return close();
    buffer& target = state_ == state::body && body_ ? body_ : in_;
    target.size += n;
    on_bytes();
}

void session::on_bytes() {
    switch (state_) {
        case state::proxy: return on_proxy_bytes();
        case state::idle:
        case state::parked:
        case state::head: return on_head_bytes();
        case state::body: return on_body_bytes();
        case state::chunked: return on_chunk_bytes();
        case state::discard:
        case state::linger: return on_discard_bytes();
        case state::waiting:
        case state::writing:
        case state::closed: return;
    }
}

void session::on_proxy_bytes() {
    proxy_header header;
    switch (parse_proxy_header(in_.view(), header)) {
        case proxy_state::bad: return fail(400, "a PROXY protocol header is expected on this port");
        case proxy_state::need_more:
            if (in_.room() == 0 && !worker_.buffers().grow(in_, std::min(in_.capacity * 2, 2 * proxy_header_max)))
                return close();
            return read_more();
        case proxy_state::done: break;
    }
    if (header.source) peer_ = header.source;
    consume(header.size);
    next_request();
}

void session::on_head_bytes() {
    if (!first_byte_seen_) {
        first_byte_seen_ = true;
        started_ = steady::now();
        state_ = state::head;
        worker_.wait(*this, wait_kind::head);
    }
    switch (parser_->parse_head(in_.view(), head_size_)) {
        case parse_state::done: return on_head();
        case parse_state::failed:
            ++worker_.metrics().malformed_heads;
            return fail(parser_->status(), parser_->reason());
        case parse_state::need_more: break;
    }
    if (in_.room() == 0) {
        if (in_.size >= worker_.settings().limits.head) {
            const bool line_ended = in_.view().find('\n') != std::string_view::npos;
            ++worker_.metrics().malformed_heads;
            return fail(line_ended ? 431 : 414, line_ended ? "header fields too large" : "request target too long");
        }
        // The buffer moves: views of a half-read head would dangle, so parse it anew.
        if (!worker_.buffers().grow(in_, std::min<std::size_t>(in_.capacity * 4, worker_.settings().limits.head)))
            return fail(503, "out of memory budget, please retry");
        parser_.emplace(worker_.settings().limits.head, worker_.settings().server.client_ip_header);
    }
    read_more();
}

// Called by session_request.cpp once a head with Content-Length was accepted, and after each read.
void session::on_body_bytes() {
    if (!body_) {
        if (in_.size - head_size_ < body_expected_) return worker_.wait(*this, wait_kind::body), read_more();
        return on_body(in_.data.get() + head_size_, body_expected_);
    }
    if (body_.size < body_expected_) {
        if (body_.room() == 0 && !grow_body(body_.size + 1, body_expected_))
            return refuse_body(ingest::reason::no_memory, false);
        worker_.wait(*this, wait_kind::body);
        return read_more();
    }
    on_body(body_.data.get(), body_expected_);
}

// Room for `least` bytes now: doubling, up to the `most` that the body needs, because a client must
// send bytes to be given memory.
bool session::grow_body(std::size_t least, std::size_t most) {
    return worker_.buffers().grow(body_, std::max(least, std::min(body_.capacity * 2, most)));
}

// limits.body, and a quarter of the memory budget at most (design.md section 4).
std::uint64_t session::body_limit() const {
    return std::min(worker_.settings().limits.body, worker_.shared().memory.limit() / 4);
}

bool session::add_chunk(void* self, const char* data, std::size_t size) {
    session& s = *static_cast<session*>(self);
    if (s.state_ == state::discard) {
        s.discarded_ += size;
        return true;
    }
    if (s.body_.size + size > s.body_limit()) {
        s.refuse_body(ingest::reason::body_too_big, true);
        s.discarded_ += size;
        return true;
    }
    if (s.body_.room() < size && !s.grow_body(s.body_.size + size, s.body_limit())) {
        s.refuse_body(ingest::reason::no_memory, true);
        s.discarded_ += size;
        return true;
    }
    std::memcpy(s.body_.end(), data, size);
    s.body_.size += size;
    return true;
}

void session::on_chunk_bytes() {
    std::size_t used = 0;
    const std::string_view rest = in_.view().substr(head_size_);
    const parse_state result = rest.empty() ? parse_state::need_more
                                            : parser_->parse_chunks(rest, used, &session::add_chunk, this);
    if (result == parse_state::failed) {
        ++worker_.metrics().malformed_heads;
        return fail(parser_->status(), parser_->reason());
    }
    // Drop the framing that was read, keep the head: its fields are still needed.
    cut(head_size_, used);
    if (state_ == state::discard) return on_discard_bytes();
    if (result == parse_state::done) return on_body(body_.data.get(), body_.size);
    worker_.wait(*this, wait_kind::body);
    read_more();
}

// Reads a refused body away, so that the answer arrives and the connection can be used again
// (http-v0.md 2.2). Also the end of a connection: what still comes after our last answer.
void session::on_discard_bytes() {
    const std::uint64_t limit = worker_.settings().limits.body;
    if (state_ == state::linger) {
        discarded_ += in_.size;
        in_.size = 0;
        if (discarded_ > limit) return close();
        return read_more();
    }
    if (parser_->head().chunked) {
        std::size_t used = 0;
        const std::string_view rest = in_.view().substr(head_size_);
        const parse_state result = rest.empty() ? parse_state::need_more
                                                : parser_->parse_chunks(rest, used, &session::add_chunk, this);
        cut(head_size_, used);
        if (result == parse_state::need_more && discarded_ <= limit) return read_more();
        if (result != parse_state::done) keep_alive_ = false;
    } else {
        const std::uint64_t take = std::min<std::uint64_t>(in_.size - head_size_, body_expected_ - discarded_);
        cut(head_size_, take);
        discarded_ += take;
        if (discarded_ < body_expected_) {
            if (in_.room() == 0) consume(std::exchange(head_size_, 0));
            return read_more();
        }
    }
    ++worker_.metrics().drained_bodies;
    consume(std::exchange(head_size_, 0));
    answer_discarded();
}

void session::answer_discarded() {
    if (route_after_discard_) return answer_status_route();
    reply(pending_);
}

void session::consume(std::size_t n) { cut(0, n); }

// Takes `n` bytes out of the read buffer at `at`.
void session::cut(std::size_t at, std::size_t n) {
    if (n == 0) return;
    std::memmove(in_.data.get() + at, in_.data.get() + at + n, in_.size - at - n);
    in_.size -= n;
}

void session::send(std::string_view bytes) {
    state_ = state::writing;
    // Nearly every answer fits into the socket at once.
    const ssize_t sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == static_cast<ssize_t>(bytes.size())) return after_answer();
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return close();
    out_.assign(bytes.substr(sent > 0 ? static_cast<std::size_t>(sent) : 0));
    worker_.wait(*this, wait_kind::write);
    asio::async_write(socket_, asio::buffer(out_), [self = session_ptr(this)](const error_code& ec, std::size_t) {
        self->on_written(ec);
    });
}

void session::on_written(const error_code& ec) {
    out_.clear();
    out_.shrink_to_fit();
    if (ec || state_ == state::closed) return close();
    after_answer();
}

void session::after_answer() {
    worker_.forget(*this);
    worker_.buffers().release(std::move(body_));
    if (!keep_alive_) return linger();
    next_request();
}

// Half-close and read on for a moment: closing with unread bytes would reset the connection and
// could take the answer with it.
void session::linger() {
    state_ = state::linger;
    discarded_ = 0;
    in_.size = 0;
    error_code ec;
    socket_.shutdown(socket_type::shutdown_send, ec);
    if (ec) return close();
    worker_.wait(*this, wait_kind::linger);
    read_more();
}

void session::close() {
    if (state_ == state::closed) return;
    state_ = state::closed;
    worker_.forget(*this);
    error_code ec;
    socket_.close(ec);
}

// A pending read is cancelled first: its buffer must not be given away under it.
void session::timed_out(wait_kind kind) {
    if (kind == wait_kind::idle || kind == wait_kind::linger || kind == wait_kind::write) return close();
    if (!reading_) return on_late(kind);
    late_ = kind;
    error_code ec;
    socket_.cancel(ec);
}

void session::on_late(wait_kind kind) {
    switch (kind) {
        case wait_kind::park: return park();
        case wait_kind::head:
            ++worker_.metrics().header_timeouts;
            return fail(408, "the request head did not arrive in time");
        case wait_kind::body:
            ++worker_.metrics().body_timeouts;
            ++worker_.metrics().refused_bodies[static_cast<std::size_t>(ingest::reason::body_timeout)];
            return fail(408, ingest::describe(ingest::reason::body_timeout).text);
        case wait_kind::discard:
            keep_alive_ = false;
            return answer_discarded();
        case wait_kind::idle:
        case wait_kind::linger:
        case wait_kind::write:
        case wait_kind::count_: return close();
    }
}

void session::drain() {
    if (state_ == state::idle || state_ == state::parked) return close();
    keep_alive_ = false;
}

}  // namespace headrace::server
