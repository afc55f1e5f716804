#include "ingest/dead_letter.hpp"

#include "ingest/escape.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <new>

namespace headrace::ingest {
namespace {

constexpr std::int64_t hour_ns = 3'600'000'000'000;
constexpr std::size_t short_text_max = 256;  // path, request id, detail

void add_string(std::string& out, std::string_view name, std::string_view text) {
    out += '"';
    out += name;
    out += "\":\"";
    const std::size_t at = out.size();
    out.resize(at + escaped_max(text.size()));
    const char* end = escape(text, out.data() + at);
    out.resize(static_cast<std::size_t>(end - out.data()));
    out += "\",";
}

void add_number(std::string& out, std::string_view name, std::size_t n) {
    out += '"';
    out += name;
    out += "\":";
    out += std::to_string(n);
    out += ',';
}

// At most `n` bytes, cut between code points.
std::string_view cut(std::string_view text, std::size_t n) {
    if (text.size() <= n) return text;
    while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80) --n;
    return text.substr(0, n);
}

}  // namespace

dead_letter_caps::dead_letter_caps(const config::dead_letter_settings& s)
    : per_token_(s.per_token_per_hour), in_all_(s.per_hour) {}

bool dead_letter_caps::take(std::string_view token, wall_ns now) {
    const std::int64_t hour = now / hour_ns;
    if (hour != hour_) {
        hour_ = hour;
        used_ = shared_used_ = 0;
        tokens_.clear();
    }
    if (used_ >= in_all_) return false;
    const std::string name(token);
    auto found = tokens_.find(name);
    if (found == tokens_.end() && tokens_.size() < tokens_max) {
        found = tokens_.emplace(name, 0).first;
    }
    std::uint32_t& mine = found == tokens_.end() ? shared_used_ : found->second;
    if (mine >= per_token_) return false;
    ++mine;
    ++used_;
    return true;
}

std::string sha256_hex(std::string_view text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1) {
        throw std::bad_alloc();  // its only way to fail with a built-in digest
    }
    static constexpr char hex[] = "0123456789abcdef";
    std::string out;
    for (unsigned int i = 0; i < size; ++i) {
        out += hex[digest[i] >> 4];
        out += hex[digest[i] & 15];
    }
    return out;
}

void write_dead_letter(
    const dead_letter& letter,
    const request& rq,
    std::size_t record_bytes_max,
    kafka::arena& memory,
    kafka::record& out
) {
    // Escaping at most doubles JSON text; a quarter leaves room for it and for the other members.
    const std::size_t raw_max = std::min(dead_letter_raw_max, record_bytes_max / 4);
    std::string text = "{\"v\":1,";
    add_string(text, "reason", describe(letter.why.reason).label);
    add_string(text, "detail", cut(letter.why.text(), short_text_max));
    add_number(text, "index", letter.index);
    add_number(text, "count", letter.count);
    add_string(text, "token", letter.token);
    add_string(text, "ip", rq.ip);
    add_string(text, "path", cut(rq.path, short_text_max));
    add_string(text, "request_id", cut(rq.request_id, short_text_max));
    add_string(text, "received_at", letter.received_at);
    add_string(text, "raw", cut(letter.raw, raw_max));
    add_string(text, "raw_encoding", "utf8");
    add_number(text, "raw_bytes", letter.raw.size());
    add_string(text, "sha256", sha256_hex(letter.raw));
    text.back() = '}';
    out.value = memory.copy(text);
    out.key = memory.copy(letter.token);
}

}  // namespace headrace::ingest
