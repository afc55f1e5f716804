#include "ingest/parse_index.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>

namespace headrace::ingest {
namespace {

constexpr std::size_t smallest_capacity = 16 * 1024;
// The library also sizes the stacks of its second stage, which never runs here.
constexpr std::size_t unused_depth = 1;

}  // namespace

struct structural_index::impl {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
    std::size_t capacity = 0;

    bool grow(std::size_t size) {
        const std::size_t wanted = std::max(smallest_capacity, std::bit_ceil(size + 1));
        stage.reset();
        capacity = 0;
        const auto failed = simdjson::get_active_implementation()->create_dom_parser_implementation(
            wanted, unused_depth, stage
        );
        if (failed != simdjson::SUCCESS) return false;
        capacity = wanted;
        return true;
    }
};

structural_index::structural_index() : impl_(std::make_unique<impl>()) {}
structural_index::~structural_index() = default;

index_result structural_index::build(const char* text, std::size_t size) {
    if (size >= impl_->capacity && !impl_->grow(size)) return index_result::no_memory;
    const auto result = impl_->stage->stage1(
        reinterpret_cast<const std::uint8_t*>(text), size, simdjson::stage1_mode::regular
    );
    if (result == simdjson::SUCCESS) return index_result::ok;
    // The first stage reports only one of its findings; encoding comes first (http-v0.md 2.6).
    return simdjson::validate_utf8(text, size) ? index_result::malformed : index_result::not_utf8;
}

const std::uint32_t* structural_index::positions() const {
    return impl_->stage->structural_indexes.get();
}

std::size_t structural_index::count() const { return impl_->stage->n_structural_indexes; }

std::size_t structural_index::held_bytes() const { return impl_->capacity * sizeof(std::uint32_t); }

void structural_index::release() {
    if (impl_->capacity <= keep_text_bytes) return;
    impl_->stage.reset();
    impl_->capacity = 0;
}

}  // namespace headrace::ingest
