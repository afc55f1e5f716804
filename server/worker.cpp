#include "server/worker.hpp"

#include <pthread.h>

#include <ctime>
#include <iterator>

#include <boost/asio/post.hpp>

#include "server/logging.hpp"
#include "server/response.hpp"
#include "server/session.hpp"

namespace headrace::server {

namespace {

using std::chrono::milliseconds;
constexpr milliseconds tick_length{100};
constexpr std::size_t kept_bytes_max = 32 << 20;   // arenas of flights that wait for reuse
constexpr std::size_t index(auto e) { return static_cast<std::size_t>(e); }

using hook = boost::intrusive::member_hook<
    session,
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>,
    &session::deadline_hook>;
using deadline_list =
    boost::intrusive::list<session, hook, boost::intrusive::constant_time_size<false>>;
using session_list = boost::intrusive::list<session, boost::intrusive::constant_time_size<false>>;

std::size_t held_bytes(const flight& f) {
    return f.batch.memory.capacity() + f.batch.records.capacity() * sizeof(kafka::record);
}

}  // namespace

struct worker::waiters {
    std::array<deadline_list, index(wait_kind::count_)> by_kind;
    session_list all;
};

worker::worker(const shared_state& shared, std::size_t index)
    : shared_(shared),
      index_(index),
      work_(boost::asio::make_work_guard(context_)),
      ticker_(context_),
      memory_(shared.memory),
      buffers_(memory_),
      pipeline_(shared.settings, shared.lanes, shared.sink.record_bytes_max()),
      waiters_(std::make_unique<waiters>()) {}

worker::~worker() = default;

void worker::run() {
    ::pthread_setname_np(::pthread_self(), ("worker-" + std::to_string(index_)).c_str());
    tick();
    for (bool again = true; again;) {
        try {
            context_.run();
            again = false;
        } catch (const std::exception& e) {   // out of memory in a handler: its connection is gone
            log::error("a handler failed", {{"error", e.what()}});
        }
    }
    // Sessions that outlived the drain end here, while what they give back to still exists.
    std::vector<session_ptr> left;
    for (session& s : waiters_->all) left.emplace_back(&s);
    for (const session_ptr& s : left) s->close();
    ticker_.cancel();
    context_.restart();
    context_.poll();
}

void worker::stop() {
    boost::asio::post(context_, [this] {
        work_.reset();
        context_.stop();
    });
}

void worker::adopt(connection c) {
    open_.fetch_add(1, std::memory_order_relaxed);
    boost::asio::post(context_, [this, c] {
        ++metrics_.accepted;
        const session_ptr s(new session(*this, c));
        s->start();
        if (draining_) s->drain();
    });
}

void worker::opened(session& s) {
    ++metrics_.connections;
    waiters_->all.push_back(s);
}

void worker::closed(session& s) {
    --metrics_.connections;
    open_.fetch_sub(1, std::memory_order_relaxed);
    forget(s);
}

milliseconds worker::length_of(wait_kind kind) const {
    const auto& server = settings().server;
    switch (kind) {
        case wait_kind::idle: return server.idle_timeout;
        case wait_kind::park: return milliseconds(2'000);
        case wait_kind::head: return server.header_timeout;
        case wait_kind::body: return server.body_timeout;
        case wait_kind::discard: return milliseconds(5'000);
        case wait_kind::linger: return milliseconds(2'000);
        case wait_kind::write: return milliseconds(30'000);
        case wait_kind::count_: break;
    }
    return milliseconds(0);
}

void worker::wait(session& s, wait_kind kind) {
    s.deadline_hook.unlink();
    s.waiting_for = kind;
    s.deadline = steady::now() + length_of(kind);
    waiters_->by_kind[index(kind)].push_back(s);
}

void worker::forget(session& s) { s.deadline_hook.unlink(); }

void worker::tick() {
    const std::time_t now = std::time(nullptr);
    if (now != date_second_) {
        date_second_ = now;
        date_ = http_date(now);
    }
    shared_.health.beat(index_);
    const steady::time_point at = steady::now();
    check_flights(at);
    check_deadlines(at);
    ticker_.expires_after(tick_length);
    ticker_.async_wait([this](const boost::system::error_code& ec) {
        if (!ec) tick();
    });
}

void worker::check_deadlines(steady::time_point now) {
    for (std::size_t kind = 0; kind < waiters_->by_kind.size(); ++kind) {
        deadline_list& list = waiters_->by_kind[kind];
        while (!list.empty() && list.front().deadline <= now) {
            const session_ptr s(&list.front());
            s->deadline_hook.unlink();
            s->timed_out(static_cast<wait_kind>(kind));
        }
    }
}

// Late requests: to the spool after ack_timeout, 503 after answer_timeout (D21). Those answered
// late stay in the list without a requester until their memory comes back.
void worker::check_flights(steady::time_point now) {
    for (auto it = in_flight_.begin(); it != in_flight_.end();) {
        flight& f = *it++;
        const auto age = now - f.started;
        if (age < settings().kafka.ack_timeout) break;
        if (!f.expired) {
            f.expired = true;
            ++metrics_.expired_acks;
            shared_.sink.expire(f.batch);
        }
        if (age >= settings().server.answer_timeout && f.requester) {
            ++metrics_.late_answers;
            count_fates(f, fates::undecided);
            const session_ptr s = std::move(f.requester);
            f.requester = nullptr;
            unanswered_.fetch_sub(1, std::memory_order_relaxed);
            s->answer(f.result.refused ? f.result.answer : unavailable_reply(), f.result);
        }
    }
}

flight* worker::take_flight() {
    if (free_flights_.empty()) {
        flights_.push_back(std::make_unique<flight>());
        flights_.back()->index = flights_.size() - 1;
        return flights_.back().get();
    }
    flight* f = free_flights_.back();
    free_flights_.pop_back();
    kept_bytes_ -= held_bytes(*f);
    return f;
}

void worker::recycle(flight* f) {
    if (f->is_linked()) in_flight_.erase(in_flight_.iterator_to(*f));
    memory_.give(f->charged);
    f->batch.reset();
    f->requester = nullptr;
    f->result = {};
    f->charged = 0;
    f->expired = f->counted = false;
    const std::size_t held = held_bytes(*f);
    if (kept_bytes_ + held <= kept_bytes_max) {
        kept_bytes_ += held;
        free_flights_.push_back(f);
        return;
    }
    const std::size_t hole = f->index;
    std::swap(flights_[hole], flights_.back());
    flights_[hole]->index = hole;
    flights_.pop_back();
}

bool worker::launch(flight* f) {
    const std::uint64_t charge = f->batch.charge();
    if (!memory_.take(charge)) return false;
    f->charged = charge;
    f->batch.home = this;
    f->batch.context = f;
    f->batch.submitted = f->started;
    const auto& counts = f->result.counts;
    metrics_.in_flight += counts.to_write + counts.dead_lettered;
    unanswered_.fetch_add(1, std::memory_order_relaxed);
    // By start: the dead letters of an older request come in a second round (D21 counts from its start).
    auto behind = in_flight_.end();
    while (behind != in_flight_.begin() && std::prev(behind)->started > f->started) --behind;
    in_flight_.insert(behind, *f);
    if (shared_.sink.submit(f->batch)) return true;
    in_flight_.erase(in_flight_.iterator_to(*f));
    unanswered_.fetch_sub(1, std::memory_order_relaxed);
    metrics_.in_flight -= counts.to_write + counts.dead_lettered;
    memory_.give(charge);
    f->charged = 0;
    return false;
}

void worker::push(kafka::batch* first) noexcept {
    kafka::batch* last = first;
    while (last->next != nullptr) last = last->next;
    bool wake = false;
    {
        const std::lock_guard lock(completed_mutex_);
        wake = completed_ == nullptr;
        last->next = completed_;
        completed_ = first;
    }
    if (wake) boost::asio::post(context_, [this] { collect(); });
}

void worker::collect() {
    kafka::batch* list = nullptr;
    {
        const std::lock_guard lock(completed_mutex_);
        list = completed_;
        completed_ = nullptr;
    }
    // The list is last-in first-out; answers go out in the order of completion.
    kafka::batch* ordered = nullptr;
    while (list != nullptr) {
        kafka::batch* const following = list->next;
        list->next = ordered;
        ordered = list;
        list = following;
    }
    while (ordered != nullptr) {
        kafka::batch* const b = ordered;
        ordered = b->next;
        b->next = nullptr;
        flight* const f = static_cast<flight*>(b->context);
        const std::uint8_t flags = b->take_back();
        if ((flags & kafka::batch::decided) != 0 && f->requester) land(f);
        if ((flags & kafka::batch::released) != 0) recycle(f);
    }
}

void worker::snapshot(std::function<void(const worker_metrics&)> reply) {
    boost::asio::post(context_, [this, reply = std::move(reply)] {
        metrics_.memory_used = memory_.used();
        metrics_.requests_active = static_cast<std::int64_t>(unanswered());
        reply(metrics_);
    });
}

void worker::drain() {
    boost::asio::post(context_, [this] {
        draining_ = true;
        std::vector<session_ptr> sessions;
        for (session& s : waiters_->all) sessions.emplace_back(&s);
        for (const session_ptr& s : sessions) s->drain();
    });
}

}  // namespace headrace::server
