#include "kafka/spool_command.hpp"

#include "kafka/spool_segment.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>

namespace headrace::kafka {
namespace {

constexpr const char* usage_text =
    "usage: headrace spool COMMAND [--dir DIR] [--log main|dead] [--json]\n"
    "\n"
    "  ls                   instances and segments: mode, records, what is not shipped, bytes, "
    "age\n"
    "  verify               read every record; exit 1 if any byte is damaged\n"
    "  cat                  print every stored record (--json: one object per line)\n"
    "  tail [-f]            print the last 10 records; -f: go on with what is stored later\n"
    "  replay --to BROKERS  ship what is not shipped yet to Kafka, in order\n"
    "  discard --yes        remove every instance that no running server holds\n"
    "\n"
    "  --dir DIR            spool directory (as the server's --spool-dir)\n"
    "  --log main|dead      the events (default), or the dead letters of a standalone server\n"
    "  --json               for programs\n";

volatile std::sig_atomic_t interrupt_flag = 0;
struct sigaction previous_int, previous_term, previous_pipe;

extern "C" void note_interrupt(int) { interrupt_flag = 1; }

// Takes the value of `--name value` or `--name=value`.
bool value_of(
    const std::vector<std::string>& words,
    std::size_t& i,
    const std::string& name,
    std::string& out,
    std::string& error
) {
    if (words[i].starts_with(name + "=")) {
        out = words[i].substr(name.size() + 1);
    } else if (words[i] == name) {
        if (i + 1 == words.size()) {
            error = name + " needs a value";
            return true;
        }
        out = words[++i];
    } else {
        return false;
    }
    if (out.empty()) error = name + " needs a value";
    return true;
}

std::string check(const spool_arguments& a) {
    const auto one_of = [&](std::initializer_list<const char*> names) {
        for (const char* name : names)
            if (a.command == name) return true;
        return false;
    };
    if (a.command.empty()) return "a command is missing";
    if (!one_of({"ls", "verify", "cat", "tail", "replay", "discard"}))
        return "unknown command \"" + a.command + "\"";
    if (a.log != "main" && a.log != "dead") return "--log is main or dead, not \"" + a.log + "\"";
    if (a.dir.empty()) return "no directory: give --dir DIR";
    if (a.follow && a.command != "tail") return "-f belongs to tail";
    if (!a.brokers.empty() && a.command != "replay") return "--to belongs to replay";
    if (a.yes && a.command != "discard") return "--yes belongs to discard";
    if (a.command == "replay" && a.brokers.empty()) return "replay needs --to BROKERS";
    if (a.command == "replay" && a.log != "main") return "replay ships the main log only";
    return {};
}

int dispatch(const spool_arguments& a, const shipper_factory& factory) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(std::filesystem::path(a.dir) / "instances", ignored)) {
        complain("headrace spool: there is no spool in " + a.dir + " (another one: --dir DIR)");
        return 1;
    }
    if (a.command == "ls") return spool_ls(a);
    if (a.command == "verify") return spool_verify(a);
    if (a.command == "cat") return spool_cat(a);
    if (a.command == "tail") return spool_tail(a);
    if (a.command == "replay") return spool_replay(a, factory);
    return spool_discard(a);
}

}  // namespace

interrupt_guard::interrupt_guard() {
    interrupt_flag = 0;
    struct sigaction action {};
    action.sa_handler = note_interrupt;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &previous_int);
    ::sigaction(SIGTERM, &action, &previous_term);
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, &previous_pipe);
}

interrupt_guard::~interrupt_guard() {
    ::sigaction(SIGINT, &previous_int, nullptr);
    ::sigaction(SIGTERM, &previous_term, nullptr);
    ::sigaction(SIGPIPE, &previous_pipe, nullptr);
}

bool interrupt_guard::interrupted() { return interrupt_flag != 0; }

bool print_line(const std::string& line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
    return std::ferror(stdout) == 0;
}

void complain(const std::string& line) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n", line.c_str());
}

spool_arguments parse_spool_arguments(
    const std::vector<std::string>& words, const std::string& default_dir
) {
    spool_arguments a;
    a.dir = default_dir;
    for (std::size_t i = 0; i < words.size() && a.error.empty(); ++i) {
        const std::string& word = words[i];
        if (word == "--help" || word == "-h")
            a.help = true;
        else if (word == "--json")
            a.json = true;
        else if (word == "-f" || word == "--follow")
            a.follow = true;
        else if (word == "--yes")
            a.yes = true;
        else if (value_of(words, i, "--dir", a.dir, a.error) ||
                 value_of(words, i, "--spool-dir", a.dir, a.error) ||
                 value_of(words, i, "--log", a.log, a.error) ||
                 value_of(words, i, "--to", a.brokers, a.error))
            continue;
        else if (word.starts_with("-"))
            a.error = "unknown option \"" + word + "\"";
        else if (!a.command.empty())
            a.error = "one command at a time: \"" + a.command + "\" or \"" + word + "\"";
        else
            a.command = word;
    }
    if (a.error.empty() && !a.help) a.error = check(a);
    return a;
}

int run_spool_command(
    const std::vector<std::string>& arguments,
    const std::string& default_dir,
    const shipper_factory& factory
) {
    const spool_arguments a = parse_spool_arguments(arguments, default_dir);
    if (a.help) {
        std::fputs(usage_text, stdout);
        return 0;
    }
    if (!a.error.empty()) {
        complain("headrace spool: " + a.error + "\n\n" + usage_text);
        return 2;
    }
    try {
        const int code = dispatch(a, factory);
        std::fflush(stdout);
        return code;
    } catch (const spool_error& e) {
        complain(std::string("headrace ") + e.what());
        return e.exit_code;
    }
}

}  // namespace headrace::kafka
