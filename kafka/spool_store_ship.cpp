// log_store, second half: what was shipped, and the drain's cursor.
#include "kafka/spool_store.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace headrace::kafka {
namespace {

using namespace spool_state;
constexpr std::uint8_t mask(std::uint8_t state) { return static_cast<std::uint8_t>(1u << state); }

}  // namespace

log_store::segment* log_store::find(std::uint64_t sequence) {
    auto it = std::upper_bound(
        segments_.begin(),
        segments_.end(),
        sequence,
        [](std::uint64_t value, const auto& s) { return value < s->header.first_sequence; }
    );
    if (it == segments_.begin()) return nullptr;
    segment& s = **std::prev(it);
    const std::uint64_t index = sequence - s.header.first_sequence;
    return index < s.states.size() ? &s : nullptr;
}

void log_store::finish_record(segment& s, std::uint64_t index) {
    const bool event = (s.states[index] & is_event) != 0;
    s.states[index] = static_cast<std::uint8_t>(done | (event ? is_event : 0));
    --s.left;
    if (event && s.events_left > 0) --s.events_left;
    while (s.watermark < s.next_sequence &&
           (s.states[s.watermark - s.header.first_sequence] & state_bits) == done)
        ++s.watermark;
}

bool log_store::set_state(std::uint64_t sequence, std::uint8_t from_mask, std::uint8_t to) {
    segment* s = find(sequence);
    if (s == nullptr) return false;
    std::uint8_t& state = s->states[sequence - s->header.first_sequence];
    if ((from_mask & mask(state & state_bits)) == 0) return false;
    if (to == done) {
        finish_record(*s, sequence - s->header.first_sequence);
        dirty_ = true;
    } else {
        state = static_cast<std::uint8_t>((state & ~state_bits) | to);
    }
    return true;
}

// Records that cannot be read any more must not keep their segment for ever. Not so after a read
// error: they may be there at the next start. Damage is noted first, for whoever drops the segment.
void log_store::set_gone(segment& s, std::uint64_t begin, std::uint64_t end) {
    s.bad_bytes = std::max(s.bad_bytes, cursor_->bad_bytes());
    if (cursor_->read_failed()) return;
    for (std::uint64_t sequence = begin; sequence < end; ++sequence) {
        const std::uint64_t index = sequence - s.header.first_sequence;
        if (index >= s.states.size()) break;
        if ((s.states[index] & state_bits) != waiting) continue;
        finish_record(s, index);
        dirty_ = true;
    }
}

void log_store::shipped(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    if (set_state(sequence, mask(waiting) | mask(handed) | mask(held_back), done)) ++shipped_total_;
}

void log_store::drained(std::uint64_t sequence, bool ok) {
    const std::lock_guard lock(mutex_);
    if (ok) {
        if (set_state(sequence, mask(waiting) | mask(handed) | mask(held_back), done))
            ++shipped_total_;
    } else if (set_state(sequence, mask(handed), waiting)) {
        rewind_later_ = std::min(rewind_later_.value_or(sequence), sequence);
    }
}

void log_store::bind(std::uint64_t sequence, bool bound) {
    const std::lock_guard lock(mutex_);
    if (bound)
        set_state(sequence, mask(waiting), held_back);
    else if (set_state(sequence, mask(held_back), waiting))
        rewind_to(sequence);
}

void log_store::park(std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    segment* s = find(sequence);
    if (s == nullptr) return;
    std::uint8_t& state = s->states[sequence - s->header.first_sequence];
    if ((state & state_bits) != handed) return;
    state |= is_parked;
    s->parked = true;
}

void log_store::unpark() {
    const std::lock_guard lock(mutex_);
    for (const auto& s : segments_) {
        if (!std::exchange(s->parked, false)) continue;
        for (std::size_t i = 0; i < s->states.size(); ++i) {
            if ((s->states[i] & is_parked) == 0) continue;
            s->states[i] = static_cast<std::uint8_t>((s->states[i] & is_event) | waiting);
            rewind_to(s->header.first_sequence + i);
        }
    }
}

