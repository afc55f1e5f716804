#include "kafka/spool_checkpoint.hpp"

#include "kafka/crc32c.hpp"

#include <fcntl.h>

#include <cstring>
#include <string>

namespace headrace::kafka {
namespace {

constexpr std::string_view magic{"HRCHECK1", 8};
constexpr std::size_t head_bytes = 32, entry_bytes = 32, crc_bytes = 4;
constexpr std::size_t file_max = 16u << 20;

void put_number(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

std::uint64_t get_number(const char* at, int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i)
        value |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
    return value;
}

}  // namespace

spool_checkpoint read_checkpoint(spool_disk& disk, const std::filesystem::path& instance) {
    const file_handle file(disk.open(instance / "checkpoint", O_RDONLY));
    if (!file) return {};
    const long size = disk.size(file.get());
    if (size < static_cast<long>(head_bytes + crc_bytes) || size > static_cast<long>(file_max))
        return {};
    std::string text(static_cast<std::size_t>(size), '\0');
    if (disk.read_all(file.get(), text.data(), text.size(), 0) != size) return {};
    const std::size_t body = text.size() - crc_bytes;
    if (std::string_view(text).substr(0, 8) != magic ||
        get_number(text.data() + body, 4) != crc32c(0, text.data(), body))
        return {};
    const std::uint64_t count = get_number(text.data() + 12, 4);
    if (get_number(text.data() + 8, 4) != spool_version || body != head_bytes + count * entry_bytes)
        return {};
    spool_checkpoint c;
    c.next_number = get_number(text.data() + 16, 8);
    c.next_sequence = get_number(text.data() + 24, 8);
    for (std::uint64_t i = 0; i < count; ++i) {
        const char* at = text.data() + head_bytes + i * entry_bytes;
        spool_checkpoint::entry e;
        e.number = get_number(at, 8);
        std::memcpy(e.salt.data(), at + 8, 16);
        e.watermark = get_number(at + 24, 8);
        c.entries.push_back(e);
    }
    return c;
}

int write_checkpoint(
    spool_disk& disk, const std::filesystem::path& instance, const spool_checkpoint& c
) {
    std::string text(magic);
    put_number(text, spool_version, 4);
    put_number(text, c.entries.size(), 4);
    put_number(text, c.next_number, 8);
    put_number(text, c.next_sequence, 8);
    for (const auto& e : c.entries) {
        put_number(text, e.number, 8);
        text.append(e.salt.begin(), e.salt.end());
        put_number(text, e.watermark, 8);
    }
    put_number(text, crc32c(0, text.data(), text.size()), 4);

    const auto temporary = instance / "checkpoint.tmp";
    {
        const file_handle file(disk.open(temporary, O_WRONLY | O_CREAT | O_TRUNC));
        if (!file) return -EIO;
        if (const int e = disk.write_all(file.get(), text.data(), text.size(), 0); e < 0) return e;
        if (const int e = disk.sync(file.get()); e < 0) return e;
    }
    if (const int e = disk.rename(temporary, instance / "checkpoint"); e < 0) return e;
    return disk.sync_directory(instance);
}

}  // namespace headrace::kafka
