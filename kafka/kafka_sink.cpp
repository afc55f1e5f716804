#include "kafka/kafka_sink.hpp"

#include "kafka/kafka_sink_parts.hpp"
#include "kafka/partitioner.hpp"

#include <algorithm>
#include <array>
#include <thread>

namespace headrace::kafka {

namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// What a record costs on the wire beside key, value and headers, with room for their lengths.
constexpr std::uint64_t frame_bytes = 256;

constexpr std::size_t slots_max = 64;

std::uint64_t messages_for(std::uint64_t bytes) {
    return std::max<std::uint64_t>(1, bytes / batch::record_overhead);
}

}  // namespace

kafka_sink::parts::parts(
    const config::settings& s,
    topic_table& topics,
    std::unique_ptr<spool> spool_store,
    std::uint64_t memory,
    const log_function& log
)
    : settings(s.kafka),
      store(std::move(spool_store)),
      pool(s.kafka, memory, log, warnings),
      judge(s.kafka.ack_timeout, log),
      live(
          std::min(messages_for(memory / 4 * 3), pool.queue_messages_max()),
          std::min(memory / 4 * 3, pool.queue_bytes_max())
      ),
      spooling(messages_for(memory / 4), memory / 4),
      shipper(
          pool,
          *store,
          topics,
          judge,
          [this](std::uint32_t brokers) { reports.probed(brokers); },
          log
      ),
      reports(settings, pool, *store, judge, shipper, live, spooling) {}

kafka_sink::kafka_sink(
    const config::settings& settings,
    topic_table& topics,
    std::unique_ptr<spool> store,
    std::uint64_t memory,
    log_function log
)
    : parts_(std::make_unique<parts>(settings, topics, std::move(store), memory, log)) {
    if (log)
        for (const std::string& text : parts_->warnings) log(log_level::warn, text);
    parts_->reports.start();
    parts_->shipper.start();
}

