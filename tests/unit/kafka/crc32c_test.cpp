#include "kafka/crc32c.hpp"

#include "tests/support/catch.hpp"

#include <string>

using namespace headrace::kafka;

TEST_CASE("crc32c gives the published check values") {
    CHECK(crc32c(0, "123456789", 9) == 0xE3069283u);
    CHECK(crc32c(0, std::string(32, '\0').data(), 32) == 0x8A9136AAu);
    CHECK(crc32c(0, std::string(32, '\xff').data(), 32) == 0x62A8AB43u);
    CHECK(crc32c(0, "", 0) == 0u);
}

TEST_CASE("crc32c in hardware and without it agree at every length and alignment") {
    std::string bytes;
    for (int i = 0; i < 300; ++i) bytes += static_cast<char>(i * 31 + 7);
    for (std::size_t begin = 0; begin < 9; ++begin)
        for (std::size_t size = 0; begin + size < bytes.size(); ++size) {
            CAPTURE(begin, size);
            REQUIRE(
                crc32c(5, bytes.data() + begin, size) ==
                crc32c_portable(5, bytes.data() + begin, size)
            );
        }
}

TEST_CASE("crc32c continues where it stopped") {
    const std::string text = "one part and another part of the same bytes";
    const auto whole = crc32c(0, text.data(), text.size());
    CHECK(crc32c(crc32c(0, text.data(), 10), text.data() + 10, text.size() - 10) == whole);
}
