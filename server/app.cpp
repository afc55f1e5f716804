#include "server/app.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include "ingest/client_ip.hpp"
#include "kafka/kafka_sink.hpp"
#include "kafka/spool.hpp"
#include "kafka/spool_sink.hpp"
#include "kafka/topics.hpp"
#include "server/admin.hpp"
#include "server/listener.hpp"
#include "server/logging.hpp"
#include "server/resources.hpp"
#include "server/spool_dir.hpp"
#include "server/worker.hpp"

namespace headrace::server {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

double unix_now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Adds up all workers' counters. A worker that does not answer within a second is left out: the
// page must not hang when a loop does.
class metrics_page {
public:
    metrics_page(std::vector<std::unique_ptr<worker>>& workers, kafka::record_sink& sink, process_facts facts)
        : workers_(workers), sink_(sink), facts_(std::move(facts)) {}

    std::string text(const health& state, std::uint64_t refused_connections) {
        struct gathering {
            std::mutex mutex;
            std::condition_variable done;
            worker_metrics sum;
            std::size_t missing = 0;
        };
        const auto shared = std::make_shared<gathering>();
        shared->missing = workers_.size();
        for (const auto& w : workers_)
            w->snapshot([shared](const worker_metrics& m) {
                const std::lock_guard lock(shared->mutex);
                shared->sum.add(m);
                if (--shared->missing == 0) shared->done.notify_one();
            });
        std::unique_lock lock(shared->mutex);
        shared->done.wait_for(lock, seconds(1), [&] { return shared->missing == 0; });
        shared->sum.over_connection_cap += refused_connections;
        process_facts facts = facts_;
        facts.ready = state.ready();
        return render_metrics(shared->sum, sink_.stats(), sink_.health(), facts);
    }

private:
    std::vector<std::unique_ptr<worker>>& workers_;
    kafka::record_sink& sink_;
    const process_facts facts_;
};

void log_from_kafka(kafka::log_level level, const std::string& text) {
    switch (level) {
        case kafka::log_level::debug: return log::write(config::log_level::debug, text);
        case kafka::log_level::info: return log::info(text);
        case kafka::log_level::warn: return log::warn(text);
        case kafka::log_level::error: return log::error(text);
    }
}

void report_held(const kafka::held_store& held, const std::string& dir) {
    if (held.events == 0) return;
    const double age = unix_now() - static_cast<double>(held.oldest_stored_at_ns) / 1e9;
    log::warn(
        "an older standalone store is held, it is not shipped by itself",
        {{"events", std::to_string(held.events)},
         {"oldest_seconds", fmt::format("{:.0f}", age)},
         {"ship", "headrace spool replay --dir " + dir + " --to BROKERS"},
         {"or_forget", "headrace spool discard --dir " + dir + " --yes"}}
    );
}

// What is built between the configuration and the first request, in order of construction.
class application {
public:
    explicit application(const config::loaded& loaded) : loaded_(loaded), settings_(loaded.settings) {}

    int run();

private:
    void open_sink();
    void open_listeners();
    void start_workers();
    void start_admin();
    void print_ready() const;
    void wait_for_signal();
    int stop();

    const config::loaded& loaded_;
    const config::settings& settings_;
    const resources given_ = find_resources();
    const std::uint64_t memory_bytes_ = memory_budget_bytes(settings_.limits.memory, given_);
    sigset_t signals_{};
    std::string spool_dir_;
    bool ephemeral_ = false;
    kafka::topic_table topics_;
    ingest::lanes lanes_{};
    std::unique_ptr<kafka::record_sink> sink_;
    memory_budget budget_{memory_bytes_};
    std::vector<ingest::cidr> trusted_;
    std::optional<ingest::ip_resolver> ips_;
    std::optional<health> health_;
    std::vector<acceptor::source> sources_;
    std::vector<listening_socket> admin_sockets_;
    std::string public_name_, admin_name_;
    std::optional<shared_state> shared_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<std::thread> threads_;
    std::unique_ptr<acceptor> acceptor_;
    std::unique_ptr<metrics_page> page_;
    std::mutex public_page_mutex_;
    std::string public_page_;
    std::unique_ptr<admin_server> admin_;
};

int application::run() {
    // Blocked before any thread starts, so that only the main thread takes them.
    sigemptyset(&signals_);
    for (const int s : {SIGTERM, SIGINT}) sigaddset(&signals_, s);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    log::start(settings_.log);
    try {
        std::string bad;
        trusted_ = ingest::parse_cidrs(settings_.server.trusted_proxies, bad).value();
        ips_.emplace(trusted_, settings_.server.client_ip_header, settings_.privacy.ip);
        open_listeners();
        open_sink();
    } catch (const kafka::spool_error& e) {
        std::fprintf(stderr, "headrace: %s\n", e.what());
        return e.exit_code;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "headrace: %s\n", e.what());
        return 1;
    }
    start_workers();
    start_admin();
    health_->enter(phase::serving);
    print_ready();
    wait_for_signal();
    return stop();
}

