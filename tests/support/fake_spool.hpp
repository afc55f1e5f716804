#pragma once
// A spool in memory, with one thread that answers append jobs as the real one does. A test can
// hold the syncs back, fail them, or say that the spool is full.
#include "kafka/spool.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace headrace::test {

class fake_spool final : public kafka::spool {
public:
    struct stored {
        std::string topic, key, value;
        bool null_key = false;
        bool handed_out = false;
        bool parked = false;
    };
    // Outlives the spool, for a test to look at and steer.
    struct state {
        std::mutex mutex;
        std::condition_variable changed;
        bool full = false, held = false, broken = false;
        std::deque<kafka::append_job*> jobs;
        std::map<std::uint64_t, stored> unshipped;
        std::set<std::uint64_t> bound;
        std::uint64_t stored_total = 0, shipped_total = 0, sequence = 0;
        std::uint64_t jobs_total = 0;
        std::function<void()> after_group;
        bool stopping = false, stopped = false;

        template <typename F>
        auto with(F&& f) {
            const std::lock_guard lock(mutex);
            auto result = f(*this);
            changed.notify_all();
            return result;
        }
    };

    explicit fake_spool(std::shared_ptr<state> s) : s_(std::move(s)), thread_([this] { run(); }) {}
    ~fake_spool() override { stop(); }

    bool append(kafka::append_job& job) noexcept override {
        return s_->with([&job](state& s) {
            if (s.full || s.stopping) return false;
            s.jobs.push_back(&job);
            return true;
        });
    }
    void shipped(std::uint64_t sequence) noexcept override {
        s_->with([sequence](state& s) {
            s.shipped_total += s.unshipped.erase(sequence);
            return s.bound.erase(sequence);
        });
    }
    bool next_unshipped(kafka::stored_record& to, std::uint32_t& instance) override {
        return s_->with([&](state& s) {
            for (auto& [sequence, r] : s.unshipped) {
                if (r.handed_out || s.bound.contains(sequence)) continue;
                r.handed_out = true;
                current_ = r;
                to.sequence = sequence;
                to.topic = current_.topic;
                to.key = current_.null_key ? std::string_view{} : std::string_view(current_.key);
                to.value = current_.value;
                to.headers.clear();
                instance = 7;
                return true;
            }
            return false;
        });
    }
    void drained(std::uint32_t, std::uint64_t sequence, bool ok) noexcept override {
        s_->with([=](state& s) {
            if (ok)
                s.shipped_total += s.unshipped.erase(sequence);
            else if (const auto at = s.unshipped.find(sequence); at != s.unshipped.end())
                at->second.handed_out = false;
            return ok;
        });
    }
    void park(std::uint32_t, std::uint64_t sequence) noexcept override {
        s_->with([=](state& s) {
            const auto at = s.unshipped.find(sequence);
            if (at != s.unshipped.end()) at->second.parked = true;
            return true;
        });
    }
    void unpark() noexcept override {
        s_->with([](state& s) {
            for (auto& [sequence, r] : s.unshipped)
                if (std::exchange(r.parked, false)) r.handed_out = false;
            return true;
        });
    }
    void bind(std::uint64_t sequence, bool bound) noexcept override {
        s_->with([=](state& s) {
            if (bound)
                s.bound.insert(sequence);
            else
                s.bound.erase(sequence);
            return bound;
        });
    }
    kafka::spool_figures figures() const override {
        const std::lock_guard lock(s_->mutex);
        kafka::spool_figures f;
        f.events = f.records = s_->unshipped.size();
        f.stored_total = s_->stored_total;
        f.shipped_total = s_->shipped_total;
        return f;
    }
    bool healthy(std::string* reason) const override {
        const std::lock_guard lock(s_->mutex);
        if (s_->full && reason != nullptr) *reason = "full";
        return !s_->full && !s_->broken;
    }
    bool ephemeral() const override { return false; }
    kafka::held_store held() const override { return {}; }
    void after_group(std::function<void()> f) override {
        s_->with([&f](state& s) {
            s.after_group = std::move(f);
            return 0;
        });
    }
    void stop() override {
        s_->with([](state& s) { return s.stopping = true; });
        if (thread_.joinable()) thread_.join();
        s_->with([](state& s) { return s.stopped = true; });
    }
    bool stop_by(std::chrono::steady_clock::time_point) override {
        stop();
        return true;
    }
    void abandon() noexcept override { delete this; }

private:
    void run() {
        std::unique_lock lock(s_->mutex);
        for (;;) {
            s_->changed.wait(lock, [this] {
                return s_->stopping || (!s_->jobs.empty() && !s_->held);
            });
            if (s_->jobs.empty()) return;
            kafka::append_job* job = s_->jobs.front();
            s_->jobs.pop_front();
            ++s_->jobs_total;
            const bool ok = !s_->broken;
            std::vector<std::uint64_t> made;
            for (kafka::record* r : job->records) {
                if (!ok) break;
                r->spool_sequence = ++s_->sequence;
                made.push_back(s_->sequence);
                // Not for the drain before synced(), which binds what still has an attempt.
                s_->unshipped.emplace(
                    s_->sequence,
                    stored{
                        r->to->name,
                        std::string(r->key),
                        std::string(r->value),
                        r->key.data() == nullptr,
                        true}
                );
            }
            lock.unlock();
            job->synced(ok);
            if (s_->after_group) s_->after_group();
            lock.lock();
            for (const std::uint64_t sequence : made)
                if (const auto at = s_->unshipped.find(sequence); at != s_->unshipped.end())
                    at->second.handed_out = false;
            s_->stored_total += made.size();
        }
    }

    std::shared_ptr<state> s_;
    stored current_;
    std::thread thread_;
};

}  // namespace headrace::test
