#include "kafka/producer.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <thread>
#include <utility>

namespace headrace::kafka {

void background::add() {
    const std::lock_guard lock(mutex_);
    ++running_;
}

void background::done() {
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) idle_.notify_all();
}

bool background::wait_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return idle_.wait_until(lock, deadline, [this] { return running_ == 0; });
}

namespace {

void destroy_in_background(
    client_ptr client,
    std::vector<rd_kafka_topic_t*> topics,
    std::shared_ptr<client_log> log,
    std::shared_ptr<background> where
) {
    where->add();
    std::thread([c = std::move(client),
                 t = std::move(topics),
                 l = std::move(log),
                 w = std::move(where)]() mutable {
        for (rd_kafka_topic_t* topic : t) rd_kafka_topic_destroy(topic);
        c.reset();
        w->done();
    }).detach();
}

void purge_client(rd_kafka_t* client) {
    constexpr int all_of_it =
        RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING;
    rd_kafka_purge(client, all_of_it);
}

}  // namespace

producer::producer(client_ptr client, std::shared_ptr<client_log> log, int wake)
    : wake_(wake), log_(std::move(log)) {
    start_again(std::move(client));
}

void producer::start_again(client_ptr client) {
    client_ = std::move(client);
    events_.reset(rd_kafka_queue_get_main(client_.get()));
    for (auto& known : topics_) known.store(nullptr, std::memory_order_relaxed);
    const std::uint64_t one = 1;
    if (wake_ >= 0) rd_kafka_queue_io_event_enable(events_.get(), wake_, &one, sizeof one);
}

opened_topic* producer::topic_for(const topic& to) noexcept {
    if (to.index < cached_topics) {
        opened_topic* known = topics_[to.index].load(std::memory_order_acquire);
        if (known != nullptr) return known;
    }
    return open_topic(to);
}

opened_topic* producer::open_topic(const topic& to) noexcept {
    const std::lock_guard lock(mutex_);
    opened_topic& opened = opened_[to.index];
    if (opened.handle == nullptr) {
        opened.by = this;
        opened.to = &to;
        // The topic's opaque pointer tells the delivery thread whose report it reads.
        rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(client_.get());
        rd_kafka_topic_conf_set_opaque(conf, &opened);
        opened.handle = rd_kafka_topic_new(client_.get(), to.name.c_str(), conf);
        if (opened.handle == nullptr) return nullptr;
    }
    if (to.index < cached_topics) topics_[to.index].store(&opened, std::memory_order_release);
    return &opened;
}

void producer::add_loads(std::vector<topic_load>& to) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [index, opened] : opened_) {
        if (opened.to == nullptr) continue;
        const std::int64_t n = opened.sent.load(std::memory_order_relaxed) - opened.reported;
        const auto same = [&opened](const topic_load& l) { return l.to == opened.to; };
        const auto at = std::find_if(to.begin(), to.end(), same);
        if (at == to.end())
            to.push_back({opened.to, n});
        else
            at->outstanding += n;
    }
}

rd_kafka_resp_err_t producer::produce(
    const topic& to,
    std::string_view key,
    std::string_view value,
    std::span<const header> headers,
    void* opaque,
    bool copy
) noexcept {
    opened_topic* opened = topic_for(to);
    if (opened == nullptr) return rd_kafka_last_error();
    headers_ptr list;
    if (!headers.empty()) {
        list.reset(rd_kafka_headers_new(headers.size()));
        for (const header& h : headers)
            rd_kafka_header_add(
                list.get(),
                h.name.data(),
                static_cast<ssize_t>(h.name.size()),
                h.value.data(),
                static_cast<ssize_t>(h.value.size())
            );
    }
    // The library only reads value and key, its signature has no const.
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        client_.get(),
        RD_KAFKA_VTYPE_RKT,
        opened->handle,  //
        RD_KAFKA_VTYPE_VALUE,
        const_cast<char*>(value.data()),
        value.size(),  //
        RD_KAFKA_VTYPE_KEY,
        const_cast<char*>(key.data()),
        key.size(),  //
        RD_KAFKA_VTYPE_MSGFLAGS,
        copy ? RD_KAFKA_MSG_F_COPY : 0,  //
        RD_KAFKA_VTYPE_HEADERS,
        list.get(),
        RD_KAFKA_VTYPE_OPAQUE,
        opaque,
        RD_KAFKA_VTYPE_END
    );
    // Taken over on success only.
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return error;
    static_cast<void>(list.release());
    opened->sent.fetch_add(1, std::memory_order_relaxed);
    return error;
}

