#include "kafka/partitioner.hpp"

#include "kafka/client_handles.hpp"
#include "tests/support/catch.hpp"

#include <string>

using namespace headrace;
using namespace std::string_literals;

TEST_CASE("murmur2 gives the values of the Java client") {
    // The vectors that Kafka's own utilities are tested with.
    const auto signed_hash = [](std::string_view key) {
        return static_cast<std::int32_t>(kafka::murmur2(key));
    };
    CHECK(signed_hash("21") == -973932308);
    CHECK(signed_hash("foobar") == -790332482);
    CHECK(signed_hash("a-little-bit-long-string") == -985981536);
    CHECK(signed_hash("a-little-bit-longer-string") == -1486304829);
    CHECK(signed_hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8") == -58897971);
    CHECK(signed_hash("abc") == 479470107);
}

TEST_CASE("our murmur2 chooses the partition that librdkafka chooses") {
    std::string key;
    for (int i = 0; i < 600; ++i) {
        CAPTURE(key);
        const int theirs = rd_kafka_msg_partitioner_murmur2(
            nullptr, key.data(), key.size(), 128, nullptr, nullptr
        );
        CHECK(kafka::murmur2_partition(key, 128) == static_cast<std::uint32_t>(theirs));
        key += static_cast<char>(i * 37);
        if (key.size() > 40) key.erase(0, 17);
    }
}

TEST_CASE("null keys and a single producer need no hash") {
    CHECK(kafka::producer_of(std::string_view{}, 8) == 0);
    CHECK(kafka::producer_of("some key", 1) == 0);
    CHECK(kafka::producer_of("some key", 8) == kafka::producer_of("some key", 8));
}
