// The TOML file.
#include "config/names.hpp"
#include "config/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>

// The parser is used header-only, so that the binary needs no library of it. A section header
// without a name ("[=") breaks one of its assertions, and with NDEBUG its behaviour is undefined:
// so its assertions stay on, and throw.
namespace headrace::config {
struct parser_gave_up {};
[[noreturn]] static void give_up() { throw parser_gave_up{}; }
}  // namespace headrace::config
#undef NDEBUG
#define TOML_ASSERT(rule) ((rule) ? void() : headrace::config::give_up())
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace headrace::config {
namespace {

constexpr std::size_t file_max = 1 << 20;

std::vector<std::string> sections() {
    std::vector<std::string> out{"kafka.librdkafka"};
    for (const auto& one : catalog()) {
        auto section = std::string(one.key.substr(0, one.key.rfind('.')));
        if (out.back() != section) out.push_back(section);
    }
    return out;
}

bool is_section(const std::string& path, const std::vector<std::string>& known) {
    for (const auto& each : known) {
        if (each == path) return true;
    }
    return false;
}

// The text of a scalar; nothing for what no setting accepts.
std::optional<std::string> scalar(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* whole = node.as_integer()) return std::to_string(whole->get());
    if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
    return std::nullopt;
}

struct walker {
    const std::string& path;
    std::vector<given>& out;
    std::vector<problem>& problems;
    std::vector<std::string> known = sections();

    std::string origin(const toml::node& node) const {
        return fmt::format("{}:{}", path, node.source().begin.line);
    }

    void complain(const toml::node& node, const std::string& name, fault what) {
        problems.push_back(
            {.setting = name,
             .origin = origin(node),
             .reason = std::move(what.reason),
             .remedy = std::move(what.remedy)}
        );
    }

    // A scalar, or an array of scalars for a setting that is a list.
    std::optional<std::string> text_of(const toml::node& node, bool list) const {
        const auto* array = node.as_array();
        if (array == nullptr) return scalar(node);
        if (!list) return std::nullopt;
        std::vector<std::string> entries;
        for (const auto& each : *array) {
            auto text = scalar(each);
            if (!text) return std::nullopt;
            entries.push_back(std::move(*text));
        }
        return format_list(entries);
    }

    void value(const toml::node& node, const std::string& name) {
        auto found = resolve_key(name);
        if (!found.target) {
            auto near = nearest(name, all_keys());
            auto remedy = near.empty()
                              ? std::string("Remove it; `headrace init` lists all settings.")
                              : fmt::format("Did you mean {}?", near);
            return complain(node, name, {"there is no such setting", std::move(remedy)});
        }
        bool list = type_name(*found.target) == "list";
        auto text = text_of(node, list);
        if (!text) {
            auto remedy = list ? "Write a list of texts: [\"...\", \"...\"]."
                               : "Write one text in quotes, a whole number, true or false.";
            return complain(node, name, {"a value of this kind does not fit", remedy});
        }
        given one{.target = found.target, .text = std::move(*text), .origin = origin(node)};
        if (found.from_file && !load_secret(one, problems)) return;
        out.push_back(std::move(one));
    }

    void property(const toml::node& node, const std::string& name) {
        if (const auto* table = node.as_table()) {
            for (const auto& [key, child] : *table) {
                auto inner = std::string(key.str());
                property(child, name.empty() ? inner : name + '.' + inner);
            }
            return;
        }
        auto text = text_of(node, true);
        if (!text) {
            return complain(
                node,
                "kafka.librdkafka." + name,
                {"a value of this kind does not fit", "Write the value as a text in quotes."}
            );
        }
        out.push_back({.property = name, .text = std::move(*text), .origin = origin(node)});
    }

    void table(const toml::table& from, const std::string& prefix) {
        for (const auto& [key, node] : from) {
            auto name =
                prefix.empty() ? std::string(key.str()) : prefix + '.' + std::string(key.str());
            const auto* inner = node.as_table();
            if (inner == nullptr) {
                value(node, name);
            } else if (name == "kafka.librdkafka") {
                property(node, "");
            } else if (is_section(name, known)) {
                table(*inner, name);
            } else {
                auto near = nearest(name, known);
                auto remedy = near.empty()
                                  ? fmt::format("The sections are {}.", fmt::join(known, ", "))
                                  : fmt::format("Did you mean [{}]?", near);
                complain(node, fmt::format("[{}]", name), {"there is no such section", remedy});
            }
        }
    }
};

std::optional<std::string> read_bounded(const std::string& path, fault& why) {
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    std::string content(file_max + 1, '\0');
    if (in) in.read(content.data(), static_cast<std::streamsize>(content.size()));
    if (!in.is_open() || in.bad() || (in.gcount() == 0 && errno != 0)) {
        why.reason =
            fmt::format("the file cannot be read ({})", std::generic_category().message(errno));
        why.remedy = "Name a readable file with --config or HEADRACE_CONFIG, or none.";
        return std::nullopt;
    }
    content.resize(static_cast<std::size_t>(in.gcount()));
    if (content.size() > file_max) {
        why = {"the file is larger than 1MiB", "Name a configuration file."};
        return std::nullopt;
    }
    return content;
}

}  // namespace

void read_file(const std::string& path, std::vector<given>& out, std::vector<problem>& problems) {
    fault why;
    auto content = read_bounded(path, why);
    if (!content) {
        problems.push_back(
            {.setting = "config",
             .value = path,
             .origin = path,
             .reason = std::move(why.reason),
             .remedy = std::move(why.remedy)}
        );
        return;
    }
    toml::table parsed;
    try {
        parsed = toml::parse(*content, path);
    } catch (const toml::parse_error& error) {
        problems.push_back(
            {.setting = "config",
             .value = path,
             .origin = fmt::format("{}:{}", path, error.source().begin.line),
             .reason = fmt::format("this is not valid TOML ({})", error.description()),
             .remedy = "Mend that line; `headrace init` prints a valid file."}
        );
        return;
    } catch (const parser_gave_up&) {
        problems.push_back(
            {.setting = "config",
             .value = path,
             .origin = path,
             .reason = "this is not valid TOML (a line with a bracket has no name in it)",
             .remedy = "Write sections as [name]; `headrace init` prints a valid file."}
        );
        return;
    }
    auto first = out.size(), first_problem = problems.size();
    walker{path, out, problems}.table(parsed, "");
    // The table is sorted by name; people read files by line.
    auto line = [](const auto& one) {
        return std::stoul(one.origin.substr(one.origin.rfind(':') + 1));
    };
    auto by_line = [&](const auto& a, const auto& b) { return line(a) < line(b); };
    std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(), by_line);
    std::stable_sort(
        problems.begin() + static_cast<std::ptrdiff_t>(first_problem), problems.end(), by_line
    );
}

}  // namespace headrace::config
