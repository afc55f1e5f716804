#include <string>
#include <vector>

#include "server/cli.hpp"

int main(int argc, char** argv) {
    return headrace::server::run_command({argv + 1, argv + argc});
}