void application::open_sink() {
    const bool standalone = settings_.kafka.brokers.empty();
    if (standalone) topics_.intern_dead_letters(settings_.kafka.topics.dead_letters);
    lanes_ = ingest::intern_lanes(topics_, settings_.kafka.topics);

    spool_dir_ = settings_.spool.dir.empty() ? default_spool_dir() : settings_.spool.dir;
    kafka::spool_options options;
    options.dir = spool_dir_;
    options.mode = standalone ? kafka::spool_mode::standalone : kafka::spool_mode::backlog;
    options.max_size = settings_.spool.max_size;
    options.min_free = settings_.spool.min_free;
    options.segment = settings_.spool.segment;
    options.allow_tmpfs = settings_.spool.allow_tmpfs;
    options.ship_old = settings_.spool.ship_old;
    options.dead_letter_keep_seconds = static_cast<std::uint64_t>(
        std::chrono::duration_cast<seconds>(settings_.dead_letters.keep).count()
    );
    auto spool = kafka::spool::open(options);
    ephemeral_ = spool->ephemeral();
    if (ephemeral_)
        log::warn("the spool lies on a container's own layer: events in it die with the container",
                  {{"spool_dir", spool_dir_}, {"remedy", "mount a volume there"}});
    report_held(spool->held(), spool_dir_);
    if (standalone)
        sink_ = std::make_unique<kafka::spool_sink>(std::move(spool));
    else
        sink_ = std::make_unique<kafka::kafka_sink>(settings_, topics_, std::move(spool), memory_bytes_ / 2, log_from_kafka);
}

void application::open_listeners() {
    std::vector<std::string> addresses = settings_.server.listen;
    if (addresses.empty()) addresses.push_back(listening_socket::default_address());
    for (const std::string& a : addresses) {
        const auto& marked = settings_.server.proxy_protocol;
        const bool proxy = std::find(marked.begin(), marked.end(), a) != marked.end();
        sources_.push_back({listening_socket::open(a, "server.listen"), proxy});
    }
    for (const std::string& a : settings_.server.admin_listen)
        admin_sockets_.push_back(listening_socket::open(a, "server.admin_listen"));
    public_name_ = sources_.front().socket.name();
    if (!admin_sockets_.empty()) admin_name_ = admin_sockets_.front().name();
}

void application::start_workers() {
    const std::uint32_t count = settings_.server.workers != 0 ? settings_.server.workers : given_.cpus;
    health_.emplace(count);
    shared_.emplace(shared_state{settings_, lanes_, *ips_, *sink_, budget_, *health_, [this] {
                                     const std::lock_guard lock(public_page_mutex_);
                                     return public_page_;
                                 }});
    for (std::uint32_t i = 0; i < count; ++i) workers_.push_back(std::make_unique<worker>(*shared_, i));
    for (const auto& w : workers_) threads_.emplace_back([&w = *w] { w.run(); });

    // Each connection needs a descriptor; some are for files, Kafka and the admin port.
    const std::uint64_t room = given_.descriptors > 256 ? given_.descriptors - 128 : given_.descriptors / 2;
    const auto cap = static_cast<std::uint32_t>(std::min<std::uint64_t>(settings_.limits.connections, room));
    if (cap < settings_.limits.connections)
        log::warn("fewer connections than limits.connections: the limit of open files is lower",
                  {{"connections", std::to_string(cap)}, {"open_files", std::to_string(given_.descriptors)}});
    acceptor_ = std::make_unique<acceptor>(std::move(sources_), workers_, cap, trusted_);
    acceptor_->start();
}

