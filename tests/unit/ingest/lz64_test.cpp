// The vectors were made with lz-string's compressToBase64.
#include "ingest/lz64.hpp"

#include "tests/support/catch.hpp"

using namespace headrace::ingest;

namespace {

constexpr std::size_t plenty = 1'000'000;

struct vector {
    std::string packed;
    std::string text;
};

std::string numbers() {
    std::string text;
    for (int i = 0; i < 120; ++i) text += std::to_string(i * 37) + ",";
    return text;
}

// 568 units: codes grow from 2 to 9 bits.
constexpr std::string_view packed_numbers =
    "AwGgzA7CECwgjIhMAcCUFYQCZc4wJw4EBs4YY4EoMwUMDIq8IG8aGnrB2IJ2REkOjBKsUBEkgU8OJhYp"
    "FIHllK8CGhKLLw6lRLoSyoiFHHi4WFjGgsEs8Cr0ckis4Dob7UoeGxOc5oRW/LZCDtTOEGBukjoy+pi+"
    "iiY85qRWGmjYolg5ELzYukRFMGRFKJS4OTjYGFC4BHDYFCwtJNm0eQyFMBAlbOWcVYSg2PwNQs3UbdHZ"
    "knkyhWYliuU8VaRjGlBgonB7ECxgumgnMFgnKLxgRUS3GGS3BJQUe+Qku7QHDMd9Z2xLpwbjZ7vwnkJX"
    "tRQJBIFRYOAZMczGdFJceDd7PcNGRaBQmHQaLp6LI4DB2CwYBUmHUsFSeExnozhAxRCAgA==";

std::vector<vector> good_vectors() {
    using namespace std::string_literals;
    return {
        {"N4IgpgbmB2AuIC4QEMQF8g==", R"({"event":"a"})"},
        {"Q===", ""},
        {"IZA=", "a"},
        {"IY18ZVkA", std::string(40, 'a')},
        {"JeGoIg==", "é€"},
        {"rwbgA93RAPYDyA==", "😀😀😁x"},
        {"qemhpzR5UaEkA===", "日本語日本語日本"},
        {"AAQA/gAY/+CAAQj//0A=", "\0\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"s},
        {"IYIwxqHpPeAmlEKA", "abcabcabcabcabcabcabcdabcdabcd"},
        {"N4IgLg9g1gpgdiAXCAKiANCGA3eYkgAWAlhiACbEDOYxcAxmAPrHkECuAjGQA4BOEHjD60YVJKAAkAG2IAjAgH"
         "cYCzDPlNcfKsQgJknAHQAmQwGYQAX0tA==",
         R"({"token":"T","event":"hi","distinct_id":"u1","properties":{"$lib":"web","$lib_version":"1.2.3"}})"},
        {std::string(packed_numbers), numbers()},
    };
}

lz64_result decode(std::string_view in, std::string& out, std::size_t limit = plenty) {
    out = "old";
    return lz64_decode(in, limit, out);
}

}  // namespace

TEST_CASE("lz64 texts unpack to what was packed") {
    lz64_decoder reused;
    for (const auto& [packed, text] : good_vectors()) {
        CAPTURE(packed);
        std::string out;
        CHECK(decode(packed, out) == lz64_result::ok);
        CHECK(out == text);
        CHECK(reused.decode(packed, plenty, out) == lz64_result::ok);
        CHECK(out == text);
    }
}

TEST_CASE("lz64 skips characters outside its alphabet") {
    for (const auto& [packed, text] : good_vectors()) {
        std::string spread = "\n ";
        for (const char c : packed) spread += std::string(1, c) + "-\xff\t";
        std::string out;
        CHECK(decode(spread, out) == lz64_result::ok);
        CHECK(out == text);
    }
}

TEST_CASE("lz64 without a usable character is the empty text") {
    std::string out;
    for (const auto* text : {"", " ", "-_\n", "{}"}) {
        CHECK(decode(text, out) == lz64_result::ok);
        CHECK(out.empty());
    }
}

TEST_CASE("lz64 cut off before its end mark is refused") {
    for (const auto& [packed, text] : good_vectors()) {
        if (text.empty()) continue;
        const auto content = packed.substr(0, packed.find('='));
        for (std::size_t size = 1; size + 2 < content.size(); ++size) {
            CAPTURE(packed, size);
            std::string out;
            REQUIRE(decode(content.substr(0, size), out) == lz64_result::bad);
        }
    }
}

TEST_CASE("lz64 codes that name no entry are refused") {
    std::string out;
    CHECK(decode("w", out) == lz64_result::bad);  // code 3 before any entry
    CHECK(decode("wwww", out) == lz64_result::bad);
    CHECK(decode("IfAA", out) == lz64_result::bad);  // 'a', then a code far ahead
    CHECK(decode("////////", out) == lz64_result::bad);
    CHECK(decode("=======", out) == lz64_result::bad);  // zero bits only: never ends
}

TEST_CASE("lone surrogates in lz64 are refused as text") {
    std::string out;
    CHECK(decode("rwbQ", out) == lz64_result::not_utf16);      // high
    CHECK(decode("B6AD2J5A", out) == lz64_result::not_utf16);  // low between letters
    CHECK(decode("gB7l4No=", out) == lz64_result::not_utf16);  // low before high
}

TEST_CASE("the limit of lz64 counts UTF-16 units first, then bytes") {
    std::string out;
    CHECK(decode("IY18ZXTt/0g=", out, 101) == lz64_result::ok);  // 100 letters
    CHECK(decode("IY18ZXTt/0g=", out, 100) == lz64_result::ok);
    CHECK(out.size() == 100);
    CHECK(decode("IY18ZXTt/0g=", out, 99) == lz64_result::too_big);
    CHECK(decode("IY18ZXTt/0g=", out, 1) == lz64_result::too_big);
    CHECK(decode("IY18ZXTt/0g=", out, 0) == lz64_result::too_big);

    CHECK(decode("Jc18ZXTt/0g=", out, 200) == lz64_result::ok);  // 100 x two bytes
    CHECK(decode("Jc18ZXTt/0g=", out, 199) == lz64_result::too_big_utf8);
    CHECK(decode("Jc18ZXTt/0g=", out, 100) == lz64_result::too_big_utf8);
    CHECK(decode("Jc18ZXTt/0g=", out, 99) != lz64_result::ok);

    CHECK(decode("rwbgA93tI6tn7ohympUA", out, 200) == lz64_result::ok);  // 50 pairs
    CHECK(out.size() == 200);
    CHECK(decode("rwbgA93tI6tn7ohympUA", out, 199) == lz64_result::too_big_utf8);

    CHECK(decode("Q===", out, 0) == lz64_result::ok);
}

TEST_CASE("a small lz64 text that claims much is stopped at the limit") {
    std::string out;
    const auto result = decode("IY18ZXTt/0g=", out, 50);
    CHECK(result == lz64_result::too_big);
    CHECK(out.capacity() < 1024);
}

TEST_CASE("damaged lz64 texts never do more than fail") {
    for (const auto& [packed, text] : good_vectors()) {
        for (std::size_t i = 0; i < packed.size(); ++i) {
            for (const char c : {'A', 'Q', 'w', '/', '=', '5'}) {
                auto damaged = packed;
                damaged[i] = c;
                std::string out;
                if (decode(damaged, out, 5'000) == lz64_result::ok) CHECK(out.size() <= 5'000);
            }
        }
    }
}
