#include "ingest/lz64.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace headrace::ingest {

namespace {

constexpr std::uint8_t skipped = 0xff;
constexpr std::size_t big_dictionary = 1024 * 1024;  // bytes; given back by release()
constexpr std::size_t entry_max = 0xffffffff;        // bytes of one dictionary entry

// Each character's six bits, first one lowest: so codes can be read from the low end.
constexpr std::array<std::uint8_t, 256> make_bits() {
    std::array<std::uint8_t, 256> bits{};
    bits.fill(skipped);
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        unsigned reversed = 0;
        for (unsigned bit = 0; bit < 6; ++bit) {
            reversed |= static_cast<unsigned>(i >> bit & 1U) << (5 - bit);
        }
        bits[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(reversed);
    }
    return bits;
}

constexpr auto character_bits = make_bits();

class bit_reader {
public:
    explicit bit_reader(std::string_view in) : in_(in) {}

    // False when the input has no `count` more bits; `count` <= 31.
    bool read(unsigned count, std::uint32_t& out) {
        while (held_ < count) {
            if (next_ == in_.size()) return false;
            const auto bits = character_bits[static_cast<unsigned char>(in_[next_++])];
            if (bits == skipped) continue;
            bits_ |= std::uint64_t{bits} << held_;
            held_ += 6;
        }
        out = static_cast<std::uint32_t>(bits_ & ((std::uint64_t{1} << count) - 1));
        bits_ >>= count;
        held_ -= count;
        return true;
    }

private:
    std::string_view in_;
    std::size_t next_ = 0;
    std::uint64_t bits_ = 0;
    unsigned held_ = 0;
};

// One UTF-16 unit as UTF-8; a surrogate gets its own three bytes until it is paired.
unsigned put_unit(std::uint32_t unit, char* out) {
    if (unit < 0x80) {
        out[0] = static_cast<char>(unit);
        return 1;
    }
    if (unit < 0x800) {
        out[0] = static_cast<char>(0xc0 | unit >> 6);
        out[1] = static_cast<char>(0x80 | (unit & 0x3f));
        return 2;
    }
    out[0] = static_cast<char>(0xe0 | unit >> 12);
    out[1] = static_cast<char>(0x80 | (unit >> 6 & 0x3f));
    out[2] = static_cast<char>(0x80 | (unit & 0x3f));
    return 3;
}

unsigned unit_size(char lead) {
    const auto b = static_cast<unsigned char>(lead);
    return b < 0x80 ? 1 : b < 0xe0 ? 2 : 3;
}

// The surrogate in three bytes at `in`, 0 if it is none.
std::uint32_t surrogate_at(const char* in, const char* end) {
    if (end - in < 3 || static_cast<unsigned char>(in[0]) != 0xed) return 0;
    const auto middle = static_cast<unsigned char>(in[1]);
    if (middle < 0xa0) return 0;
    return 0xd000U | (middle & 0x3fU) << 6 | (static_cast<unsigned char>(in[2]) & 0x3fU);
}

// Rewrites pairs of surrogates as four bytes, in place. False if one stands alone.
bool pair_surrogates(std::string& text) {
    const char* in = text.data();
    const char* const end = in + text.size();
    char* out = text.data();
    while (in < end) {
        const auto high = surrogate_at(in, end);
        if (high == 0) {
            *out++ = *in++;
            continue;
        }
        const auto low = surrogate_at(in + 3, end);
        if (high >= 0xdc00 || low < 0xdc00) return false;
        const std::uint32_t point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        *out++ = static_cast<char>(0xf0 | point >> 18);
        *out++ = static_cast<char>(0x80 | (point >> 12 & 0x3f));
        *out++ = static_cast<char>(0x80 | (point >> 6 & 0x3f));
        *out++ = static_cast<char>(0x80 | (point & 0x3f));
        in += 6;
    }
    text.resize(static_cast<std::size_t>(out - text.data()));
    return true;
}

}  // namespace

lz64_result lz64_decoder::decode(std::string_view in, std::size_t limit, std::string& out) {
    dictionary_.clear();
    last_ = {};
    limit_ = std::min(limit, entry_max / 2);
    // A pair shrinks from six bytes to four: a text beyond this is over the limit in any case.
    bytes_max_ = limit_ + limit_ / 2 + 3;
    size_ = units_ = 0;
    surrogates_ = false;
    out.clear();
    const auto result = expand(in, out);
    out.resize(size_);
    if (result != lz64_result::ok) return result;
    if (surrogates_ && !pair_surrogates(out)) return lz64_result::not_utf16;
    return out.size() > limit_ ? lz64_result::too_big_utf8 : lz64_result::ok;
}

