// Damage of every kind to one small segment: the spool starts and gives back what is intact.
#include "kafka/spool_format.hpp"
#include "kafka/spool_reader.hpp"
#include "tests/unit/kafka/spool_support.hpp"

using namespace spool_test;

namespace {

// A stored segment and where its records stand.
struct sample {
    temp_dir dir;
    fs::path path;
    std::string bytes;
    std::vector<std::string> values;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> extents;

    explicit sample(bool sealed, std::size_t value_bytes = 150) {
        auto s = spool::open(options_for(dir.path));
        for (int group = 0; group < 3; ++group) {
            std::vector<content> contents;
            for (int i = 0; i < 3; ++i) {
                values.push_back(std::to_string(group * 3 + i) + std::string(value_bytes, 'v'));
                contents.push_back(event(values.back()));
                contents.back().headers = {{"token", "abc"}, {"none", {}}};
            }
            test_job job(contents);
            REQUIRE(s->append(job));
            REQUIRE(job.wait() == std::optional(true));
        }
        path = files_below(dir.path, ".seg").at(0);
        // A crash leaves what lies there while the writer is alive.
        bytes = slurp(path);
        s->stop();
        if (sealed) bytes = slurp(path);
        bytes.resize(std::min<std::size_t>(bytes.size(), spool_data_begin + 3 * spool_block));
        spit(path, bytes);
        segment_reader reader(real_disk());
        REQUIRE(reader.open(path) == segment_reader::opened::ok);
        stored_record r;
        while (reader.next(r)) extents.push_back({reader.record_offset(), reader.position()});
        REQUIRE(extents.size() == values.size());
    }

    // Values of records that do not touch [begin, end).
    std::vector<std::string> untouched(std::uint64_t begin, std::uint64_t end) const {
        std::vector<std::string> rest;
        for (std::size_t i = 0; i < extents.size(); ++i)
            if (extents[i].second <= begin || extents[i].first >= end) rest.push_back(values[i]);
        return rest;
    }
};

// Reads `bytes` as the only segment of an instance that starts again.
struct outcome {
    std::vector<std::string> values;
    std::uint64_t bad = 0;
};
outcome start_with(const sample& s, std::string_view bytes) {
    spit(s.path, bytes);
    outcome o;
    {
        auto again = spool::open(options_for(s.dir.path));
        o.bad = again->figures().quarantined_bytes;
        o.values = values_in(s.dir.path);
    }
    for (const fs::path& p : files_below(s.dir.path, ""))
        if (fs::is_regular_file(p) && p != s.path && p.filename() != "lock") fs::remove(p);
    return o;
}

std::vector<std::string> read_alone(const sample& s, std::uint64_t& bad) {
    segment_reader reader(real_disk());
    std::vector<std::string> values;
    const auto state = reader.open(s.path);
    if (state != segment_reader::opened::ok) return values;
    stored_record r;
    while (reader.next(r)) values.emplace_back(r.value);
    bad = reader.bad_bytes() + reader.tail_bytes();
    return values;
}

}  // namespace

TEST_CASE("a segment cut at any offset gives back every whole record") {
    for (const bool sealed : {false, true}) {
        const sample s(sealed);
        for (std::size_t size = 0; size <= s.bytes.size(); ++size) {
            spit(s.path, std::string_view(s.bytes).substr(0, size));
            std::uint64_t bad = 0;
            std::vector<std::string> expected;
            // The padding behind a payload carries nothing.
            for (std::size_t i = 0; i < s.extents.size(); ++i)
                if (s.extents[i].second <= size + 7) expected.push_back(s.values[i]);
            auto values = read_alone(s, bad);
            CAPTURE(size, sealed);
            if (values.size() + 1 == expected.size()) expected.pop_back();
            if (size < spool_block) expected.clear();
            REQUIRE(values == expected);
        }
    }
}

TEST_CASE("a segment with any one byte flipped gives back every record around it") {
    for (const bool sealed : {false, true}) {
        const sample s(sealed, 1000);
        std::string bytes = s.bytes;
        for (std::size_t at = 0; at < bytes.size(); ++at) {
            for (const char flip : {char(0xFF), char(1)}) {
                bytes[at] = static_cast<char>(bytes[at] ^ flip);
                spit(s.path, bytes);
                bytes[at] = s.bytes[at];
                std::uint64_t bad = 0;
                const auto values = read_alone(s, bad);
                const auto rest = s.untouched(at, at + 1);
                CAPTURE(at, sealed);
                // A flip in the zeros behind a payload hurts nobody.
                REQUIRE((values == rest || values == s.values));
                if (at >= spool_data_begin && values != s.values) REQUIRE(bad > 0);
            }
        }
    }
}

