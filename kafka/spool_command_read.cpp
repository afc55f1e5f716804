// spool ls, verify, cat and tail: they change nothing and take no lock.
#include "kafka/spool_command.hpp"
#include "kafka/spool_reader.hpp"
#include "kafka/spool_render.hpp"
#include "kafka/spool_segment.hpp"
#include "kafka/spool_store.hpp"

#include <chrono>
#include <cstdio>
#include <deque>
#include <thread>

namespace headrace::kafka {
namespace {

constexpr std::size_t tail_lines = 10;
constexpr auto follow_pause = std::chrono::milliseconds(100);

const char* mode_name(const instance_entry& entry) {
    if (!entry.mode) return "empty";
    return *entry.mode == spool_mode::standalone ? "standalone" : "backlog";
}

std::string age_or_dash(std::int64_t ns) { return ns == 0 ? "-" : rfc3339(ns); }

std::string json_age(std::int64_t ns) { return ns == 0 ? "null" : '"' + rfc3339(ns) + '"'; }

std::string segment_line(const segment_figures& s) {
    return "  " + s.name + "  records " + std::to_string(s.records) + "  unshipped " +
           std::to_string(s.unshipped) + "  bytes " + std::to_string(s.bytes) + "  oldest " +
           age_or_dash(s.oldest_ns);
}

std::string segment_json(const segment_figures& s) {
    return "{\"file\":\"" + s.name + "\",\"first_seq\":" + std::to_string(s.first_sequence) +
           ",\"records\":" + std::to_string(s.records) +
           ",\"unshipped\":" + std::to_string(s.unshipped) +
           ",\"bytes\":" + std::to_string(s.bytes) + ",\"oldest\":" + json_age(s.oldest_ns) + "}";
}

struct verified {
    std::uint64_t intact = 0, bad = 0, bad_segments = 0;
};

// The end of each segment is what the next one's header says of it.
void verify_log(
    const instance_entry& entry, spool_log log, const spool_arguments& a, verified& sum
) {
    const std::vector<segment_file> files = list_segments(entry.dir, log);
    for (std::size_t i = 0; i < files.size(); ++i) {
        segment_reader reader(real_disk());
        std::uint64_t intact = 0, bad = 0;
        const auto state = reader.open(files[i].path);
        if (state == segment_reader::opened::newer)
            throw spool_error("spool: " + files[i].path.string() + " has a newer format", 78);
        if (state == segment_reader::opened::failed) continue;  // shipped and unlinked meanwhile
        if (state == segment_reader::opened::ok) {
            segment_reader next(real_disk());
            if (i + 1 < files.size() &&
                next.open(files[i + 1].path) == segment_reader::opened::ok &&
                next.header().previous_number == files[i].number)
                reader.set_end(next.header().previous_end);
            if (!reader.has_end() && i + 1 == files.size())
                reader.set_live(instance_lock::held(entry.dir));
            for (stored_record r; reader.next(r);) ++intact;
            bad = reader.bad_bytes() + reader.tail_bytes();
        } else {
            bad = reader.file_bytes();
        }
        sum.intact += intact;
        sum.bad += bad;
        if (bad != 0) ++sum.bad_segments;
        const std::string name = entry.id + "/" + files[i].path.filename().string();
        if (a.json)
            print_line(
                "{\"segment\":\"" + name + "\",\"intact\":" + std::to_string(intact) +
                ",\"bad_bytes\":" + std::to_string(bad) + "}"
            );
        else
            print_line(
                (bad != 0 ? "BAD  " : "ok   ") + name + "  intact " + std::to_string(intact) +
                "  bad bytes " + std::to_string(bad)
            );
    }
}

std::string rendered(const stored_record& r, const std::string& instance, bool json) {
    return json ? json_line(r, instance) : human_line(r);
}

}  // namespace

int spool_ls(const spool_arguments& a) {
    for (const instance_entry& entry : list_instances(real_disk(), a.dir)) {
        log_store store(
            real_disk(), entry.dir, a.log == "dead" ? spool_log::dead : spool_log::main, true
        );
        store.load(false);
        const log_figures f = store.figures();
        const bool held = instance_lock::held(entry.dir);
        std::uint64_t records = 0;
        for (const segment_figures& s : store.segments()) records += s.records;
        if (!a.json) {
            print_line(
                entry.id + "  " + mode_name(entry) + (held ? "  in use" : "  unlocked") +
                "  records " + std::to_string(records) + "  unshipped " +
                std::to_string(f.records) + " (events " + std::to_string(f.events) + ")  bytes " +
                std::to_string(f.allocated) + "  oldest " + age_or_dash(f.oldest_ns) +
                "  damaged bytes " + std::to_string(held ? 0 : f.bad_bytes)
            );
            for (const segment_figures& s : store.segments()) print_line(segment_line(s));
            continue;
        }
        std::string line = "{\"instance\":\"" + entry.id + "\",\"mode\":\"" + mode_name(entry) +
                           "\",\"in_use\":" + (held ? "true" : "false") +
                           ",\"records\":" + std::to_string(records) +
                           ",\"unshipped\":" + std::to_string(f.records) +
                           ",\"events\":" + std::to_string(f.events) +
                           ",\"bytes\":" + std::to_string(f.allocated) +
                           ",\"oldest\":" + json_age(f.oldest_ns) + ",\"segments\":[";
        for (const segment_figures& s : store.segments()) {
            if (line.back() == '}') line += ',';
            line += segment_json(s);
        }
        print_line(line + "]}");
    }
    return 0;
}

int spool_verify(const spool_arguments& a) {
    verified sum;
    for (const instance_entry& entry : list_instances(real_disk(), a.dir))
        for (const spool_log log : {spool_log::main, spool_log::dead})
            verify_log(entry, log, a, sum);
    if (a.json)
        print_line(
            "{\"intact\":" + std::to_string(sum.intact) + ",\"bad_bytes\":" +
            std::to_string(sum.bad) + ",\"bad_segments\":" + std::to_string(sum.bad_segments) + "}"
        );
    else
        print_line(
            std::to_string(sum.intact) + " records intact, " + std::to_string(sum.bad) +
            " bad bytes in " + std::to_string(sum.bad_segments) + " segments"
        );
    return sum.bad == 0 ? 0 : 1;
}

int spool_cat(const spool_arguments& a) {
    const interrupt_guard guard;
    spool_scanner scanner(a.dir, a.log);
    stored_record r;
    std::string instance;
    while (!interrupt_guard::interrupted() && scanner.next(r, instance))
        if (!print_line(rendered(r, instance, a.json))) break;
    return 0;
}

int spool_tail(const spool_arguments& a) {
    const interrupt_guard guard;
    spool_scanner scanner(a.dir, a.log);
    stored_record r;
    std::string instance;
    std::deque<std::string> last;
    while (!interrupt_guard::interrupted() && scanner.next(r, instance)) {
        last.push_back(rendered(r, instance, a.json));
        if (last.size() > tail_lines) last.pop_front();
    }
    for (const std::string& line : last)
        if (!print_line(line)) return 0;
    while (a.follow && std::fflush(stdout) == 0 && !interrupt_guard::interrupted()) {
        if (scanner.next(r, instance)) {
            if (!print_line(rendered(r, instance, a.json))) break;
        } else {
            std::this_thread::sleep_for(follow_pause);
        }
    }
    return 0;
}

}  // namespace headrace::kafka
