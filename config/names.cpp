#include "config/names.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <functional>
#include <map>
#include <system_error>

namespace headrace::config {
namespace {

constexpr std::size_t secret_max = 64 * 1024;
using index = std::map<std::string, resolved, std::less<>>;

index make_index(std::string (*spell)(std::string_view)) {
    index out;
    for (const auto& one : catalog()) {
        out.emplace(spell(one.key), resolved{&one, false});
        if (one.secret) out.emplace(spell(std::string(one.key) + "_file"), resolved{&one, true});
    }
    return out;
}

std::string as_is(std::string_view key) { return std::string(key); }

const index& keys() {
    static const index all = make_index(as_is);
    return all;
}

const index& variables() {
    static const index all = make_index(environment_name);
    return all;
}

const index& flags() {
    static const index all = [] {
        auto out = make_index(flag_name);
        for (const auto& one : catalog()) {
            if (!one.short_flag.empty()) out.emplace(one.short_flag, resolved{&one, false});
        }
        return out;
    }();
    return all;
}

resolved look_up(const index& names, std::string_view name) {
    auto found = names.find(name);
    return found == names.end() ? resolved{} : found->second;
}

std::vector<std::string> names_of(const index& names) {
    std::vector<std::string> out;
    for (const auto& [name, ignored] : names) out.push_back(name);
    return out;
}

}  // namespace

resolved resolve_key(std::string_view key) { return look_up(keys(), key); }
resolved resolve_variable(std::string_view variable) { return look_up(variables(), variable); }
resolved resolve_flag(std::string_view flag) { return look_up(flags(), flag); }

const std::vector<std::string>& all_keys() {
    static const auto all = names_of(keys());
    return all;
}

const std::vector<std::string>& all_variables() {
    static const auto all = names_of(variables());
    return all;
}

const std::vector<std::string>& all_flags() {
    static const auto all = names_of(flags());
    return all;
}

bool load_secret(given& one, std::vector<problem>& problems) {
    // Whoever wrote the secret itself here must not find it in a log.
    bool is_path = one.text.starts_with('/') || one.text.starts_with("./");
    auto fail = [&](std::string reason, std::string remedy) {
        problems.push_back(
            {.setting = setting_name(one),
             .value = is_path ? one.text : "***",
             .origin = one.origin,
             .reason = std::move(reason),
             .remedy = std::move(remedy)}
        );
        return false;
    };
    errno = 0;
    std::ifstream in(one.text, std::ios::binary);
    std::string content(secret_max + 1, '\0');
    if (in) in.read(content.data(), static_cast<std::streamsize>(content.size()));
    auto size = in.is_open() ? static_cast<std::size_t>(in.gcount()) : 0;
    if (!in.is_open() || (size == 0 && errno != 0)) {
        auto why = std::generic_category().message(errno);
        return fail(
            fmt::format("the file with the secret cannot be read ({})", why),
            "Name a file that the user of headrace may read."
        );
    }
    if (size > secret_max) {
        return fail("the file is larger than 64KiB", "Name the file that holds the secret alone.");
    }
    content.resize(size);
    while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) {
        content.pop_back();
    }
    if (content.empty()) return fail("the file is empty", "Write the secret into it.");
    one.text = std::move(content);
    return true;
}

}  // namespace headrace::config
