#pragma once
// Structural index of a JSON text: where each operator and each value starts, and the check that
// the text is UTF-8. The only place that touches the JSON library, of which just its vectorised
// first stage is used, chosen for the CPU at run time. One per worker; keeps its memory.
//
// Memory: 4 bytes per byte of the largest text (reserved; touched only as far as there are
// operators and values). release() gives it back beyond 4 MiB of text.
#include <cstddef>
#include <cstdint>
#include <memory>

namespace headrace::ingest {

enum class index_result : std::uint8_t {
    ok,
    not_utf8,
    malformed,  // open string, control character in a string, or no value at all
    no_memory,
};

class structural_index {
public:
    structural_index();
    ~structural_index();
    structural_index(const structural_index&) = delete;
    structural_index& operator=(const structural_index&) = delete;

    // `size` at least 1 and below 4 GiB.
    index_result build(const char* text, std::size_t size);

    // Valid after `ok`: positions in ascending order, then `size` twice as an end mark.
    const std::uint32_t* positions() const;
    std::size_t count() const;

    std::size_t held_bytes() const;
    void release();

    static constexpr std::size_t keep_text_bytes = 4 * 1024 * 1024;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace headrace::ingest
