#pragma once
// The parts of `headrace spool`. Each command prints to stdout, problems to stderr, and returns the
// process's exit code: 0 done, 1 something is wrong with the spool or could not be done, 2 usage.
#include "kafka/spool.hpp"

#include <string>

namespace headrace::kafka {

struct spool_arguments {
    std::string command;
    std::string dir;
    std::string log = "main";
    std::string brokers;
    bool json = false;
    bool follow = false;
    bool yes = false;
    bool help = false;
    std::string error;  // wrong usage, for people
};
spool_arguments parse_spool_arguments(
    const std::vector<std::string>& arguments, const std::string& default_dir
);

int spool_ls(const spool_arguments&);
int spool_verify(const spool_arguments&);
int spool_cat(const spool_arguments&);
int spool_tail(const spool_arguments&);
int spool_replay(const spool_arguments&, const shipper_factory&);
int spool_discard(const spool_arguments&);

// False: nobody reads stdout any more.
bool print_line(const std::string& line);
void complain(const std::string& line);

// SIGINT and SIGTERM end a command that runs on, instead of killing it. Restored by the destructor.
class interrupt_guard {
public:
    interrupt_guard();
    ~interrupt_guard();
    interrupt_guard(const interrupt_guard&) = delete;
    interrupt_guard& operator=(const interrupt_guard&) = delete;
    static bool interrupted();
};

}  // namespace headrace::kafka