lz64_result lz64_decoder::expand(std::string_view in, std::string& out) {
    bit_reader reader(in);
    width_ = 2;
    until_wider_ = 1;  // the first literal is the only code of two bits
    std::uint32_t code = 0;
    if (!reader.read(width_, code)) return lz64_result::ok;  // no usable character: empty text
    for (;;) {
        auto result = lz64_result::ok;
        if (code == 2) return lz64_result::ok;
        const bool first = dictionary_.empty();
        if (code < 2) {
            std::uint32_t unit = 0;
            if (!reader.read(code == 0 ? 8 : 16, unit)) return lz64_result::bad;
            if (units_ == limit_) return lz64_result::too_big;
            if (!make_room(3, out)) return lz64_result::too_big_utf8;
            const entry before = last_;
            emit_literal(unit, out);
            add_entry(last_);
            if (!first) {
                add_entry({before.offset, before.size + last_.size, before.units + 1});
            }
        } else {
            // Codes 0 to 2 are no entries, so entry i has code i + 3.
            const std::size_t index = code - 3;
            if (first || index > dictionary_.size()) return lz64_result::bad;
            const entry before = last_;
            result = index == dictionary_.size() ? emit_repeat(out) : emit(dictionary_[index], out);
            if (result != lz64_result::ok) return result;
            const auto head = unit_size(out[last_.offset]);
            add_entry({before.offset, before.size + head, before.units + 1});
        }
        if (width_ > 31 || !reader.read(width_, code)) return lz64_result::bad;
    }
}

void lz64_decoder::add_entry(const entry& added) {
    dictionary_.push_back(added);
    if (--until_wider_ == 0) {
        until_wider_ = std::uint64_t{1} << width_;
        ++width_;
    }
}

void lz64_decoder::emit_literal(std::uint32_t unit, std::string& out) {
    last_ = {size_, put_unit(unit, out.data() + size_), 1};
    size_ += last_.size;
    ++units_;
    surrogates_ = surrogates_ || (unit >= 0xd800 && unit < 0xe000);
}

// Writes an entry of the dictionary at the end of the text.
lz64_result lz64_decoder::emit(const entry& source, std::string& out) {
    if (source.units > limit_ - units_) return lz64_result::too_big;
    if (!make_room(source.size, out)) return lz64_result::too_big_utf8;
    const entry written{size_, source.size, source.units};
    std::memcpy(out.data() + size_, out.data() + source.offset, written.size);
    size_ += written.size;
    units_ += written.units;
    last_ = written;
    return lz64_result::ok;
}

// Writes what was written last and its first character: the code of the entry being made.
lz64_result lz64_decoder::emit_repeat(std::string& out) {
    const auto head = unit_size(out[last_.offset]);
    if (last_.units + 1 > limit_ - units_) return lz64_result::too_big;
    if (!make_room(last_.size + head, out)) return lz64_result::too_big_utf8;
    const entry written{size_, last_.size + head, last_.units + 1};
    char* const to = out.data() + size_;
    std::memcpy(to, out.data() + last_.offset, last_.size);
    std::memcpy(to + last_.size, out.data() + last_.offset, head);
    size_ += written.size;
    units_ += written.units;
    last_ = written;
    return lz64_result::ok;
}

bool lz64_decoder::make_room(std::size_t bytes, std::string& out) {
    if (bytes > bytes_max_ - size_) return false;
    if (out.size() - size_ >= bytes) return true;
    const std::size_t wanted = std::max({size_ + bytes, out.size() * 2, std::size_t{256}});
    out.resize(std::max(size_ + bytes, std::min(wanted, bytes_max_)));
    return true;
}

void lz64_decoder::release() {
    if (held_bytes() > big_dictionary) std::vector<entry>().swap(dictionary_);
}

lz64_result lz64_decode(std::string_view in, std::size_t max_units, std::string& out_utf8) {
    lz64_decoder decoder;
    return decoder.decode(in, max_units, out_utf8);
}

}  // namespace headrace::ingest
