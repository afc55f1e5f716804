#include "ingest/timestamp.hpp"

#include "tests/support/catch.hpp"

#include <cstdint>
#include <limits>
#include <string>

using namespace headrace::ingest;

namespace {

std::string text_of(instant at) {
    char out[40];
    return {out, render_utc(at, out)};
}

instant at(std::string_view text) {
    const auto parsed = parse_timestamp(text, {});
    REQUIRE(parsed);
    return *parsed;
}

// 2026-11-21T09:36:44.399Z
const instant now{1'795'253'804, 399'000'000};

std::string parsed(std::string_view text) {
    const auto out = parse_timestamp(text, now);
    return out ? text_of(*out) : "none";
}

std::string sent(std::string_view text) {
    const auto out = parse_sent_at(text);
    if (!out) return "none";
    char rendered[40];
    return {rendered, render_sent_at(*out, rendered)};
}

std::string event(
    std::optional<std::string_view> timestamp,
    std::optional<std::string_view> sent_at = {},
    bool ignore = false,
    std::optional<std::int64_t> offset = {}
) {
    const auto known = sent_at ? parse_sent_at(*sent_at) : std::nullopt;
    return text_of(event_time(now, timestamp, known, ignore, offset));
}

}  // namespace

TEST_CASE("timestamp: RFC 3339 as chrono takes it") {
    CHECK(parsed("2026-11-21T09:36:44.399Z") == "2026-11-21T09:36:44.399Z");
    CHECK(parsed("2026-11-21T09:36:44Z") == "2026-11-21T09:36:44Z");
    CHECK(parsed("2026-11-21T09:36:44+00:00") == "2026-11-21T09:36:44Z");
    CHECK(parsed("2026-11-21T09:36:44.5-07:30") == "2026-11-21T17:06:44.500Z");
    CHECK(parsed("2024-02-29T23:59:59.123456789+23:59") == "2024-02-29T00:00:59.123456789Z");
    CHECK(parsed("1969-06-15T00:00:00Z") == "1969-06-15T00:00:00Z");
    CHECK(parsed("0000-01-01T00:00:00Z") == "0000-01-01T00:00:00Z");
    CHECK(parsed("9999-12-31T23:59:59.999999999Z") == "9999-12-31T23:59:59.999999999Z");
    // Lower case, a space, more than nine digits and U+2212 are taken.
    CHECK(parsed("2026-11-21t09:36:44z") == "2026-11-21T09:36:44Z");
    CHECK(parsed("2026-11-21 09:36:44.25Z") == "2026-11-21T09:36:44.250Z");
    CHECK(parsed("2026-11-21T09:36:44.1234567899999Z") == "2026-11-21T09:36:44.123456789Z");
    CHECK(
        parsed("2026-11-21T09:36:44\xE2\x88\x92"
               "01:00") == "2026-11-21T10:36:44Z"
    );
    // A leap second is the start of the next minute.
    CHECK(parsed("2016-12-31T23:59:60Z") == "2017-01-01T00:00:00Z");
}

TEST_CASE("timestamp: impossible RFC 3339 times are not parsed") {
    for (const std::string text :
         {"2026-13-01T00:00:00Z",
          "2026-00-01T00:00:00Z",
          "2026-02-29T00:00:00Z",
          "1900-02-29T00:00:00Z",
          "2026-04-31T00:00:00Z",
          "2026-01-01T24:00:00Z",
          "2026-01-01T00:60:00Z",
          "2026-01-01T00:00:61Z",
          "2026-01-01T00:00:00.Z",
          "2026-01-01T00:00:00+24:00",
          "2026-01-01T00:00:00+01:60",
          "2026-01-01T00:00:00+0100",
          "2026-01-01T00:00:00ZZ",
          " 2026-01-01T00:00:00Z",
          "2026-01-01T00:00:00Z ",
          "+2026-01-01T00:00:00Z",
          "2026-1-1T00:00:00Z",
          "2026-01-01T0a:00:00Z",
          "garbage",
          ""}) {
        INFO(text);
        CHECK(parsed(text) == "none");
    }
    CHECK(parsed(std::string(100'000, '1')) == "none");
    CHECK(parsed(std::string(19, '\xE2')) == "none");
    CHECK(parsed("2026-01-01T00:00:00\xE2\x88") == "none");
}

TEST_CASE("timestamp: an offset of hours only is completed, behind T and seconds only") {
    CHECK(parsed("2025-09-17T14:05:04.805+03") == "2025-09-17T11:05:04.805Z");
    CHECK(parsed("2025-09-17T14:05:04-05") == "2025-09-17T19:05:04Z");
    CHECK(parsed("2025-09-17T14:05:04.123456789-05") == "2025-09-17T19:05:04.123456789Z");
    CHECK(parsed("2025-09-17T14:05:04.1234567891-05") == "none");
    CHECK(parsed("2025-09-17t14:05:04-05") == "none");
    CHECK(parsed("2025-09-17T14:05-05") == "none");
    CHECK(parsed("2025-09-17T14:05:04.-05") == "none");
}

TEST_CASE("timestamp: a civil time with T and no zone is UTC") {
    CHECK(parsed("2023-01-01T12:00:00") == "2023-01-01T12:00:00Z");
    CHECK(parsed("2023-01-01T12:00:00.25") == "2023-01-01T12:00:00.250Z");
    CHECK(parsed("2023-01-01T12:00") == "2023-01-01T12:00:00Z");
    CHECK(parsed("20230101T120000") == "2023-01-01T12:00:00Z");
    CHECK(parsed("2023-01-01T25:00:00") == "none");
    CHECK(parsed("2023-01-01T12:00:00 ") == "none");
}

TEST_CASE("timestamp: batch sent_at follows the table of accepted and ignored forms") {
    CHECK(sent("2024-03-01T10:20:30Z") == "2024-03-01T10:20:30Z");
    CHECK(sent("2024-03-01T10:20:30.123Z") == "2024-03-01T10:20:30.123Z");
    CHECK(sent("2024-03-01T10:20:30.120Z") == "2024-03-01T10:20:30.12Z");
    CHECK(sent("2024-03-01T10:20:30.000Z") == "2024-03-01T10:20:30Z");
    CHECK(sent("2024-03-01T10:20:30,5Z") == "2024-03-01T10:20:30.5Z");
    CHECK(sent("2024-03-01T10:20:30.1234567899Z") == "2024-03-01T10:20:30.123456789Z");
    CHECK(sent("2024-03-01T10:20:30+02:00") == "2024-03-01T10:20:30+02:00");
    CHECK(sent("2024-03-01T10:20:30-09:30") == "2024-03-01T10:20:30-09:30");
    CHECK(sent("2024-03-01T10:20:30+00:00") == "2024-03-01T10:20:30Z");
    CHECK(sent("2024-03-01T10:20:30+0200") == "2024-03-01T10:20:30+02:00");
    CHECK(sent("2024-03-01T10:20Z") == "2024-03-01T10:20:00Z");
    CHECK(sent("20240301T102030Z") == "2024-03-01T10:20:30Z");
    CHECK(sent("20240301T102030+0200") == "2024-03-01T10:20:30+02:00");
    CHECK(sent("2024-061T10:20:30Z") == "2024-03-01T10:20:30Z");
    CHECK(sent("2024061T102030Z") == "2024-03-01T10:20:30Z");
    CHECK(sent("2024-W09-5T10:20:30Z") == "2024-03-01T10:20:30Z");
    CHECK(sent("2024W095T102030Z") == "2024-03-01T10:20:30Z");
    CHECK(sent("2020-W53-7T00:00:00Z") == "2021-01-03T00:00:00Z");
    CHECK(sent("2025-W01-1T00:00:00Z") == "2024-12-30T00:00:00Z");
    for (const std::string text :
         {"2024-03-01T10:20:30",
          "2024-03-01",
          "2024-03-01 10:20:30Z",
          "2024-03-01T10:20:30+02",
          "2024-03-01t10:20:30Z",
          "2024-03-01T10:20:30z",
          "2024-03-01T10:20:60Z",
          "2024-03-01T24:20:30Z",
          "2024-03-01T10:20:30Z ",
          "1709288430000",
          "2024-03-01T102030Z",
          "20240301T10:20:30Z",
          "2024-03-01T10:20:30.Z",
          "2024-W53-1T00:00:00Z",
          "2024-W09-8T00:00:00Z",
          "2023-366T00:00:00Z",
          "2024-000T00:00:00Z",
          "2024-02-30T00:00:00Z",
          "T10:20:30Z",
          "2024-",
          ""}) {
        INFO(text);
        CHECK(sent(text) == "none");
    }
}

TEST_CASE("timestamp: query milliseconds count from 2021 to 9999") {
    CHECK(sent_at_from_ms(1'750'000'000'123));
    char out[40];
    const std::string text(out, render_sent_at(*sent_at_from_ms(1'750'000'000'123), out));
    CHECK(text == "2025-06-15T15:06:40.123Z");
    CHECK_FALSE(sent_at_from_ms(1'750'000'000));
    CHECK_FALSE(sent_at_from_ms(1'609'459'199'999));
    CHECK(sent_at_from_ms(1'609'459'200'000));
    CHECK(sent_at_from_ms(253'402'300'799'999));
    CHECK_FALSE(sent_at_from_ms(253'402'300'800'000));
    CHECK_FALSE(sent_at_from_ms(std::numeric_limits<std::int64_t>::max()));
    CHECK_FALSE(sent_at_from_ms(std::numeric_limits<std::int64_t>::min()));
}

TEST_CASE("timestamp: the event time follows the seven steps") {
    const std::string now_text = "2026-11-21T09:36:44.399Z";
    CHECK(event(std::nullopt) == now_text);
    CHECK(event("garbage") == now_text);
    CHECK(event("garbage", "2026-11-21T09:36:54.399Z") == now_text);
    CHECK(event("2026-11-21T08:00:00Z") == "2026-11-21T08:00:00Z");
    // The client's clock is 10 s ahead, then 10 s behind.
    CHECK(event("2026-11-21T08:00:00Z", "2026-11-21T09:36:54.399Z") == "2026-11-21T07:59:50Z");
    CHECK(event("2026-11-21T08:00:00Z", "2026-11-21T11:36:34.399+02:00") == "2026-11-21T08:00:10Z");
    CHECK(
        event("2026-11-21T08:00:00Z", "2026-11-21T09:36:54.399Z", true) == "2026-11-21T08:00:00Z"
    );
    CHECK(event("2026-11-21T08:00:00Z", {}, false, 1'500) == "2026-11-21T09:36:42.899Z");
    CHECK(event(std::nullopt, {}, false, -1'500) == "2026-11-21T09:36:45.899Z");
    CHECK(event(std::nullopt, {}, false, 0) == now_text);
    CHECK(event("1000-01-01T00:00:00Z", "9999-12-31T23:59:59Z") == "1970-01-01T00:00:00Z");
}

TEST_CASE("timestamp: more than 23 hours ahead is now, exactly 23 hours is kept") {
    const std::string now_text = "2026-11-21T09:36:44.399Z";
    CHECK(event("2026-11-22T08:36:44.399Z") == "2026-11-22T08:36:44.399Z");
    CHECK(event("2026-11-22T08:36:44.399999Z") == "2026-11-22T08:36:44.399999Z");
    CHECK(event("2026-11-22T08:36:44.4Z") == now_text);
    CHECK(event("9999-01-01T00:00:00Z") == now_text);
    CHECK(event(std::nullopt, {}, false, -82'800'000) == "2026-11-22T08:36:44.399Z");
    CHECK(event(std::nullopt, {}, false, -82'800'001) == now_text);
    CHECK(event("1900-01-01T00:00:00Z") == "1900-01-01T00:00:00Z");
}

TEST_CASE("timestamp: hostile offsets neither overflow nor count") {
    const std::string now_text = "2026-11-21T09:36:44.399Z";
    CHECK(event(std::nullopt, {}, false, std::numeric_limits<std::int64_t>::min()) == now_text);
    CHECK(event(std::nullopt, {}, false, std::numeric_limits<std::int64_t>::max()) == now_text);
    CHECK(
        event("2026-11-21T08:00:00Z", {}, false, std::numeric_limits<std::int64_t>::max()) ==
        "2026-11-21T08:00:00Z"
    );
    // Inside the range that can be held, but before year 0.
    CHECK(event(std::nullopt, {}, false, 100'000'000'000'000) == "1970-01-01T00:00:00Z");
}

TEST_CASE("timestamp: instants convert with floors") {
    CHECK(from_ns(-1) == instant{-1, 999'999'999});
    CHECK(from_ms(-1) == instant{-1, 999'000'000});
    CHECK(floor_ms({-1, 999'999'999}) == -1);
    CHECK(floor_ms(from_ms(-12'345)) == -12'345);
    CHECK(from_ns(std::numeric_limits<std::int64_t>::min()).seconds == -9'223'372'037);
    CHECK(at("1970-01-01T00:00:00Z") == instant{});
    CHECK(at("2000-03-01T00:00:00Z").seconds == 951'868'800);
}

TEST_CASE("timestamp: rendering uses 0, 3, 6 or 9 digits and never leaves four-digit years") {
    CHECK(text_of({0, 0}) == "1970-01-01T00:00:00Z");
    CHECK(text_of({0, 1}) == "1970-01-01T00:00:00.000000001Z");
    CHECK(text_of({0, 1'000}) == "1970-01-01T00:00:00.000001Z");
    CHECK(text_of({0, 1'000'000}) == "1970-01-01T00:00:00.001Z");
    CHECK(text_of({-1, 999'999'999}) == "1969-12-31T23:59:59.999999999Z");
    CHECK(text_of({std::int64_t{1} << 50, 5}) == "9999-12-31T23:59:59.999999999Z");
    CHECK(text_of({-(std::int64_t{1} << 50), 5}) == "0000-01-01T00:00:00Z");
    char out[40];
    CHECK(std::string(out, render_millis({0, 999'999}, out)) == "1970-01-01T00:00:00.000Z");
    CHECK(std::string(out, render_millis({0, 25'000'000}, out)) == "1970-01-01T00:00:00.025Z");
}