void producer::destroy(std::shared_ptr<background> where) {
    if (!client_) return;
    rd_kafka_queue_io_event_enable(events_.get(), -1, nullptr, 0);
    events_.reset();
    std::vector<rd_kafka_topic_t*> topics;
    for (auto& [index, opened] : opened_)
        if (opened.handle != nullptr) topics.push_back(std::exchange(opened.handle, nullptr));
    destroy_in_background(std::move(client_), std::move(topics), log_, std::move(where));
}

producer_pool::producer_pool(
    const config::kafka_settings& settings,
    std::uint64_t memory,
    log_function log,
    std::vector<std::string>& warnings
)
    : settings_(settings),
      memory_(memory),
      log_(std::make_shared<client_log>(std::move(log))),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      slots_(std::clamp<std::size_t>(settings.producers, 1, 64)) {
    std::string error;
    if (wake_ < 0) throw std::runtime_error("no eventfd for the Kafka client: too many open files");
    for (auto& slot : slots_) {
        client_ptr client = make(false, warnings, error);
        if (!client) {
            for (const auto& made : all_) made->destroy(background_);
            ::close(wake_);
            throw std::runtime_error(error);
        }
        const rd_kafka_conf_t* conf = rd_kafka_conf(client.get());
        const auto number = [conf](const char* name) {
            const std::string text = conf_value(conf, name);
            std::uint64_t value = 0;
            std::from_chars(text.data(), text.data() + text.size(), value);
            return value;
        };
        queue_messages_max_ = number("queue.buffering.max.messages");
        queue_bytes_max_ = number("queue.buffering.max.kbytes") * 1024;
        message_max_ = number("message.max.bytes");
        slot.store(&keep(std::move(client)));
    }
    std::sort(warnings.begin(), warnings.end());
    warnings.erase(std::unique(warnings.begin(), warnings.end()), warnings.end());
}

producer_pool::~producer_pool() {
    shut_down(std::chrono::steady_clock::now());
    if (!in_use()) {
        ::close(wake_);
        return;
    }
    // What some thread still uses stays, and with it the descriptor that it wakes.
    for (auto& p : all_)
        if (p->users.load() != 0) static_cast<void>(p.release());
}

void producer_pool::wake() const noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_, &one, sizeof one));
}

void producer_pool::wait(std::chrono::milliseconds limit) const noexcept {
    pollfd on{wake_, POLLIN, 0};
    ::poll(&on, 1, static_cast<int>(limit.count()));
    std::uint64_t count = 0;
    static_cast<void>(!::read(wake_, &count, sizeof count));
}

client_ptr producer_pool::make(bool alone, std::vector<std::string>& warnings, std::string& error) {
    conf_choice choice;
    choice.memory = memory_;
    choice.alone = alone;
    choice.statistics = !alone;
    return make_client(settings_, choice, *log_, warnings, error);
}

// In the place of a destroyed one, if there is any: a thread that was about to use that one may
// still look at it, so its memory stays. mutex_ is held.
producer& producer_pool::keep(client_ptr made) {
    const auto free = std::find_if(all_.begin(), all_.end(), [](const auto& p) {
        return p->client() == nullptr;
    });
    if (free == all_.end())
        return *all_.emplace_back(std::make_unique<producer>(std::move(made), log_, wake_));
    (*free)->start_again(std::move(made));
    return **free;
}

