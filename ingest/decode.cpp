#include "ingest/decode.hpp"

#include "ingest/form.hpp"
#include "ingest/inflate.hpp"
#include "ingest/lz64.hpp"
#include "ingest/utf8_scan.hpp"

#include <array>
#include <new>

namespace headrace::ingest {

namespace {

constexpr std::string_view form_type = "application/x-www-form-urlencoded";
constexpr std::string_view plain_not_utf8 = "invalid UTF8 in request payload";
constexpr std::string_view gzip_not_utf8 = "invalid gzip data";
constexpr std::size_t sniffed = 128;             // bytes that decide about base64 (2.4)
constexpr std::size_t big_string = 1024 * 1024;  // bytes; given back by release()

constexpr std::array<bool, 256> make_base64_characters() {
    std::array<bool, 256> known{};
    for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789+/=")) {
        known[static_cast<unsigned char>(c)] = true;
    }
    return known;
}

constexpr auto base64_characters = make_base64_characters();

bool looks_like_base64(std::string_view text, bool spaces_too) {
    if (text.empty() || text.size() % 4 != 0) return false;
    for (const char c : text.substr(0, sniffed)) {
        if (base64_characters[static_cast<unsigned char>(c)]) continue;
        if (!spaces_too || c != ' ') return false;
    }
    return true;
}

bool starts_like_json(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

reject bad_encoding(std::string_view detail) { return {reason::bad_encoding, std::string(detail)}; }
reject too_big(std::string detail) { return {reason::inflated_too_big, std::move(detail)}; }

// Makes json_padding bytes behind the text readable without changing its size.
char* pad(std::string& text) {
    const auto size = text.size();
    text.resize(size + json_padding);
    text.resize(size);
    return text.data();
}

void give_back(std::string& text) {
    if (text.capacity() > big_string) std::string().swap(text);
}

std::optional<reject> check_lz64(lz64_result result, std::size_t limit) {
    switch (result) {
        case lz64_result::ok:
            return std::nullopt;
        case lz64_result::bad:
            return bad_encoding("decompress_lz64: failed decompress to UTF16");
        case lz64_result::not_utf16:
            return bad_encoding("decompress_lz64: failed UTF16 to UTF8 conversion");
        case lz64_result::too_big:
            return too_big(
                "Decompressed LZ64 payload would exceed " + std::to_string(limit) + " bytes"
            );
        case lz64_result::too_big_utf8:
            return too_big("lz64 request payload size limit exceeded");
    }
    return std::nullopt;
}

}  // namespace

struct decoder::impl {
    explicit impl(std::size_t inflated_max) : limit(inflated_max), gzip(inflated_max) {}

    struct payload_view {
        char* data = nullptr;
        std::size_t size = 0;
        std::string_view undecoded;  // before the optimistic base64, if that changed it
        std::string_view text() const { return {data, size}; }
        void set(std::string& owner) {
            data = owner.data();
            size = owner.size();
        }
    };

    std::optional<reject> decode(const request&, query_parameters&, decoded& out);
    std::optional<reject> take_form(payload_view&, compression_hint& hint);
    std::optional<reject> expand(payload_view&, compression_hint, decoded& out);
    std::optional<reject> expand_gzip(const payload_view&, decoded& out);
    std::optional<reject> expand_lz64(const payload_view&, decoded& out);
    void unwrap_again(decoded& out);
    void set_text(decoded& out, std::string& owner) {
        out.text = pad(owner);
        out.size = owner.size();
    }

