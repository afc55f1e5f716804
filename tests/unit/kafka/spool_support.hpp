#pragma once
// Shared by the spool's tests: temporary directories, records that own their bytes, waiting for
// jobs with a deadline, and reading everything back.
#include "kafka/spool.hpp"
#include "kafka/topics.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace spool_test {

using namespace headrace::kafka;
namespace fs = std::filesystem;

struct temp_dir {
    fs::path path;
    temp_dir() {
        std::string name = "/dev/shm/headrace-spool-XXXXXX";
        if (!fs::is_directory("/dev/shm")) name = "/tmp/headrace-spool-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path = name;
    }
    ~temp_dir() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
};

inline spool_options options_for(const fs::path& dir, spool_mode mode = spool_mode::standalone) {
    spool_options o;
    o.dir = dir;
    o.mode = mode;
    o.max_size = 64u << 20;
    o.segment = 1u << 20;
    o.allow_tmpfs = true;
    return o;
}

inline topic_table& topics() {
    static topic_table table;
    return table;
}
inline const topic& dead_topic() {
    static const topic& t = topics().intern_dead_letters("dead");
    return t;
}

using text = std::optional<std::string>;

// A record with its own bytes; nothing stands for null.
struct content {
    std::string topic = "events";
    text key = "key";
    std::vector<std::pair<std::string, text>> headers;
    std::string value = "value";
    record_kind kind = record_kind::event;
    bool operator==(const content&) const = default;
};

inline content content_of(const stored_record& r) {
    content c;
    c.topic = r.topic;
    c.key = r.key.data() == nullptr ? text{} : text(r.key);
    for (const header& h : r.headers)
        c.headers.push_back(
            {std::string(h.name), h.value.data() == nullptr ? text{} : text(h.value)}
        );
    c.value = r.value;
    c.kind = r.kind;
    return c;
}

inline std::string_view view_of(const text& t) {
    return t ? std::string_view(t->data(), t->size()) : std::string_view();
}

class test_job final : public append_job {
public:
    explicit test_job(std::vector<content> contents) : contents_(std::move(contents)) {
        for (const content& c : contents_) {
            record& r = records_.emplace_back();
            r.to = c.topic == "dead" ? &dead_topic() : &topics().intern(c.topic);
            r.key = view_of(c.key);
            r.value = c.value;
            r.kind = c.kind;
            auto& headers = headers_.emplace_back();
            for (const auto& [name, value] : c.headers) headers.push_back({name, view_of(value)});
            r.headers = headers;
            pointers_.push_back(&r);
        }
        records = pointers_;
    }
    void synced(bool ok) noexcept override {
        const std::lock_guard lock(mutex_);
        result_ = ok;
        changed_.notify_all();
    }
    // Nothing: no answer before the deadline.
    std::optional<bool> wait() {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return result_.has_value(); });
        return result_;
    }
    std::uint64_t sequence(std::size_t i = 0) const { return records_[i].spool_sequence; }
    const std::vector<content>& contents() const { return contents_; }

private:
    std::vector<content> contents_;
    std::deque<record> records_;
    std::deque<std::vector<header>> headers_;
    std::vector<record*> pointers_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<bool> result_;
};

// Appends one record and waits for its sync.
inline std::uint64_t store(spool& s, content c) {
    test_job job({std::move(c)});
    REQUIRE(s.append(job));
    REQUIRE(job.wait() == std::optional(true));
    return job.sequence();
}

inline content event(std::string value) {
    content c;
    c.value = std::move(value);
    return c;
}

inline std::vector<content> read_all(const fs::path& dir, std::string_view log = "main") {
    spool_scanner scanner(dir, log);
    std::vector<content> all;
    stored_record r;
    std::string id;
    while (scanner.next(r, id)) all.push_back(content_of(r));
    return all;
}

inline std::vector<std::string> values_in(const fs::path& dir, std::string_view log = "main") {
    std::vector<std::string> values;
    for (const content& c : read_all(dir, log)) values.push_back(c.value);
    return values;
}

inline std::vector<fs::path> files_below(const fs::path& dir, std::string_view suffix) {
    std::vector<fs::path> files;
    if (!fs::exists(dir)) return files;
    for (const auto& entry : fs::recursive_directory_iterator(dir))
        if (entry.path().filename().string().ends_with(suffix)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

inline std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

inline void spit(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

template <typename Condition>
bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
}

}  // namespace spool_test
