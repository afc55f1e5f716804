#pragma once
// The spool on a real disk: spool.cpp has what any thread calls, spool_thread.cpp the one thread
// that writes. Private to kafka/.
#include "kafka/spool.hpp"
#include "kafka/spool_instance.hpp"
#include "kafka/spool_topics.hpp"
#include "kafka/spool_writer.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace headrace::kafka {

// Stands at the head of the queue once the spool takes nothing any more.
class closed_mark final : public append_job {
public:
    void synced(bool) noexcept override {}
};
inline closed_mark closed_queue;

class disk_spool final : public spool {
public:
    disk_spool(const spool_options&, spool_disk&, own_instance, bool ephemeral);
    ~disk_spool() override;

    void after_group(std::function<void()> call) override { after_group_ = std::move(call); }
    bool append(append_job&) noexcept override;
    void shipped(std::uint64_t sequence) noexcept override { main_store_.shipped(sequence); }
    bool next_unshipped(stored_record&, std::uint32_t& instance) override;
    void drained(std::uint32_t instance, std::uint64_t sequence, bool ok) noexcept override {
        store_of(instance).drained(sequence, ok);
    }
    void park(std::uint32_t instance, std::uint64_t sequence) noexcept override {
        store_of(instance).park(sequence);
    }
    void unpark() noexcept override {
        main_store_.unpark();
        for (const auto& a : adopted_) a->store.unpark();
    }
    void bind(std::uint64_t sequence, bool bound) noexcept override {
        main_store_.bind(sequence, bound);
    }
    spool_figures figures() const override;
    bool healthy(std::string* reason) const override;
    bool ephemeral() const override { return ephemeral_; }
    held_store held() const override { return held_; }
    void stop() override;
    bool stop_by(std::chrono::steady_clock::time_point deadline) override;
    void abandon() noexcept override;

private:
    using steady = std::chrono::steady_clock;
    struct work {
        append_job* job;
        bool ok;
    };

    bool next_of_any(stored_record&, std::uint32_t& instance);
    log_store& store_of(std::uint32_t instance) {
        return instance == 0 ? main_store_ : adopted_[instance - 1]->store;
    }
    void load();
    void start();
    void run();
    void ask_to_stop();
    void wait(steady::time_point until);
    append_job* take_queue(append_job* replacement);
    void write_group(append_job* first);
    void put(work&, std::int64_t now);
    void answer(std::uint64_t set_aside);
    void tick();
    void finish();
    void note_state();
    log_figures on_disk() const;
    std::uint64_t room() const;
    log_writer::place place(spool_log) const;

    const spool_options options_;
    spool_disk& disk_;
    own_instance own_;
    const bool ephemeral_;
    held_store held_;
    std::uint64_t max_ = 0;
    log_store main_store_, dead_store_;
    std::vector<std::unique_ptr<adopted_instance>> adopted_;  // never shrinks
    std::unique_ptr<log_writer> main_, dead_;
    std::function<void()> after_group_;
    spool_topics topics_;  // the drain's

    std::atomic<append_job*> queue_{nullptr};  // newest first
    std::atomic<bool> broken_{false}, stopping_{false};
    std::atomic<std::uint64_t> used_{0}, pending_{0};
    std::atomic<std::uint64_t> stored_total_{0}, sync_errors_{0};
    mutable std::mutex reason_mutex_;
    std::string reason_;

    int wake_ = -1;
    std::vector<work> group_;
    steady::time_point next_tick_, last_write_;
    std::thread thread_;

    std::mutex end_mutex_;  // guards what follows; held while jobs are answered
    std::condition_variable end_;
    bool ended_ = false;            // the thread needs this object no more
    bool ownerless_ = false;        // the thread deletes it
    std::atomic<bool> cut_{false};  // jobs that are left must not be touched any more
};

}  // namespace headrace::kafka
