// spool replay and discard: they need the lock of what they change.
#include "kafka/spool_command.hpp"
#include "kafka/spool_segment.hpp"
#include "kafka/spool_store.hpp"
#include "kafka/spool_topics.hpp"

#include <chrono>
#include <filesystem>
#include <optional>

namespace headrace::kafka {
namespace {

using steady = std::chrono::steady_clock;
constexpr auto checkpoint_every = std::chrono::seconds(1);

struct taken_instance {
    instance_entry entry;
    instance_lock lock;
};

// Unlocked instances, locked now, oldest first. `held`: how many a server holds.
std::vector<taken_instance> take_all(const std::string& dir, std::size_t& held) {
    std::vector<taken_instance> taken;
    for (instance_entry& entry : list_instances(real_disk(), dir)) {
        int error = 0;
        auto lock = instance_lock::take(entry.dir, error);
        if (error != 0)
            throw spool_error(
                "spool: cannot lock " + entry.dir.string() + ": " + os_error(error), 1
            );
        if (lock)
            taken.push_back({std::move(entry), std::move(*lock)});
        else
            ++held;
    }
    return taken;
}

void refuse_held(const std::string& dir) {
    complain(
        "headrace spool: a running server holds the spool in " + dir +
        ". Stop it first, or let it ship by itself: with brokers configured it ships its own "
        "backlog, HEADRACE_SPOOL_SHIP_OLD=true also what was stored without Kafka"
    );
}

// False: `ship` refused a record, which stays where it is with all that follow.
bool ship_all(const taken_instance& instance, const ship_function& ship, std::uint64_t& shipped) {
    log_store store(real_disk(), instance.entry.dir, spool_log::main, true);
    store.load(true);
    stored_record r;
    bool ok = true;
    steady::time_point saved = steady::now();
    spool_topics topics;
    while (ok && !interrupt_guard::interrupted() && store.next(r)) {
        ok = topics.admits(r.topic);
        if (!ok)
            complain(
                "headrace spool: " + instance.entry.dir.string() + " names more than " +
                std::to_string(spool_topics::names_max) + " topics"
            );
        ok = ok && ship(r);
        store.drained(r.sequence, ok);
        if (ok) ++shipped;
        if (steady::now() - saved < checkpoint_every) continue;
        store.checkpoint();
        saved = steady::now();
    }
    if (const int e = store.checkpoint(); e < 0)
        throw spool_error(
            "spool: what was shipped could not be noted (it will be shipped again): " + os_error(e),
            1
        );
    store.drop_shipped();
    if (store.nothing_left()) remove_empty_instance(real_disk(), instance.entry.dir);
    return ok && !interrupt_guard::interrupted();
}

}  // namespace

int spool_replay(const spool_arguments& a, const shipper_factory& factory) {
    std::size_t held = 0;
    const std::vector<taken_instance> instances = take_all(a.dir, held);
    if (instances.empty() && held != 0) {
        refuse_held(a.dir);
        return 1;
    }
    std::string error;
    const ship_function ship = instances.empty() ? ship_function() : factory(a.brokers, error);
    if (!instances.empty() && !ship) {
        complain("headrace spool: " + error);
        return 1;
    }
    const interrupt_guard guard;
    std::uint64_t shipped = 0;
    bool ok = true;
    for (const taken_instance& instance : instances) ok = ok && ship_all(instance, ship, shipped);
    print_line(
        a.json ? "{\"shipped\":" + std::to_string(shipped) + ",\"complete\":" +
                     (ok ? "true" : "false") + ",\"in_use\":" + std::to_string(held) + "}"
               : "shipped " + std::to_string(shipped) + " records to " + a.brokers
    );
    if (!ok)
        complain(
            "headrace spool: stopped before the end; what was shipped is marked, run the same "
            "command again for the rest"
        );
    return ok ? 0 : 1;
}

int spool_discard(const spool_arguments& a) {
    std::size_t held = 0;
    const std::vector<taken_instance> instances = take_all(a.dir, held);
    if (instances.empty() && held != 0) {
        refuse_held(a.dir);
        return 1;
    }
    std::uint64_t events = 0;
    for (const taken_instance& instance : instances) {
        log_store store(real_disk(), instance.entry.dir, spool_log::main, true);
        store.load(false);
        events += store.figures().events;
    }
    const std::string what = std::to_string(events) + " events that were not shipped, in " +
                             std::to_string(instances.size()) + " instances";
    if (!a.yes) {
        complain("headrace spool: this would remove " + what + ". To do it, add --yes");
        return 2;
    }
    for (const taken_instance& instance : instances) {
        std::error_code error;
        std::filesystem::remove_all(instance.entry.dir, error);
        if (error)
            throw spool_error(
                "spool: removing " + instance.entry.dir.string() + ": " + error.message(), 1
            );
    }
    print_line(
        a.json ? "{\"discarded_events\":" + std::to_string(events) +
                     ",\"instances\":" + std::to_string(instances.size()) + "}"
               : "removed " + what
    );
    return 0;
}

}  // namespace headrace::kafka
