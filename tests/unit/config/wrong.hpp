#pragma once
// Runs load() and check() over inputs in a short notation: "[section]\nkey = value" is the file,
// "--flag=value" a flag, "NAME=value" a variable. "{dir}" is a directory with the files ca.pem,
// key.pem and secret, all readable, and `empty`.
#include "config/check.hpp"
#include "tests/support/catch.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace wrong {

using inputs = std::vector<std::string>;
using namespace headrace::config;

struct example {
    inputs given;
    std::vector<std::string> messages;  // all of them, errors and warnings
    inputs mended;                      // the stated remedy applied: no error is left
};

class files {
public:
    files() {
        std::string name = "/tmp/headrace-config-XXXXXX";
        if (mkdtemp(name.data()) == nullptr) std::abort();
        dir_ = name;
        for (auto file : {"ca.pem", "key.pem", "secret"}) write(file, "s3cret-of-a-test\n");
        write("empty", "");
    }
    ~files() { std::filesystem::remove_all(dir_); }
    files(const files&) = delete;
    files& operator=(const files&) = delete;

    std::string path(const std::string& name) const { return dir_ + '/' + name; }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path(name), std::ios::binary) << text;
    }
    std::string expand(std::string text) const { return replace(std::move(text), "{dir}", dir_); }
    std::string shorten(std::string text) const { return replace(std::move(text), dir_, "{dir}"); }

    sources read(const inputs& from) const {
        sources out;
        for (const auto& raw : from) {
            auto text = expand(raw);
            auto equals = text.find('=');
            if (text.starts_with('[')) {
                out.file = path("headrace.toml");
                write("headrace.toml", text);
            } else if (text.starts_with("--")) {
                out.flags.emplace_back(text.substr(2, equals - 2), text.substr(equals + 1));
            } else {
                out.environment[text.substr(0, equals)] = text.substr(equals + 1);
            }
        }
        return out;
    }

    std::vector<std::string> messages(const inputs& from) const {
        std::vector<std::string> out;
        for (const auto& one : all_problems(load(read(from))))
            out.push_back(shorten(to_string(one)));
        return out;
    }

private:
    static std::string replace(std::string text, const std::string& from, const std::string& to) {
        for (auto at = text.find(from); at != std::string::npos;
             at = text.find(from, at + to.size())) {
            text.replace(at, from.size(), to);
        }
        return text;
    }

    std::string dir_;
};

inline void run(const std::vector<example>& table) {
    files here;
    for (const auto& each : table) {
        INFO(each.given.front());
        CHECK(here.messages(each.given) == each.messages);
        CHECK(has_errors(all_problems(load(here.read(each.given)))));
        for (const auto& left : here.messages(each.mended)) {
            INFO(left);
            CHECK(left.starts_with("warning: "));
        }
    }
}

}  // namespace wrong
