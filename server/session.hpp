#pragma once
// One client connection: reads requests one after the other, hands them to the pipeline, answers.
// Lives on its worker's thread; reference-counted by its pending operations and its flight.
//
//   proxy header -> idle -> head -> body -> pipeline -> (waiting for the sink) -> answer -> idle
//
// An idle connection holds no read buffer after two seconds. A refused request is answered before
// the connection closes, and what the client still sends is read and thrown away for a while, so
// that the answer is not lost to a reset.
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include "server/head_parser.hpp"
#include "server/response.hpp"
#include "server/router.hpp"
#include "server/worker.hpp"

namespace headrace::server {

class session : public boost::intrusive_ref_counter<session, boost::thread_unsafe_counter>,
                public boost::intrusive::list_base_hook<
                    boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
    using socket_type = boost::asio::basic_stream_socket<
        boost::asio::generic::stream_protocol,
        boost::asio::io_context::executor_type>;

    session(server::worker&, worker::connection);
    ~session();

    void start();

    // The deadline that the worker keeps for this session has passed.
    void timed_out(wait_kind);
    // Its flight is decided: `answer` is what the pipeline or the sink's failure says.
    void answer(const ingest::reply& answer, const ingest::outcome&);
    // The worker is draining: leave if idle.
    void drain();
    // Path and id of the request that waits for its answer.
    std::string_view waiting_path() const { return path_labels[route_.label]; }
    std::string_view waiting_id() const { return {request_id_, request_id_size_}; }
    // Ends the connection now, whatever it is doing.
    void close();

    // Membership in one of the worker's deadline lists.
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>
        deadline_hook;
    steady::time_point deadline{};
    wait_kind waiting_for = wait_kind::idle;

private:
    enum class state : std::uint8_t {
        proxy, idle, parked, head, body, chunked, discard, waiting, writing, linger, closed
    };

    // session.cpp: bytes in and out
    void next_request();
    void read_more();
    void on_read(const boost::system::error_code&, std::size_t);
    void on_late(wait_kind);
    void on_bytes();
    void on_proxy_bytes();
    void on_head_bytes();
    void on_body_bytes();
    void on_chunk_bytes();
    void on_discard_bytes();
    void park();
    void send(std::string_view bytes);
    void on_written(const boost::system::error_code&);
    void after_answer();
    void linger();
    void consume(std::size_t n);
    void cut(std::size_t at, std::size_t n);
    bool grow_body(std::size_t least, std::size_t most);
    void answer_discarded();
    std::uint64_t body_limit() const;
    static bool add_chunk(void* self, const char* data, std::size_t size);

    // session_request.cpp: meaning of requests
    void on_head();
    bool begin_body();
    void on_body(char* body, std::size_t size);
    void capture(char* body, std::size_t size);
    std::string_view request_id();
    void count(const ingest::outcome&);
    void answer_status_route();
    void refuse_body(ingest::reason, bool keep_reading);
    void reply(unsigned status, std::string_view content_type, std::string_view body, std::string_view extra = {});
    void reply(const ingest::reply&, std::string_view extra = {});
    void fail(unsigned status, std::string_view text);   // answer and close
    std::size_t method_label() const;

    server::worker& worker_;
    socket_type socket_;
    std::optional<ingest::ip_address> peer_;
    std::optional<head_parser> parser_;
    buffer in_;                 // head, and a body that fits behind it; else what follows
    std::size_t head_size_ = 0;
    buffer body_;               // a body of its own
    std::uint64_t body_expected_ = 0;      // Content-Length
    std::uint64_t discarded_ = 0;
    match route_;
    std::string headers_;       // request-dependent response headers of the current request
    std::string out_;           // unsent rest of an answer
    ingest::reply pending_;     // what to answer once a refused body is read away
    steady::time_point started_{};
    state state_ = state::idle;
    bool reading_ = false;
    std::optional<wait_kind> late_;        // a deadline passed while a read was pending
    bool tcp_ = true;
    bool keep_alive_ = true;
    bool http10_ = false;
    bool head_only_ = false;
    bool first_byte_seen_ = false;
    bool route_after_discard_ = false;     // the body is of no use to the route: read away, then answered
    char request_id_[64];
    std::size_t request_id_size_ = 0;
};

}  // namespace headrace::server