TEST_CASE("a spool starts on every kind of damage and counts it") {
    const sample s(false);
    const std::size_t second = s.extents[1].first;
    std::vector<std::pair<std::size_t, std::size_t>> spans{
        {second, 1},
        {second, 4},
        {second + 8, 40},
        {s.extents[4].first, 4096},
        {0, 4096},
        {4096, 4096},
        {s.extents[8].first + 30, 4},
        {spool_data_begin, 4096}};
    for (const auto& [begin, size] : spans) {
        for (const char fill : {'\0', '\x5a', '\xff'}) {
            std::string bytes = s.bytes;
            const std::size_t end = std::min(begin + size, bytes.size());
            std::fill(
                bytes.begin() + static_cast<long>(begin),
                bytes.begin() + static_cast<long>(end),
                fill
            );
            if (bytes == s.bytes) continue;
            const outcome o = start_with(s, bytes);
            CAPTURE(begin, size, static_cast<int>(fill));
            CHECK(o.values == s.untouched(begin, begin + size));
            if (begin >= spool_data_begin && !o.values.empty()) CHECK(o.bad > 0);
        }
    }
}

TEST_CASE("a start survives every length of the last segment") {
    const sample s(false);
    for (std::size_t size = 0; size <= s.bytes.size(); size += 97) {
        const outcome o = start_with(s, std::string_view(s.bytes).substr(0, size));
        CAPTURE(size);
        CHECK(o.values.size() <= s.values.size());
        CHECK(std::equal(o.values.begin(), o.values.end(), s.values.begin()));
    }
}

TEST_CASE("a whole header with both copies damaged is left alone and counted") {
    const sample s(false);
    std::string bytes = s.bytes;
    bytes[20] = static_cast<char>(bytes[20] ^ 1);
    bytes[4096 + 20] = static_cast<char>(bytes[4096 + 20] ^ 1);
    const outcome o = start_with(s, bytes);
    CHECK(o.values.empty());
    CHECK(o.bad == bytes.size());
    CHECK(slurp(s.path) == bytes);
}

TEST_CASE("a record forged inside a client's payload does not pass after a damaged length") {
    temp_dir dir;
    // The forger knows the format, but not the salt of the segment.
    std::string value;
    content c = event("forged");
    test_job shape({c});
    const std::uint64_t payload = payload_bytes(*shape.records[0]);
    for (int guess = 0; guess < 64; ++guess) {
        spool_bytes16 salt{};
        salt[0] = static_cast<std::uint8_t>(guess);
        std::string one(record_bytes(payload), '\0');
        const std::uint64_t offset = spool_data_begin + 64 + value.size();
        encode_record(*shape.records[0], payload, 1, 2, offset, keys_of(salt), one.data());
        value += one;
    }
    {
        auto s = spool::open(options_for(dir.path));
        store(*s, event(value));
        store(*s, event("behind"));
    }
    const fs::path path = files_below(dir.path, ".seg").at(0);
    std::string bytes = slurp(path);
    bytes[spool_data_begin] = static_cast<char>(bytes[spool_data_begin] ^ 0x11);
    spit(path, bytes);
    CHECK(values_in(dir.path) == std::vector<std::string>{"behind"});
}

TEST_CASE("a record of another segment does not pass at its old place") {
    temp_dir one, two;
    for (const temp_dir* dir : {&one, &two}) {
        auto s = spool::open(options_for(dir->path));
        store(*s, event(dir == &one ? "stale" : "fresh"));
        store(*s, event(dir == &one ? "stale too" : "fresh too"));
    }
    const std::string stale = slurp(files_below(one.path, ".seg").at(0));
    const fs::path path = files_below(two.path, ".seg").at(0);
    std::string bytes = slurp(path);
    REQUIRE(stale.size() == bytes.size());
    const std::size_t second = spool_data_begin + spool_block;
    std::copy(
        stale.begin() + static_cast<long>(second),
        stale.end(),
        bytes.begin() + static_cast<long>(second)
    );
    spit(path, bytes);
    CHECK(values_in(two.path) == std::vector<std::string>{"fresh"});
}

TEST_CASE("a record moved within its segment does not pass") {
    const sample s(false);
    std::string bytes = s.bytes;
    const auto from = s.bytes.substr(s.extents[0].first, s.extents[0].second - s.extents[0].first);
    bytes.replace(s.extents[1].first, from.size(), from);
    spit(s.path, bytes);
    std::uint64_t bad = 0;
    CHECK(read_alone(s, bad) == s.untouched(s.extents[1].first, s.extents[1].second));
    CHECK(bad > 0);
}

TEST_CASE("a newer format is refused with 78 and left untouched") {
    const sample s(false);
    std::string bytes = s.bytes;
    for (const std::size_t block : {0u, 4096u}) {
        char changed[spool_block];
        std::copy_n(bytes.data() + block, spool_block, changed);
        segment_header h;
        REQUIRE(decode_header(changed, h) == header_state::ok);
        encode_header(h, changed, spool_version + 1);
        std::copy_n(changed, spool_block, bytes.data() + block);
    }
    spit(s.path, bytes);
    for (const spool_mode mode : {spool_mode::standalone, spool_mode::backlog}) {
        try {
            spool::open(options_for(s.dir.path, mode));
            FAIL("opened");
        } catch (const spool_error& e) {
            CHECK(e.exit_code == 78);
            CHECK_THAT(e.what(), ContainsSubstring("newer"));
        }
    }
    CHECK(slurp(s.path) == bytes);
}
