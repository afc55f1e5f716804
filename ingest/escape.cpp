#include "ingest/escape.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#define HEADRACE_X86 1
#endif

namespace headrace::ingest {
namespace {

// The output of one byte and its length in the last place: one 8-byte store whatever it is.
using entry = std::array<char, 8>;

constexpr std::array<entry, 256> entries = [] {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<entry, 256> out{};
    for (std::size_t c = 0; c < 256; ++c) out[c] = {static_cast<char>(c), 0, 0, 0, 0, 0, 0, 1};
    for (std::size_t c = 0; c < 0x20; ++c) {
        out[c] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15], 0, 6};
    }
    constexpr std::array<std::array<char, 2>, 7> shorts{
        {{'"', '"'},
         {'\\', '\\'},
         {'\b', 'b'},
         {'\f', 'f'},
         {'\n', 'n'},
         {'\r', 'r'},
         {'\t', 't'}}};
    for (const auto& s : shorts) {
        out[static_cast<unsigned char>(s[0])] = {'\\', s[1], 0, 0, 0, 0, 0, 2};
    }
    return out;
}();

char* put(char c, char* out) {
    const entry& e = entries[static_cast<unsigned char>(c)];
    std::memcpy(out, e.data(), e.size());
    return out + e[7];
}

char* escape_scalar(std::string_view in, char* out) {
    for (const char c : in) out = put(c, out);
    return out;
}

#if defined(HEADRACE_X86)

__m128i load16(const char* p) {
    __m128i block;
    std::memcpy(&block, p, sizeof block);
    return block;
}

void store16(char* p, __m128i block) { std::memcpy(p, &block, sizeof block); }

// One block of 16 bytes at `p`; 32 bytes are readable there. The mask of the whole block is taken
// once; behind each escape the block's rest is stored again.
char* escape_block(const char* p, char* out) {
    const __m128i block = load16(p);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1F)), block);
    const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    auto mask = static_cast<unsigned>(
        _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)))
    );
    store16(out, block);
    unsigned done = 0;
    for (; mask != 0; mask &= mask - 1) {
        const auto at = static_cast<unsigned>(std::countr_zero(mask));
        out = put(p[at], out + (at - done));
        done = at + 1;
        store16(out, load16(p + done));
    }
    return out + (16 - done);
}

char* escape_sse2(std::string_view in, char* out) {
    const char* p = in.data();
    std::size_t left = in.size();
    for (; left >= 32; p += 16, left -= 16) out = escape_block(p, out);
    // The rest, where 32 bytes are readable behind every byte that counts. Its stores begin
    // before the logical end and are 16 bytes wide: inside the promised slack.
    char tail[64];
    std::memset(tail, ' ', sizeof tail);
    if (left != 0) std::memcpy(tail, p, left);
    if (left >= 16) {
        out = escape_block(tail, out);
        left -= 16;
        std::memmove(tail, tail + 16, 48);
    }
    return escape_scalar({tail, left}, out);
}

#define HEADRACE_VBMI2 \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))

// `count` bytes of `block`. Every byte becomes a pair of a backslash and its (short) escape or
// itself; one compress then drops the backslashes in front of plain bytes. The store is 64 bytes
// wide and begins at most at twice the input done before: inside the promised room.
HEADRACE_VBMI2 inline char* escape_pairs(__m256i block, unsigned count, char* out) {
    const __mmask32 control = _mm256_cmplt_epu8_mask(block, _mm256_set1_epi8(0x20));
    const __mmask32 quoted = _mm256_cmpeq_epi8_mask(block, _mm256_set1_epi8('"')) |
                             _mm256_cmpeq_epi8_mask(block, _mm256_set1_epi8('\\'));
    const std::uint32_t valid = count == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << count) - 1;
    if ((control & valid) != 0) [[unlikely]] {
        // Byte values 8..13 without 11 have short forms.
        const __m256i letters = _mm256_broadcastsi128_si256(
            _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 'b', 't', 'n', 0, 'f', 'r', 0, 0)
        );
        const __m256i named = _mm256_shuffle_epi8(letters, block);
        const __mmask32 short_form = control & _mm256_test_epi8_mask(named, named) &
                                     _mm256_cmplt_epu8_mask(block, _mm256_set1_epi8(0x10));
        if ((control & valid & ~short_form) != 0) {
            alignas(32) char bytes[32];
            _mm256_store_si256(reinterpret_cast<__m256i*>(bytes), block);
            return escape_scalar({bytes, count}, out);
        }
        block = _mm256_mask_mov_epi8(block, short_form, named);
    }
    const std::uint32_t escaped = (control | quoted) & valid;
    const __m512i pairs =
        _mm512_or_si512(_mm512_slli_epi16(_mm512_cvtepu8_epi16(block), 8), _mm512_set1_epi16('\\'));
    const std::uint64_t keep = _pdep_u64(escaped, 0x5555'5555'5555'5555) | 0xAAAA'AAAA'AAAA'AAAA;
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(keep, pairs));
    return out + count + static_cast<unsigned>(std::popcount(escaped));
}

HEADRACE_VBMI2 char* escape_vbmi2(std::string_view in, char* out) {
    const char* p = in.data();
    std::size_t left = in.size();
    for (; left >= 32; p += 32, left -= 32) {
        const __m256i block = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
        out = escape_pairs(block, 32, out);
    }
    if (left == 0) return out;
    const auto rest = static_cast<unsigned>(left);
    const __m256i block = _mm256_maskz_loadu_epi8((std::uint32_t{1} << rest) - 1, p);
    return escape_pairs(block, rest, out);
}

bool has_vbmi2() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("bmi2");
}

#endif

using escape_function = char* (*)(std::string_view, char*);

escape_function function_of(escape_variant variant) {
#if defined(HEADRACE_X86)
    if (variant == escape_variant::vbmi2) return escape_vbmi2;
    if (variant == escape_variant::sse2) return escape_sse2;
#endif
    static_cast<void>(variant);
    return escape_scalar;
}

escape_function best() {
    for (const escape_variant variant : {escape_variant::vbmi2, escape_variant::sse2}) {
        if (available(variant)) return function_of(variant);
    }
    return escape_scalar;
}

}  // namespace

bool available(escape_variant variant) {
#if defined(HEADRACE_X86)
    return variant != escape_variant::vbmi2 || has_vbmi2();
#else
    return variant == escape_variant::scalar;
#endif
}

char* escape(std::string_view in, char* out) {
    static const escape_function chosen = best();
    return chosen(in, out);
}

char* escape_with(escape_variant variant, std::string_view in, char* out) {
    return function_of(variant)(in, out);
}

}  // namespace headrace::ingest
