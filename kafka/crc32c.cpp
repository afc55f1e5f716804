#include "kafka/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace headrace::kafka {
namespace {

using table = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr table make_table() {
    table t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
        t[0][i] = c;
    }
    for (std::uint32_t i = 0; i < 256; ++i)
        for (std::size_t k = 1; k < 8; ++k) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xFF];
    return t;
}

constexpr table crc_table = make_table();

#if defined(__x86_64__)

bool hardware_present() { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) std::uint32_t hardware(
    std::uint32_t crc, const unsigned char* at, std::size_t size
) {
    std::uint64_t c = ~crc;
    for (; size >= 8; at += 8, size -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        c = _mm_crc32_u64(c, word);
    }
    auto c32 = static_cast<std::uint32_t>(c);
    for (; size > 0; ++at, --size) c32 = _mm_crc32_u8(c32, *at);
    return ~c32;
}

#elif defined(__aarch64__) && defined(__linux__)

bool hardware_present() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

__attribute__((target("+crc"))) std::uint32_t hardware(
    std::uint32_t crc, const unsigned char* at, std::size_t size
) {
    std::uint32_t c = ~crc;
    for (; size >= 8; at += 8, size -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        c = __builtin_aarch64_crc32cx(c, word);
    }
    for (; size > 0; ++at, --size) c = __builtin_aarch64_crc32cb(c, *at);
    return ~c;
}

#else

bool hardware_present() { return false; }
std::uint32_t hardware(std::uint32_t crc, const unsigned char* at, std::size_t size) {
    return crc32c_portable(crc, at, size);
}

#endif

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t crc, const void* data, std::size_t size) {
    const auto* at = static_cast<const unsigned char*>(data);
    std::uint32_t c = ~crc;
    const auto& t = crc_table;
    for (; size >= 8; at += 8, size -= 8) {
        const std::uint32_t low = c ^ (std::uint32_t{at[0]} | std::uint32_t{at[1]} << 8 |
                                       std::uint32_t{at[2]} << 16 | std::uint32_t{at[3]} << 24);
        c = t[7][low & 0xFF] ^ t[6][(low >> 8) & 0xFF] ^ t[5][(low >> 16) & 0xFF] ^
            t[4][low >> 24] ^ t[3][at[4]] ^ t[2][at[5]] ^ t[1][at[6]] ^ t[0][at[7]];
    }
    for (; size > 0; ++at, --size) c = (c >> 8) ^ t[0][(c ^ *at) & 0xFF];
    return ~c;
}

bool crc32c_in_hardware() {
    static const bool present = hardware_present();
    return present;
}

std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size) {
    const auto* at = static_cast<const unsigned char*>(data);
    return crc32c_in_hardware() ? hardware(crc, at, size) : crc32c_portable(crc, data, size);
}

}  // namespace headrace::kafka
