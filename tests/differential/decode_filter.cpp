// Decodes cases for decode_differential.py, so that other implementations can be compared with
// ours. In: kind ('b' base64, 'g' gzip, 'l' lz64), length (32 bits, little-endian), bytes; until
// the end. Out, per case: '+' or '-', length, bytes.
#include "ingest/decode.hpp"
#include "ingest/inflate.hpp"

#include <cstdint>
#include <cstdio>
#include <string>

namespace {

using namespace headrace::ingest;

constexpr std::size_t text_max = 64 * 1024 * 1024;

bool read_case(char& kind, std::string& bytes) {
    unsigned char head[5];
    if (std::fread(head, 1, sizeof head, stdin) != sizeof head) return false;
    kind = static_cast<char>(head[0]);
    std::uint32_t size = 0;
    for (int i = 4; i > 0; --i) size = size << 8 | head[i];
    bytes.resize(size);
    return std::fread(bytes.data(), 1, size, stdin) == size;
}

bool decode_case(char kind, const std::string& in, std::string& out, inflater& gzip) {
    if (kind == 'b') return base64_decode(in, out);
    if (kind == 'l') return lz64_decode(in, text_max, out) == lz64_result::ok;
    if (gzip.gunzip(in) != inflate_result::ok) return false;
    out.assign(gzip.data(), gzip.size());
    return true;
}

void write_result(bool good, const std::string& text) {
    const std::size_t size = good ? text.size() : 0;
    unsigned char head[5] = {static_cast<unsigned char>(good ? '+' : '-')};
    for (unsigned i = 0; i < 4; ++i) head[i + 1] = static_cast<unsigned char>(size >> (8 * i));
    std::fwrite(head, 1, sizeof head, stdout);
    std::fwrite(text.data(), 1, size, stdout);
}

}  // namespace

int main() {
    inflater gzip(text_max);
    std::string in, out;
    char kind = 0;
    while (read_case(kind, in)) write_result(decode_case(kind, in, out, gzip), out);
    return std::fflush(stdout) == 0 ? 0 : 1;
}
