#pragma once
// The record sink of a standalone server (D2): a batch is answered once the spool has synced it.
// Built by server/app; submit() from worker threads, completions from the spool thread, one push
// per worker and group.
#include "kafka/record_sink.hpp"
#include "kafka/spool.hpp"

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

namespace headrace::kafka {

class spool_sink final : public record_sink {
public:
    explicit spool_sink(std::unique_ptr<spool>);
    ~spool_sink() override;

    bool submit(batch&) noexcept override;
    // Nothing to do: the spool is already the last resort, its group is under way.
    void expire(batch&) noexcept override {}
    std::size_t record_bytes_max() const noexcept override { return record_max; }
    sink_health health() const override;
    sink_stats stats() const override;
    // The spool writes all that was submitted; something stays undecided only if the disk hangs.
    std::size_t stop(std::chrono::steady_clock::time_point deadline) override;

    spool& store() { return *spool_; }

    static constexpr std::size_t record_max = 8u << 20;

private:
    class job;
    void decide(batch&, bool ok) noexcept;
    void push_all() noexcept;

    std::unique_ptr<spool> spool_;
    bool stopped_ = false, hangs_ = false;   // main thread
    std::atomic<std::size_t> undecided_{0};  // records
    // Spool thread only: what goes back to each worker when the group is done.
    std::vector<std::pair<completions*, batch*>> returning_;
};

}  // namespace headrace::kafka
