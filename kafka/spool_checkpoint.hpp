#pragma once
// What of an instance's main log was shipped, as one small file that is replaced as a whole. An
// entry counts only for the segment with its salt, so that a stale file never hides a record.
#include "kafka/spool_file.hpp"
#include "kafka/spool_format.hpp"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace headrace::kafka {

struct spool_checkpoint {
    struct entry {
        std::uint64_t number = 0;
        spool_bytes16 salt{};
        std::uint64_t watermark = 0;  // every record below this sequence is shipped
    };
    std::uint64_t next_number = 1;  // of the next segment, also when none is left
    std::uint64_t next_sequence = 1;
    std::vector<entry> entries;
};

// Damaged or missing: nothing counts as shipped.
spool_checkpoint read_checkpoint(spool_disk&, const std::filesystem::path& instance);
// Written beside, synced, renamed, directory synced. 0 or -errno.
int write_checkpoint(spool_disk&, const std::filesystem::path& instance, const spool_checkpoint&);

}  // namespace headrace::kafka
