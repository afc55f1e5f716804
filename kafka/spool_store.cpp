#include "kafka/spool_store.hpp"

#include "kafka/spool_instance.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace headrace::kafka {

using namespace spool_state;

namespace {

// Sequences left out behind a segment that could not be read: more than it can have.
constexpr std::uint64_t unseen_records = std::uint64_t{1} << 32;

}  // namespace

log_store::log_store(spool_disk& disk, std::filesystem::path instance, spool_log log, bool shipping)
    : disk_(disk), dir_(std::move(instance)), log_(log), shipping_(shipping) {}

void log_store::load(bool tidy) {
    const std::lock_guard lock(mutex_);
    if (log_ == spool_log::main) loaded_ = read_checkpoint(disk_, dir_);
    next_number_ = std::max(next_number_, loaded_.next_number);
    next_sequence_ = std::max(next_sequence_, loaded_.next_sequence);
    int error = 0;
    const std::vector<segment_file> files = list_segments(dir_, log_, disk_, &error);
    if (error != 0 && error != ENOENT) refuse_path(dir_, error);
    // The header behind a segment knows where it ends, also when its last sync failed.
    std::uint64_t ends_number = 0, ends_at = 0;
    bool newest_known = true;
    for (std::size_t i = files.size(); i-- > 0;) {
        std::optional<std::uint64_t> end;
        if (ends_number == files[i].number) end = ends_at;
        segment_reader reader(disk_);
        auto made = std::make_unique<segment>();
        const auto state = load_segment(files[i], end, tidy, reader, *made);
        const bool ok = state == segment_reader::opened::ok;
        if (segments_.empty()) newest_known = newest_known && ok && !made->incomplete;
        if (state == segment_reader::opened::newer) refuse_newer(files[i].path);
        if (state == segment_reader::opened::failed) note_unread(files[i], reader.error());
        if (state == segment_reader::opened::damaged) lost_bytes_ += reader.file_bytes();
        if (!ok) continue;
        ends_number = made->header.previous_number;
        ends_at = made->header.previous_end;
        segments_.insert(segments_.begin(), std::move(made));
    }
    for (const auto& s : segments_) next_sequence_ = std::max(next_sequence_, s->next_sequence);
    // No sequence of a record that was not seen may come twice.
    if (!newest_known) next_sequence_ += unseen_records;
    if (!files.empty()) next_number_ = std::max(next_number_, files.back().number + 1);
}

void log_store::note_unread(const segment_file& file, int error) {
    if (error == ENOENT) return;  // unlinked meanwhile
    if (error == EACCES || error == EPERM) refuse_path(file.path, error);
    unread_.push_back(file);
}

void log_store::look_again() {
    for (std::size_t i = 0; i < unread_.size();) {
        const segment_file file = unread_[i];
        std::optional<std::uint64_t> end;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& s : segments_)
                if (s->header.previous_number == file.number) end = s->header.previous_end;
        }
        segment_reader reader(disk_);
        auto made = std::make_unique<segment>();
        const auto state = load_segment(file, end, false, reader, *made);
        if (state == segment_reader::opened::failed && reader.error() != ENOENT) {
            ++i;
            continue;
        }
        const std::lock_guard lock(mutex_);
        unread_.erase(unread_.begin() + static_cast<std::ptrdiff_t>(i));
        // Also one of a newer format: it is left untouched.
        if (state != segment_reader::opened::ok) {
            lost_bytes_ += reader.file_bytes();
            continue;
        }
        const std::uint64_t first = made->header.first_sequence;
        rewind_ = std::min(rewind_.value_or(first), first);
        const auto place = std::find_if(segments_.begin(), segments_.end(), [&](const auto& s) {
            return s->header.number > file.number;
        });
        segments_.insert(place, std::move(made));
    }
}

segment_reader::opened log_store::load_segment(
    const segment_file& file,
    std::optional<std::uint64_t> end,
    bool tidy,
    segment_reader& reader,
    segment& s
) const {
    const auto state = reader.open(file.path);
    if (state != segment_reader::opened::ok) return state;
    if (end) reader.set_end(*end);
    s.path = file.path;
    s.header = reader.header();
    s.header.number = file.number;
    s.file_bytes = reader.file_bytes();
    s.next_sequence = s.watermark = s.header.first_sequence;
    std::uint64_t watermark = 0;
    for (const auto& e : loaded_.entries)
        if (e.number == file.number && e.salt == s.header.salt) watermark = e.watermark;
    const auto& seal = reader.seal();
    const bool partly =
        watermark > s.header.first_sequence && (!seal || watermark < seal->next_sequence);
    const bool believable =
        seal && seal->next_sequence >= s.header.first_sequence &&
        seal->next_sequence - s.header.first_sequence <= records_max(s.file_bytes) && !partly;
    if (believable) {
        s.next_sequence = seal->next_sequence;
        s.left = shipping_ ? s.records() : seal->records;
        s.events_left = seal->events;
        s.oldest_ns = seal->oldest_ns;
        s.newest_ns = seal->newest_ns;
        s.end = s.visible_end = seal->end;
        if (shipping_ && watermark >= s.next_sequence) {
            s.left = s.events_left = 0;
            s.watermark = s.next_sequence;
        }
        if (shipping_ && s.left > 0) s.states.resize(s.records());
    } else {
        walk(s, reader, watermark);
        if (tidy && !seal && !s.incomplete) tidy_file(s, reader);
    }
    return state;
}

