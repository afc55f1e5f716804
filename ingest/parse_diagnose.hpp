#pragma once
// Says what is wrong with a JSON text and where, byte by byte. Called only after the fast walk has
// refused the text (or, in strict mode, has met a lone surrogate). Texts and positions follow
// http-v0.md 2.7 where that section fixes them.
#include <string>
#include <string_view>

namespace headrace::ingest {

// First error, with " at line L column C". Empty if the text is valid.
std::string diagnose_json(std::string_view text);

// " at line L column C" for the position after `consumed` bytes of the text.
std::string describe_position(std::string_view text, std::size_t consumed);

}  // namespace headrace::ingest
