#include "ingest/loose_time.hpp"

#include "tests/support/catch.hpp"

#include <random>
#include <string>

using namespace headrace::ingest;

namespace {

// 2026-11-21T09:36:44.399Z
const instant now{1'795'253'804, 399'000'000};

std::string parsed(std::string_view text) {
    const auto at = parse_loose_time(text, now);
    if (!at) return "none";
    char out[40];
    return {out, render_utc(*at, out)};
}

struct example {
    const char* text;
    const char* expected;
};

void check_all(std::initializer_list<example> list) {
    for (const example& e : list) {
        INFO(e.text);
        CHECK(parsed(e.text) == e.expected);
    }
}

}  // namespace

TEST_CASE("loose time: epochs of 10, 13 and 19 digits are seconds, milliseconds, nanoseconds") {
    check_all({
        {"1750000000", "2025-06-15T15:06:40Z"},
        {"0000000000", "1970-01-01T00:00:00Z"},
        {"1750000000123", "2025-06-15T15:06:40.123Z"},
        {"1750000000123456789", "2025-06-15T15:06:40.123456789Z"},
        {"9223372036854775807", "2262-04-11T23:47:16.854775807Z"},
        {"9223372036854775808", "none"},
        {"175000000", "none"},
        {"17500000001", "none"},
        {"1750000000123456", "none"},
        {"-1750000000", "none"},
        {"1750000000.5", "none"},
    });
}

TEST_CASE("loose time: RFC 2822 dates with their zones and comments") {
    check_all({
        {"Sat, 21 Nov 2026 09:36:44 GMT", "2026-11-21T09:36:44Z"},
        {"Sat, 21 Nov 2026 09:36:44 +0200", "2026-11-21T07:36:44Z"},
        {"21 nov 2026 09:36 EST", "2026-11-21T14:36:00Z"},
        {"Sat, 21 Nov 2026 09:36:44 PDT", "2026-11-21T16:36:44Z"},
        {"Sat, 21 Nov 2026 09:36:44 Z", "2026-11-21T09:36:44Z"},
        {"sat,21 Nov 26 09:36:44 -0030 (a (nested) \\) comment)", "2026-11-21T10:06:44Z"},
        {"1 Jan 70 00:00:00 UT", "1970-01-01T00:00:00Z"},
        {"1 Jan 099 00:00:00 UT", "1999-01-01T00:00:00Z"},
        {"Fri, 21 Nov 2026 09:36:44 GMT", "none"},  // it was a Saturday
        {"Sat, 21 Nov 2026 09:36:44 UTC", "none"},  // not a name of RFC 2822
        {"Sat, 21 Nov 2026 09:36:44 J", "none"},
        {"Sat, 21 Nov 2026 09:36:44", "none"},
        {"Sat, 21 Nov 2026 9:36:44 GMT", "none"},
        {"Sat, 21 Nov 2026 09:36:44 +2400", "none"},
        {"Sat, 21 Nov 2026 09:36:44 GMT (open", "none"},
        {"Sat, 21 Nov 2026 09:36:44 GMT (\\", "none"},
        {"Sat 21 Nov 2026 09:36:44 GMT", "none"},
    });
}

TEST_CASE("loose time: year-month-day with a time of day, an offset or a zone") {
    check_all({
        {"2026-04-30 21:14", "2026-04-30T21:14:00Z"},
        {"2026-04-30 21:14:10", "2026-04-30T21:14:10Z"},
        {"2026-04-30  21:14:10.052282", "2026-04-30T21:14:10.052282Z"},
        {"2026-04-30 05:24:37 PM", "2026-04-30T17:24:37Z"},
        {"2026-04-30 12:24am", "2026-04-30T00:24:00Z"},
        {"2026-04-30 12:24 pm", "2026-04-30T12:24:00Z"},
        {"2026-04-30 13:24 PM", "none"},
        {"2026-04-30 21:14-08", "2026-05-01T05:14:00Z"},
        {"2026-04-30 21:14:10-08", "2026-05-01T05:14:10Z"},
        {"2026-04-30 21:14:10.5+05:30", "2026-04-30T15:44:10.500Z"},
        {"2026-04-30 21:14:10 +0800", "2026-04-30T13:14:10Z"},
        {"2026-04-30 21:14:10 +09:00", "2026-04-30T12:14:10Z"},
        {"2026-04-30 21:14:10.25 UTC", "2026-04-30T21:14:10.250Z"},
        {"2026-04-30 21:14 PST", "2026-05-01T05:14:00Z"},
        {"2026-04-30 21:14:10 CEST", "2026-04-30T21:14:10Z"},  // unknown names are UTC
        {"2026-04-30 21:14:10 +99:00", "none"},
        {"2026-04-30 21:14:10 +0860", "none"},
        {"2026-04-30 9:14", "none"},
        {"2026-04-31 21:14", "none"},
        {"2026-04-30 24:00", "none"},
    });
}

TEST_CASE("loose time: a date alone takes the time of day of now, in its own zone") {
    check_all({
        {"2026-02-21", "2026-02-21T09:36:44.399Z"},
        {"2026-02-21 UTC", "2026-02-21T09:36:44.399Z"},
        // 09:36 UTC is 01:36 there, and that on the 21st there is 09:36 UTC again.
        {"2026-02-21 PST", "2026-02-21T09:36:44.399Z"},
        // 20:36 there, on the 21st there.
        {"2026-02-21+11:00", "2026-02-21T09:36:44.399Z"},
        // Past midnight there: 00:36 on the 21st there is still the 20th in UTC.
        {"2026-02-21 +15:00", "2026-02-20T09:36:44.399Z"},
        {"2026-Feb-21", "2026-02-21T09:36:44.399Z"},
        {"2026-February-21", "none"},
        {"2026-02-30", "none"},
        {"2026-02", "none"},
    });
}

TEST_CASE("loose time: a time of day alone is today, in its own zone") {
    check_all({
        {"01:06:06", "2026-11-21T01:06:06Z"},
        {"4:00pm", "2026-11-21T16:00:00Z"},
        {"6:00 AM", "2026-11-21T06:00:00Z"},
        {"23:59", "2026-11-21T23:59:00Z"},
        {"6:00 AM PST", "2026-11-21T14:00:00Z"},
        {"6:00pm UTC", "2026-11-21T18:00:00Z"},
        {"00:30 +15:00", "2026-11-21T09:30:00Z"},  // it is the 22nd there already
        {"25:00", "none"},
        {"6:0", "none"},
        {"13:00pm", "none"},
    });
}

TEST_CASE("loose time: months by name before or behind the day") {
    check_all({
        {"May 6 at 9:24 PM", "2026-05-06T21:24:00Z"},
        {"May 27 02:45:27", "2026-05-27T02:45:27Z"},
        {"May 8, 2009 5:57:51 PM", "2009-05-08T17:57:51Z"},
        {"September 17, 2012 10:09am", "2012-09-17T10:09:00Z"},
        {"September 17, 2012, 10:10:09", "2012-09-17T10:10:09Z"},
        {"oct. 7, 1970 10:10", "1970-10-07T10:10:00Z"},
        {"May 02, 2021 15:51:31 UTC", "2021-05-02T15:51:31Z"},
        {"May 26, 2021, 12:49 AM PDT", "2021-05-26T07:49:00Z"},
        {"September 17, 2012 at 10:09am PST", "2012-09-17T18:09:00Z"},
        {"May 25, 2021", "2021-05-25T09:36:44.399Z"},
        {"oct 7, 70", "1970-10-07T09:36:44.399Z"},
        {"oct 7, 69", "2069-10-07T09:36:44.399Z"},
        {"Sept 7, 1970", "none"},
        {"12 Feb 2006, 19:17", "2006-02-12T19:17:00Z"},
        {"14 May 2019 19:11:40.164", "2019-05-14T19:11:40.164Z"},
        {"7 oct 70", "1970-10-07T09:36:44.399Z"},
        {"03 February 2013", "2013-02-03T09:36:44.399Z"},
        {"31 June 2013", "none"},
        {"3 Foo 2013", "none"},
    });
}

TEST_CASE("loose time: slashes, dots, MySQL logs and Chinese dates") {
    check_all({
        {"4/8/2014 22:05", "2014-04-08T22:05:00Z"},
        {"4/8/14 22:05", "2014-04-08T22:05:00Z"},
        {"8/8/1965 12:00:00 AM", "1965-08-08T00:00:00Z"},
        {"8/8/1965 1:00 PM", "1965-08-08T13:00:00Z"},
        {"03/19/2012 10:11:59.3186369", "2012-03-19T10:11:59.318636900Z"},
        {"19/03/2012 10:11:59", "none"},
        {"3/31/2014", "2014-03-31T09:36:44.399Z"},
        {"08/21/71", "1971-08-21T09:36:44.399Z"},
        {"2014/4/8 22:05", "2014-04-08T22:05:00Z"},
        {"2012/03/19 10:11:59.5", "2012-03-19T10:11:59.500Z"},
        {"2014/3/31", "2014-03-31T09:36:44.399Z"},
        {"3.31.2014", "2014-03-31T09:36:44.399Z"},
        {"08.21.71", "1971-08-21T09:36:44.399Z"},
        {"2014.03.30", "2014-03-30T09:36:44.399Z"},
        {"2014.03", "2014-03-21T09:36:44.399Z"},
        {"3.3.3", "none"},
        {"171113 14:14:20", "2017-11-13T14:14:20Z"},
        {"171313 14:14:20", "none"},
        {"2014年04月08日11时25分18秒", "2014-04-08T11:25:18Z"},
        {"2014年04月08日", "2014-04-08T09:36:44.399Z"},
        {"2014年4月8日", "none"},
        {"2014年04月31日", "none"},
    });
}

TEST_CASE("loose time: long, empty and random texts end without a fault") {
    CHECK(parsed("") == "none");
    CHECK(parsed("2026-04-30" + std::string(loose_time_max, ' ') + "21:14") == "none");
    CHECK(parsed("2026-04-30" + std::string(100, ' ') + "21:14") == "2026-04-30T21:14:00Z");
    CHECK(parsed(std::string(loose_time_max, '(')) == "none");
    CHECK(parsed("+999999999.12.31") == "none");
    std::mt19937 random(3);
    const std::string_view alphabet = "0129 :-/.,+()TZapmMay\\\xE5\xB9\xB4";
    for (int i = 0; i < 200'000; ++i) {
        std::string text(random() % 40, ' ');
        for (char& c : text) c = alphabet[random() % alphabet.size()];
        const auto at = parse_timestamp(text, now);
        if (at) REQUIRE((at->nanoseconds >= 0 && at->nanoseconds < 1'000'000'000));
    }
}

TEST_CASE("loose time: changed valid texts end without a fault") {
    std::mt19937 random(4);
    const std::string valid[] = {
        "Sat, 21 Nov 2026 09:36:44 GMT (x)",
        "2026-04-30 21:14:10.25 +09:00",
        "September 17, 2012 at 10:09am PST",
        "2014年04月08日11时25分18秒",
        "8/8/1965 01:00:01 PM",
        "2024-W09-5T10:20:30,123+02:00",
    };
    for (int i = 0; i < 100'000; ++i) {
        std::string text = valid[random() % std::size(valid)];
        for (std::size_t changes = random() % 4; changes > 0; --changes) {
            const std::size_t at = random() % text.size();
            if (random() % 2 == 0) {
                text[at] = static_cast<char>(random() % 256);
            } else {
                text.erase(at, 1);
            }
        }
        const auto loose = parse_timestamp(text, now);
        const auto sent = parse_sent_at(text);
        char out[40];
        if (loose) REQUIRE(render_utc(*loose, out) <= 30);
        if (sent) REQUIRE(render_sent_at(*sent, out) <= 35);
    }
}