void log_store::rewind_to(std::uint64_t sequence) {
    if (sequence < cursor_sequence_) rewind_ = std::min(rewind_.value_or(sequence), sequence);
}

void log_store::rewind_to_later() {
    const std::uint64_t sequence = *std::exchange(rewind_later_, {});
    rewind_ = std::min(rewind_.value_or(sequence), sequence);
}

segment_reader::opened log_store::open_cursor(segment& s, std::uint64_t sequence) {
    auto reader = std::make_unique<segment_reader>(disk_);
    cursor_number_ = s.header.number;
    const auto state = reader->open(s.path);
    if (state == segment_reader::opened::failed && reader->error() == ENOENT)
        return segment_reader::opened::damaged;
    if (state != segment_reader::opened::ok) return state;
    reader->set_end(s.visible_end);
    cursor_sequence_ = s.header.first_sequence;
    std::uint64_t at = (std::max(sequence, cursor_sequence_) - cursor_sequence_) / mark_every + 1;
    while (at-- > 0) {
        if (at >= s.marks.size() || s.marks[at].offset == 0) continue;
        cursor_sequence_ += at * mark_every;
        reader->seek(s.marks[at].offset, cursor_sequence_);
        break;
    }
    cursor_ = std::move(reader);
    return state;
}

// Puts the cursor on a segment that may have something for next(). False: there is none, or it
// cannot be opened for now.
bool log_store::position_cursor() {
    if (rewind_) {
        const std::uint64_t sequence = *std::exchange(rewind_, {});
        cursor_.reset();
        segment* s = find(sequence);
        if (s != nullptr && open_cursor(*s, sequence) == segment_reader::opened::failed) {
            rewind_ = sequence;
            return false;
        }
    }
    for (auto& s : segments_) {
        if (s->header.number < cursor_number_) continue;
        if (cursor_ && s->header.number == cursor_number_) {
            cursor_->set_end(s->visible_end);
            return true;
        }
        cursor_.reset();
        if (s->left == 0 && !s->active) continue;
        const auto state = open_cursor(*s, 0);
        if (state == segment_reader::opened::ok) return true;
        if (state == segment_reader::opened::failed) return false;
        ++cursor_number_;
    }
    cursor_.reset();
    return false;
}

// The cursor's segment has no more intact record up to its visible end. True: nothing to do now.
bool log_store::cursor_at_end() {
    for (auto& s : segments_) {
        if (s->header.number != cursor_number_) continue;
        if (s->active || s->visible_end != s->end) return true;
        if (cursor_->position() < s->visible_end) return false;
        set_gone(*s, cursor_sequence_, s->next_sequence);
    }
    cursor_.reset();
    ++cursor_number_;
    return false;
}

bool log_store::next(stored_record& out) {
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            if (!position_cursor()) {
                if (!rewind_later_) return false;
                rewind_to_later();
                continue;
            }
        }
        const bool read = cursor_->next(out);
        const std::lock_guard lock(mutex_);
        if (!read) {
            if (!cursor_at_end()) continue;
            if (!rewind_later_) return false;
            rewind_to_later();
            continue;
        }
        segment* s = find(out.sequence);
        if (s == nullptr || s->header.number != cursor_number_) continue;
        set_gone(*s, cursor_sequence_, out.sequence);
        cursor_sequence_ = out.sequence + 1;
        const std::uint64_t index = out.sequence - s->header.first_sequence;
        if ((s->states[index] & state_bits) != waiting) continue;
        s->states[index] =
            static_cast<std::uint8_t>(handed | (out.kind == record_kind::event ? is_event : 0));
        if (index % mark_every == 0) {
            if (s->marks.size() <= index / mark_every) s->marks.resize(index / mark_every + 1);
            s->marks[index / mark_every] = {cursor_->record_offset(), out.stored_at_ns};
        }
        return true;
    }
}

}  // namespace headrace::kafka