void application::start_admin() {
    process_facts facts;
    facts.role = settings_.metrics.role;
    facts.capture_mode = "events";
    facts.start_time = unix_now();
    facts.memory_limit = memory_bytes_;
    facts.ephemeral = ephemeral_;
    page_ = std::make_unique<metrics_page>(workers_, *sink_, facts);

    admin_server::options options;
    options.token = settings_.server.admin_token;
    options.health = &*health_;
    options.metrics_text = [this] { return page_->text(*health_, acceptor_->refused()); };
    options.sink_health = [this] {
        // The public page is made here: a worker must not wait for the others.
        if (settings_.server.export_prometheus) {
            std::string text = page_->text(*health_, acceptor_->refused());
            const std::lock_guard lock(public_page_mutex_);
            public_page_ = std::move(text);
        }
        return sink_->health();
    };
    admin_ = std::make_unique<admin_server>(std::move(admin_sockets_), std::move(options));
    admin_->start();
}

void application::print_ready() const {
    const auto url = [](const std::string& name) { return name.starts_with("unix:") ? name : "http://" + name; };
    std::printf("headrace ready: %s (admin %s)\n", url(public_name_).c_str(),
                admin_name_.empty() ? "off" : url(admin_name_).c_str());
    std::fflush(stdout);
    log::info("started", {{"version", HEADRACE_VERSION},
                          {"mode", settings_.kafka.brokers.empty() ? "standalone" : "kafka"},
                          {"spool_dir", spool_dir_},
                          {"workers", std::to_string(workers_.size())},
                          {"memory_bytes", std::to_string(memory_bytes_)}});
}

void application::wait_for_signal() {
    int got = 0;
    sigwait(&signals_, &got);
    log::info("stopping", {{"signal", got == SIGTERM ? "SIGTERM" : "SIGINT"}});
}

// design.md section 4: readiness red, keep accepting, close the listener, finish what is in flight,
// flush, spool the rest, sync. A second signal skips the waiting.
int application::stop() {
    const auto deadline = steady::now() + settings_.server.shutdown_timeout;
    const auto hurry = [this](milliseconds at_most) {
        timespec wait{at_most.count() / 1000, at_most.count() % 1000 * 1'000'000};
        return sigtimedwait(&signals_, nullptr, &wait) > 0;
    };
    health_->enter(phase::draining);
    bool hurried = settings_.server.drain_delay.count() > 0 && hurry(settings_.server.drain_delay);
    acceptor_->stop();
    for (const auto& w : workers_) w->drain();

    // Two seconds of the time are kept for the flush and the spool.
    const auto requests_until = deadline - std::min<steady::duration>(seconds(2), settings_.server.shutdown_timeout / 2);
    const auto busy = [this] {
        std::uint32_t n = 0;
        for (const auto& w : workers_) n += w->connections();
        return n;
    };
    while (!hurried && busy() != 0 && steady::now() < requests_until) hurried = hurry(milliseconds(10));
    const std::size_t lost = sink_->stop(hurried ? std::min(deadline, steady::now() + seconds(1)) : deadline);
    // Answers of what stop() has just decided.
    while (busy() != 0 && steady::now() < deadline) hurry(milliseconds(5));
    admin_.reset();
    for (const auto& w : workers_) w->stop();
    for (std::thread& t : threads_) t.join();
    if (lost != 0) {
        log::error("stopped, but not every record is acknowledged or on disk; their requests got 503",
                   {{"records", std::to_string(lost)}});
        // A thread that hangs in the disk or the client library still refers to their memory.
        std::_Exit(1);
    }
    log::info("stopped");
    return 0;
}

}  // namespace

int serve(const config::loaded& loaded) { return application(loaded).run(); }

}  // namespace headrace::server