    std::size_t limit;
    inflater gzip;
    lz64_decoder lz64;
    std::string unwrapped;  // first base64
    std::string form_data;
    std::string lz64_text;
    std::string lz64_other;       // the second reading of an ambiguous lz64 payload
    std::string unwrapped_again;  // second base64
};

std::optional<reject> decoder::impl::decode(
    const request& req, query_parameters& query, decoded& out
) {
    payload_view payload{req.body, req.body_size, {}};
    if (query.has_data) {
        pad(query.data);
        payload.set(query.data);
    }
    if (payload.size == 0) return reject{reason::empty_payload, {}};

    // The first byte of JSON and gzip ends this sniff.
    if (looks_like_base64(payload.text(), false) && !looks_like_form(payload.text()) &&
        base64_decode(payload.text(), unwrapped)) {
        payload.undecoded = payload.text();
        pad(unwrapped);
        payload.set(unwrapped);
    }

    auto hint = compression_hint::none;
    if (req.content_type == form_type) {
        if (auto error = take_form(payload, hint)) return error;
    }
    if (query.compression != compression_hint::none) hint = query.compression;
    if (hint == compression_hint::none && !req.content_encoding.empty()) {
        hint = parse_compression(req.content_encoding, true);
    }
    if (auto error = expand(payload, hint, out)) return error;
    if (is_legacy(req.route)) unwrap_again(out);
    return std::nullopt;
}

std::optional<reject> decoder::impl::take_form(payload_view& payload, compression_hint& hint) {
    if (!looks_like_form(payload.text())) {
        return bad_encoding("expected form data in POST request payload");
    }
    form_fields fields;
    if (!parse_form(payload.text(), fields, form_data)) {
        return bad_encoding("invalid urlencoded form data");
    }
    hint = fields.compression;
    if (!fields.has_data) return std::nullopt;
    if (looks_like_base64(form_data, true)) {
        for (char& c : form_data) {
            if (c == ' ') c = '+';
        }
    }
    pad(form_data);
    payload.set(form_data);
    payload.undecoded = {};
    return std::nullopt;
}

std::optional<reject> decoder::impl::expand(
    payload_view& payload, compression_hint hint, decoded& out
) {
    if (hint == compression_hint::gzip || payload.text().starts_with("\x1f\x8b\x08")) {
        return expand_gzip(payload, out);
    }
    if (hint == compression_hint::lz64) return expand_lz64(payload, out);
    if (payload.size > limit) {
        return too_big(
            "Uncompressed payload size limit " + std::to_string(limit) +
            " exceeded: " + std::to_string(payload.size)
        );
    }
    out = {payload.data, payload.size, plain_not_utf8};
    return std::nullopt;
}

std::optional<reject> decoder::impl::expand_gzip(const payload_view& payload, decoded& out) {
    switch (gzip.gunzip(payload.text())) {
        case inflate_result::ok:
            out = {gzip.data(), gzip.size(), gzip_not_utf8};
            return std::nullopt;
        case inflate_result::bad:
            return bad_encoding("invalid GZIP data");
        case inflate_result::too_big:
            break;
    }
    return too_big(
        "Decompressed payload would exceed " + std::to_string(limit) + " bytes (got " +
        std::to_string(gzip.size()) + " bytes)"
    );
}

// http-v0.md 8: lz64 text that happens to be canonical base64 was unwrapped by 2.4 and may mean
// either. The unwrapped reading wins unless it fails, or only the other one looks like JSON.
std::optional<reject> decoder::impl::expand_lz64(const payload_view& payload, decoded& out) {
    const auto result = lz64.decode(payload.text(), limit, lz64_text);
    const bool doubtful = result != lz64_result::ok || !starts_like_json(lz64_text);
    if (doubtful && !payload.undecoded.empty() &&
        lz64.decode(payload.undecoded, limit, lz64_other) == lz64_result::ok &&
        (result != lz64_result::ok || starts_like_json(lz64_other))) {
        lz64_text.swap(lz64_other);
    } else if (auto error = check_lz64(result, limit)) {
        return error;
    }
    out.utf8_detail = plain_not_utf8;
    set_text(out, lz64_text);
    return std::nullopt;
}

// The contract's limit on the unwrapped size cannot be passed here: the text kept to the limit, and
// base64 only shrinks.
void decoder::impl::unwrap_again(decoded& out) {
    const std::string_view text(out.text, out.size);
    if (!looks_like_base64(text, false) || looks_like_form(text)) return;
    if (!base64_decode(text, unwrapped_again) || !is_utf8(unwrapped_again)) return;
    set_text(out, unwrapped_again);
}

decoder::decoder(std::size_t inflated_max) : impl_(std::make_unique<impl>(inflated_max)) {}
decoder::~decoder() = default;

std::optional<reject> decoder::decode(request& req, query_parameters& query, decoded& out) {
    out = {};
    try {
        return impl_->decode(req, query, out);
    } catch (const std::bad_alloc&) {
        return reject{reason::no_memory, {}};
    }
}

std::size_t decoder::held_bytes() const {
    return impl_->gzip.held_bytes() + impl_->lz64.held_bytes() + impl_->unwrapped.capacity() +
           impl_->form_data.capacity() + impl_->lz64_text.capacity() +
           impl_->lz64_other.capacity() + impl_->unwrapped_again.capacity();
}

void decoder::release() {
    impl_->gzip.release();
    impl_->lz64.release();
    give_back(impl_->unwrapped);
    give_back(impl_->form_data);
    give_back(impl_->lz64_text);
    give_back(impl_->lz64_other);
    give_back(impl_->unwrapped_again);
}

}  // namespace headrace::ingest