kafka_sink::~kafka_sink() {
    if (!parts_->stopped.load()) stop(clock::now() + milliseconds(2'000));
    if (parts_->submitters.load() != 0) {
        static_cast<void>(parts_.release());  // a thread is still inside
        return;
    }
    if (!parts_->hangs) return;
    spool* store = parts_->store.release();
    parts_.reset();
    store->abandon();
}

namespace {

// Queues every record of a batch that is marked for an attempt. Refused ones become notes.
void produce_all(batch& b, producer_pool& pool, delivery& reports) {
    struct lease {
        producer* by = nullptr;
        std::int64_t queued = 0;
    };
    std::array<lease, slots_max> leases{};
    const std::size_t slots = pool.size();
    for (record& r : b.records) {
        if ((r.state & place::attempt) == 0) continue;
        const std::size_t slot = producer_of(r.key, slots);
        lease& l = leases[slot];
        if (l.by == nullptr) l.by = &pool.acquire(slot);
        const rd_kafka_resp_err_t error =
            l.by->produce(*r.to, r.key, r.value, r.headers, &r, false);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
            ++l.queued;
        else
            reports.refused(r, error);
    }
    for (std::size_t i = 0; i < slots; ++i)
        if (leases[i].by != nullptr) producer_pool::release(*leases[i].by, leases[i].queued);
}

void prepare(batch& b, std::uint8_t state, fate outcome) {
    for (record& r : b.records) {
        r.owner = &b;
        r.outcome = outcome;
        r.state = state;
        r.spool_sequence = 0;
    }
    if ((state & place::spool_room) != 0 && b.records.size() > 1)
        for (std::size_t i = 1; i < b.records.size(); ++i) b.records[i].state = 0;
    b.submitted = clock::now();
}

// Takes the mark of an attempt from records whose topic is held. Returns how many have it.
std::uint32_t keep_attempts(batch& b, const supervisor& judge) {
    std::uint32_t left = 0;
    for (record& r : b.records) {
        if (judge.held(*r.to))
            r.state = 0;
        else
            ++left;
    }
    return left;
}

class submitter {
public:
    explicit submitter(std::atomic<std::uint32_t>& count) : count_(count) { count_.fetch_add(1); }
    ~submitter() { count_.fetch_sub(1); }
    submitter(const submitter&) = delete;
    submitter& operator=(const submitter&) = delete;

private:
    std::atomic<std::uint32_t>& count_;
};

// Their number only falls once `stopped` is set.
void wait_for_none(const std::atomic<std::uint32_t>& submitters, clock::time_point until) {
    while (submitters.load() != 0 && clock::now() < until)
        std::this_thread::sleep_for(std::chrono::microseconds(100));
}

}  // namespace

bool kafka_sink::submit(batch& b) noexcept {
    parts& p = *parts_;
    // Counted before the look at `stopped`: stop() waits for whoever saw it false.
    const submitter inside(p.submitters);
    if (p.stopped.load()) return false;
    const auto n = static_cast<std::uint32_t>(b.records.size());
    const std::uint64_t bytes = b.charge();
    const bool enqueued = p.settings.ack == config::ack_mode::enqueued;
    const bool direct =
        n != 0 && (enqueued || (p.settings.ack == config::ack_mode::kafka && !p.judge.sick()));
    if (direct) {
        // Before the first record is queued: its report may come at once.
        prepare(b, place::attempt, enqueued ? fate::acked : fate::pending);
        const std::uint32_t attempts = enqueued ? n : keep_attempts(b, p.judge);
        const bool more = enqueued || attempts < n;
        b.undecided = enqueued ? 0 : n;
        b.references = attempts + (more ? 1 : 0);
        if (attempts != 0 && p.live.take(n, bytes)) {
            p.reports.figures().undecided.fetch_add(b.undecided, std::memory_order_relaxed);
            produce_all(b, p.pool, p.reports);
            if (enqueued)
                p.reports.hand_back(b);
            else if (more)
                p.reports.spool_rest(b);
            return true;
        }
    }
    prepare(b, place::spool_room, fate::pending);
    b.undecided = n;
    b.references = 1;
    if (!p.spooling.take(n, bytes)) return false;
    p.reports.figures().undecided.fetch_add(n, std::memory_order_relaxed);
    if (n == 0)
        p.reports.hand_back(b);
    else
        p.reports.spool_all(b);
    return true;
}

void kafka_sink::expire(batch& b) noexcept { parts_->reports.expire(b); }

std::size_t kafka_sink::record_bytes_max() const noexcept {
    const std::uint64_t most = parts_->pool.message_max();
    return most > frame_bytes ? most - frame_bytes : 0;
}

sink_health kafka_sink::health() const {
    const parts& p = *parts_;
    sink_health h;
    h.kafka_configured = true;
    h.kafka_ok = p.judge.proven() && !p.judge.sick();
    h.spool_ok = p.store->healthy(&h.reason);
    if (h.spool_ok) h.reason.clear();
    std::string why = p.judge.reason();
    if (!h.kafka_ok && !p.judge.sick()) why = "no broker has answered yet";
    if (why.empty()) return h;
    h.reason = "Kafka: " + why + (h.reason.empty() ? "" : "; spool: " + h.reason);
    return h;
}

sink_stats kafka_sink::stats() const {
    const parts& p = *parts_;
    const delivery_figures& f = p.reports.figures();
    const spool_figures s = p.store->figures();
    sink_stats all;
    all.produced = f.produced.load();
    all.acked = f.acked.load();
    all.produce_errors = f.errors.load();
    all.spooled = f.spooled.load();
    all.shipped = p.shipper.shipped() + f.late_acks.load();
    all.queue_messages = p.live.messages();
    all.queue_bytes = p.live.bytes();
    all.queue_messages_max = p.live.messages_max();
    all.queue_bytes_max = p.live.bytes_max();
    all.spool_events = s.events;
    all.spool_bytes = s.bytes;
    all.spool_max_bytes = s.max_bytes;
    all.dead_letters_stored = s.dead_letters;
    if (s.oldest_stored_at_ns > 0) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto age = now - std::chrono::nanoseconds(s.oldest_stored_at_ns);
        all.spool_oldest_seconds = std::max(0.0, std::chrono::duration<double>(age).count());
    }
    all.brokers_up = f.brokers_up.load();
    all.brokers_known = f.brokers_known.load();
    return all;
}

std::size_t kafka_sink::stop(clock::time_point deadline) {
    parts& p = *parts_;
    if (p.stopped.exchange(true)) return p.reports.figures().undecided.load();
    const clock::time_point start = clock::now();
    const auto left = std::max(deadline - start, clock::duration::zero());
    // The last part is for the spool's own end and the clients' destruction.
    const clock::time_point hard =
        deadline - std::min<clock::duration>(left / 4, milliseconds(800));
    wait_for_none(p.submitters, start + left / 2);
    p.shipper.stop();
    p.reports.stop(start + left / 2, hard);
    p.shipper.finish();
    p.hangs = !p.store->stop_by(deadline - std::min<clock::duration>(left / 8, milliseconds(300)));
    p.reports.finish();
    p.pool.shut_down(deadline);
    return p.reports.figures().undecided.load();
}

const std::vector<std::string>& kafka_sink::warnings() const { return parts_->warnings; }

}  // namespace headrace::kafka