void producer_pool::active(std::vector<producer*>& to) const {
    to.clear();
    const std::lock_guard lock(mutex_);
    for (const auto& p : all_)
        if (p->client() != nullptr) to.push_back(p.get());
}

producer& producer_pool::acquire_from(std::atomic<producer*>& slot) noexcept {
    for (;;) {
        producer* p = slot.load();
        p->users.fetch_add(1);
        // Either the owner of the slot sees this user, or this thread sees the replacement.
        if (slot.load() == p) return *p;
        p->users.fetch_sub(1);
    }
}

producer& producer_pool::acquire_alone() noexcept {
    if (alone_.load() == nullptr) {
        const std::lock_guard lock(mutex_);
        if (alone_.load() == nullptr) {
            std::string error;
            std::vector<std::string> known;  // the same as at the start
            client_ptr made = make(true, known, error);
            if (!made) return acquire(0);
            alone_.store(&keep(std::move(made)));
        }
    }
    return acquire_from(alone_);
}

bool producer_pool::replace(std::atomic<producer*>& slot, bool alone, std::string& why) {
    producer* old = slot.load();
    std::array<char, 256> text{};
    if (old == nullptr || rd_kafka_fatal_error(old->client(), text.data(), text.size()) == 0)
        return false;
    why = text.data();
    std::string error;
    std::vector<std::string> known;
    client_ptr fresh = make(alone, known, error);
    if (!fresh) {
        why += "; no new one can be set up: " + error;
        return true;
    }
    {
        const std::lock_guard lock(mutex_);
        slot.store(&keep(std::move(fresh)));
    }
    retired_.push_back(old);
    purge_client(old->client());
    return true;
}

std::vector<std::string> producer_pool::replace_fatal() {
    std::vector<std::string> reasons;
    std::string why;
    for (auto& slot : slots_)
        if (replace(slot, false, why)) reasons.push_back(why);
    if (replace(alone_, true, why)) reasons.push_back(why);
    return reasons;
}

void producer_pool::collect_retired() {
    if (retired_.empty()) return;
    const std::lock_guard lock(mutex_);
    std::erase_if(retired_, [this](producer* p) {
        if (p->users.load() != 0) return false;
        if (p->sent.load() != p->reported) {
            purge_client(p->client());
            return false;
        }
        p->destroy(background_);
        return true;
    });
}

bool producer_pool::in_use() const {
    const std::lock_guard lock(mutex_);
    return std::any_of(all_.begin(), all_.end(), [](const auto& p) {
        return p->users.load(std::memory_order_acquire) != 0;
    });
}

std::size_t producer_pool::kept() const {
    const std::lock_guard lock(mutex_);
    return all_.size();
}

std::int64_t producer_pool::outstanding() const {
    const std::lock_guard lock(mutex_);
    std::int64_t sum = 0;
    for (const auto& p : all_) sum += p->sent.load(std::memory_order_relaxed) - p->reported;
    return sum;
}

void producer_pool::loads(std::vector<topic_load>& to) const {
    to.clear();
    const std::lock_guard lock(mutex_);
    for (const auto& p : all_) p->add_loads(to);
}

std::int64_t producer_pool::sent_total() const {
    const std::lock_guard lock(mutex_);
    std::int64_t sum = 0;
    for (const auto& p : all_) sum += p->sent.load(std::memory_order_relaxed);
    return sum;
}

void producer_pool::purge() {
    const std::lock_guard lock(mutex_);
    for (const auto& p : all_)
        if (p->client() != nullptr) purge_client(p->client());
}

bool producer_pool::shut_down(std::chrono::steady_clock::time_point deadline) {
    const std::lock_guard lock(mutex_);
    bool all = true;
    for (const auto& p : all_) {
        if (p->users.load() == 0)
            p->destroy(background_);
        else
            all = false;
    }
    return background_->wait_until(deadline) && all;
}

}  // namespace headrace::kafka
