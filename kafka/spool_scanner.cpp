// spool_scanner: reads what is on disk without a lock, also beside a running server.
#include "kafka/spool.hpp"
#include "kafka/spool_reader.hpp"
#include "kafka/spool_segment.hpp"

#include <algorithm>
#include <utility>

namespace headrace::kafka {
namespace {

// Where one instance was read to.
struct instance_cursor {
    std::string id;
    std::filesystem::path dir;
    std::uint64_t number = 0;  // of the segment under the reader
    std::unique_ptr<segment_reader> reader;
    bool dry = false;  // nothing more until the next look around
};

// Where the segment behind `number` says that it ends.
std::optional<std::uint64_t> end_from_next(
    spool_disk& disk, const segment_file& next, std::uint64_t number
) {
    segment_reader reader(disk);
    if (reader.open(next.path) != segment_reader::opened::ok) return {};
    if (reader.header().previous_number != number) return {};
    return reader.header().previous_end;
}

}  // namespace

struct spool_scanner::impl {
    std::filesystem::path dir;
    spool_log log;
    spool_disk& disk = real_disk();
    std::vector<instance_cursor> cursors;
    bool looked = false;

    void look_around() {
        for (instance_entry& entry : list_instances(disk, dir)) {
            const bool known = std::any_of(cursors.begin(), cursors.end(), [&](const auto& c) {
                return c.id == entry.id;
            });
            if (!known) cursors.push_back({entry.id, entry.dir, 0, nullptr, false});
        }
        for (instance_cursor& c : cursors) c.dry = false;
        looked = true;
    }

    // The reader goes to the first segment behind `number` that can be read. False: there is none.
    bool advance(instance_cursor& c, const std::vector<segment_file>& files) {
        for (const segment_file& file : files) {
            if (file.number <= c.number) continue;
            auto reader = std::make_unique<segment_reader>(disk);
            if (reader->open(file.path) != segment_reader::opened::ok) continue;
            reader->set_live(!reader->has_end());
            c.number = file.number;
            c.reader = std::move(reader);
            return true;
        }
        return false;
    }

    bool next(instance_cursor& c, stored_record& out) {
        while (!c.dry) {
            if (c.reader && c.reader->next(out)) return true;
            const std::vector<segment_file> files = list_segments(c.dir, log);
            const auto later = std::find_if(files.begin(), files.end(), [&](const auto& f) {
                return f.number > c.number;
            });
            if (later == files.end()) {
                c.dry = true;
            } else if (c.reader && c.reader->is_live()) {
                // A later segment exists: this one is complete, its last records included.
                c.reader->set_live(false);
                if (const auto end = end_from_next(disk, *later, c.number)) c.reader->set_end(*end);
            } else if (!advance(c, files)) {
                c.dry = true;
            }
        }
        return false;
    }
};

spool_scanner::spool_scanner(std::filesystem::path dir, std::string_view log)
    : impl_(std::make_unique<impl>()) {
    impl_->dir = std::move(dir);
    impl_->log = log == "dead" ? spool_log::dead : spool_log::main;
}

spool_scanner::~spool_scanner() = default;

bool spool_scanner::next(stored_record& out, std::string& instance_id) {
    // Everything known first; when that is read, once more with what came since.
    for (int round = 0; round < 2; ++round) {
        if (!impl_->looked || round == 1) impl_->look_around();
        for (instance_cursor& c : impl_->cursors) {
            if (!impl_->next(c, out)) continue;
            instance_id = c.id;
            return true;
        }
    }
    return false;
}

}  // namespace headrace::kafka