void log_store::walk(segment& s, segment_reader& reader, std::uint64_t watermark) const {
    stored_record r;
    while (reader.next(r)) {
        note(s, {r.sequence, reader.record_offset(), r.stored_at_ns, r.kind == record_kind::event});
        if (shipping_ && r.sequence < watermark)
            finish_record(s, r.sequence - s.header.first_sequence);
    }
    s.end = s.visible_end = (reader.position() + spool_block - 1) / spool_block * spool_block;
    s.bad_bytes = reader.bad_bytes() + reader.tail_bytes();
    s.incomplete = reader.read_failed();
    // Where the last record ends is not known then, and nobody may be told so.
    if (s.incomplete && !reader.has_end()) s.end = s.visible_end = s.file_bytes;
}

// Ends the file behind what was written and seals it, so that the next start need not read it.
void log_store::tidy_file(segment& s, segment_reader& reader) const {
    const file_handle file(disk_.open(s.path, O_RDWR));
    if (!file) return;
    const std::uint64_t used = std::max(s.end, reader.position() + reader.tail_bytes());
    const std::uint64_t size = (used + spool_block - 1) / spool_block * spool_block;
    if (size < s.file_bytes && disk_.truncate(file.get(), size) >= 0) s.file_bytes = size;
    if (s.bad_bytes != 0) return;
    char block[spool_block];
    encode_seal(
        {s.end, s.next_sequence, s.left, s.events_left, s.oldest_ns, s.newest_ns},
        s.header.salt,
        block
    );
    if (!shipping_ || s.watermark == s.header.first_sequence)
        if (disk_.write_all(file.get(), block, sizeof block, 2 * spool_block) == 0)
            disk_.sync(file.get());
}

// Appends one record to the segment's books.
void log_store::note(segment& s, const record_note& n) const {
    const std::uint64_t index = n.sequence - s.header.first_sequence;
    if (s.oldest_ns == 0) s.oldest_ns = n.stored_at_ns;
    s.newest_ns = std::max(s.newest_ns, n.stored_at_ns);
    s.next_sequence = n.sequence + 1;
    ++s.left;
    if (n.event) ++s.events_left;
    if (!shipping_) return;
    s.states.resize(index + 1, done);
    s.states[index] = n.event ? is_event : 0;
    if (index % mark_every != 0) return;
    s.marks.resize(index / mark_every + 1);
    s.marks.back() = {n.offset, n.stored_at_ns};
}

std::uint64_t log_store::next_number() const {
    const std::lock_guard lock(mutex_);
    return next_number_;
}

std::uint64_t log_store::next_sequence() const {
    const std::lock_guard lock(mutex_);
    return next_sequence_;
}

std::uint64_t log_store::last_number() const {
    const std::lock_guard lock(mutex_);
    return segments_.empty() ? 0 : segments_.back()->header.number;
}

std::uint64_t log_store::last_end() const {
    const std::lock_guard lock(mutex_);
    return segments_.empty() ? 0 : segments_.back()->end;
}

void log_store::opened(const segment_header& h, std::uint64_t file_bytes) {
    const std::lock_guard lock(mutex_);
    auto s = std::make_unique<segment>();
    s->path = dir_ / segment_name(log_, h.number);
    s->header = h;
    s->next_sequence = s->watermark = h.first_sequence;
    s->file_bytes = file_bytes;
    s->active = true;
    segments_.push_back(std::move(s));
    next_number_ = h.number + 1;
}

void log_store::durable(std::uint64_t end, const std::vector<record_note>& notes) {
    const std::lock_guard lock(mutex_);
    segment& s = *segments_.back();
    for (const record_note& n : notes) note(s, n);
    s.end = end;
    next_sequence_ = std::max(next_sequence_, s.next_sequence);
}

void log_store::publish() {
    const std::lock_guard lock(mutex_);
    for (auto it = segments_.rbegin(); it != segments_.rend(); ++it) {
        if ((*it)->visible_end == (*it)->end && !(*it)->active) break;
        (*it)->visible_end = (*it)->end;
    }
}

void log_store::closed(std::uint64_t file_bytes) {
    const std::lock_guard lock(mutex_);
    segments_.back()->active = false;
    segments_.back()->file_bytes = file_bytes;
}

