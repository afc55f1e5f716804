#pragma once
// gzip for tests: packed by ISA-L's compressor, or wrapped by hand where the bytes matter.
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::test {

inline std::string deflate(std::string_view text) {
    isal_zstream stream;
    isal_deflate_init(&stream);
    std::string out(text.size() + text.size() / 8 + 1024, '\0');
    stream.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    stream.avail_in = static_cast<std::uint32_t>(text.size());
    stream.end_of_stream = 1;
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream.avail_out = static_cast<std::uint32_t>(out.size());
    isal_deflate(&stream);
    out.resize(stream.total_out);
    return out;
}

inline std::string little_endian(std::uint32_t value) {
    std::string out;
    for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
}

inline std::uint32_t crc32(std::string_view text) {
    auto* bytes = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    return crc32_gzip_refl(0, bytes, text.size());
}

inline std::string gzip_header(unsigned flags = 0) {
    return std::string("\x1f\x8b\x08", 3) + static_cast<char>(flags) +
           std::string("\0\0\0\0\0\x03", 6);
}

inline std::string gzip_trailer(std::string_view text) {
    return little_endian(crc32(text)) + little_endian(static_cast<std::uint32_t>(text.size()));
}

inline std::string gzip(std::string_view text) {
    return gzip_header() + deflate(text) + gzip_trailer(text);
}

}  // namespace headrace::test
