#pragma once
// lz-string's base64 variant (http-v0.md 2.6) to UTF-8.
//
// Owner: one per worker, not thread-safe; keeps its dictionary between calls. The text itself
// serves as the dictionary: an entry is a place in what was already written, so memory is the text
// plus 16 bytes per code of the input.
#include "ingest/decode.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::ingest {

class lz64_decoder {
public:
    // `limit`: largest text, in UTF-16 units and in bytes of UTF-8. `out` holds the text if ok.
    lz64_result decode(std::string_view in, std::size_t limit, std::string& out);

    std::size_t held_bytes() const { return dictionary_.capacity() * sizeof(entry); }
    void release();

private:
    struct entry {
        std::size_t offset = 0;   // where it stands in the text
        std::uint32_t size = 0;   // bytes, surrogates counted as three each
        std::uint32_t units = 0;  // UTF-16 units
    };

    lz64_result expand(std::string_view in, std::string& out);
    lz64_result emit(const entry&, std::string& out);
    lz64_result emit_repeat(std::string& out);
    void emit_literal(std::uint32_t unit, std::string& out);
    bool make_room(std::size_t bytes, std::string& out);
    void add_entry(const entry&);

    std::vector<entry> dictionary_;
    entry last_;  // what was written last, at the end of the text
    std::size_t limit_ = 0;
    std::size_t bytes_max_ = 0;  // of the text before surrogates are paired
    std::size_t size_ = 0;       // of the text so far
    std::size_t units_ = 0;
    std::uint64_t until_wider_ = 0;  // entries until codes get one bit wider
    unsigned width_ = 0;
    bool surrogates_ = false;
};

}  // namespace headrace::ingest