segment_seal log_store::seal_of_last() const {
    const std::lock_guard lock(mutex_);
    const segment& s = *segments_.back();
    // All records, also those shipped meanwhile: the checkpoint says what was.
    std::uint64_t events = s.events_left;
    if (shipping_)
        events = static_cast<std::uint64_t>(std::count_if(
            s.states.begin(), s.states.end(), [](std::uint8_t v) { return (v & is_event) != 0; }
        ));
    return {s.end, s.next_sequence, s.records(), events, s.oldest_ns, s.newest_ns};
}

int log_store::checkpoint() {
    spool_checkpoint c;
    {
        const std::lock_guard lock(mutex_);
        if (!dirty_) return 0;
        dirty_ = false;
        c.next_number = next_number_;
        c.next_sequence = next_sequence_;
        for (const auto& s : segments_)
            if (s->watermark > s->header.first_sequence)
                c.entries.push_back({s->header.number, s->header.salt, s->watermark});
        for (const auto& e : loaded_.entries)
            if (std::any_of(unread_.begin(), unread_.end(), [&](const segment_file& f) {
                    return f.number == e.number;
                }))
                c.entries.push_back(e);
    }
    const int result = write_checkpoint(disk_, dir_, c);
    if (result < 0) {
        const std::lock_guard lock(mutex_);
        dirty_ = true;
    }
    return result;
}

void log_store::drop_shipped() {
    drop([](const segment& s) { return s.left == 0 && s.visible_end == s.end; });
}

void log_store::drop_older(std::int64_t newest_ns) {
    drop([newest_ns](const segment& s) { return s.newest_ns < newest_ns; });
}

// A disk that hangs must not hold up those who only want to look something up.
void log_store::drop(const std::function<bool(const segment&)>& finished) {
    struct dropped {
        std::uint64_t number;
        std::filesystem::path path;
        bool bad;
    };
    std::vector<dropped> drops;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& s : segments_)
            if (!s->active && !s->incomplete && finished(*s))
                drops.push_back({s->header.number, s->path, s->left == 0 && s->bad_bytes != 0});
    }
    for (const dropped& d : drops) {
        auto bad = d.path;
        bad.replace_extension(".bad");
        const int result = d.bad ? disk_.rename(d.path, bad) : disk_.unlink(d.path);
        if (result < 0 && result != -ENOENT) continue;
        const std::lock_guard lock(mutex_);
        std::erase_if(segments_, [&](const auto& s) { return s->header.number == d.number; });
    }
}

bool log_store::active_shipped() const {
    const std::lock_guard lock(mutex_);
    return !segments_.empty() && segments_.back()->active && segments_.back()->left == 0 &&
           segments_.back()->records() != 0;
}

log_figures log_store::figures() const {
    const std::lock_guard lock(mutex_);
    log_figures f;
    f.segments = segments_.size();
    f.unread = unread_.size();
    f.bytes = f.allocated = f.bad_bytes = lost_bytes_;
    for (const auto& s : segments_) {
        f.allocated += s->file_bytes;
        f.bytes += s->active ? s->end : s->file_bytes;
        f.bad_bytes += s->bad_bytes;
        f.records += s->left;
        if (s->left == 0) continue;
        f.events += s->events_left;
        if (f.oldest_ns != 0) continue;
        const std::uint64_t at = (s->watermark - s->header.first_sequence) / mark_every;
        const bool marked = at < s->marks.size() && s->marks[at].offset != 0;
        f.oldest_ns = marked ? s->marks[at].stored_at_ns : s->oldest_ns;
    }
    return f;
}

void log_figures::add(const log_figures& other) {
    segments += other.segments;
    records += other.records;
    events += other.events;
    bytes += other.bytes;
    allocated += other.allocated;
    bad_bytes += other.bad_bytes;
    unread += other.unread;
    if (other.oldest_ns != 0 && (oldest_ns == 0 || other.oldest_ns < oldest_ns))
        oldest_ns = other.oldest_ns;
}

std::vector<segment_figures> log_store::segments() const {
    const std::lock_guard lock(mutex_);
    std::vector<segment_figures> all;
    for (const auto& s : segments_) {
        segment_figures f;
        f.name = s->path.filename().string();
        f.first_sequence = s->header.first_sequence;
        f.records = s->records();
        f.unshipped = s->left;
        f.bytes = s->file_bytes;
        f.oldest_ns = s->oldest_ns;
        all.push_back(std::move(f));
    }
    return all;
}

std::uint64_t log_store::shipped_total() const {
    const std::lock_guard lock(mutex_);
    return shipped_total_;
}

bool log_store::nothing_left() const {
    const std::lock_guard lock(mutex_);
    return segments_.empty() && unread_.empty() && lost_bytes_ == 0;
}

}  // namespace headrace::kafka
