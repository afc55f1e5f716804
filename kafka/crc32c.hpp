#pragma once
// CRC32C (Castagnoli, reflected) as the spool's records use it. Pure, any thread.
#include <cstddef>
#include <cstdint>

namespace headrace::kafka {

// Continues `crc` (0 at first) over `size` bytes. Uses the processor's instruction where there is
// one, found out once at start; every variant gives the same result.
std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size);

// The variant without special instructions, for tests and other processors.
std::uint32_t crc32c_portable(std::uint32_t crc, const void* data, std::size_t size);

bool crc32c_in_hardware();

}  // namespace headrace::kafka
