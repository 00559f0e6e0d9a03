// lbbackup: backups of SQLite databases, for an operator. SPDX-License-Identifier: MIT OR Apache-2.0

#include "arguments.hpp"
#include "commands.hpp"
#include "exit_code.hpp"
#include "output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <exception>
#include <system_error>
#include <variant>

namespace lbbackup {
namespace {

const char *name(const BackupArguments &) { return "backup"; }
const char *name(const RestoreArguments &) { return "restore"; }
const char *name(const VerifyArguments &) { return "verify"; }
const char *name(const InspectArguments &) { return "inspect"; }
const char *name(const ListArguments &) { return "list"; }

// A standard descriptor that is closed would be that of the next file that the tool opens, which would get the result.
// Read-only: what is written there fails with EBADF, as to a closed one.
void open_standard_descriptors() {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(descriptor, F_GETFD) >= 0) continue;
        // The lowest that is free, which is this one.
        if (::open("/dev/null", O_RDONLY) < 0) throw std::system_error(errno, std::generic_category(), "/dev/null");
    }
}

int run_tool(int argc, char **argv) {
    const auto parsed = parse(argc, argv);
    if (const int *over = std::get_if<int>(&parsed)) return *over;
    const auto &arguments = std::get<Arguments>(parsed);
    return std::visit(
        [&](const auto &command) {
            Output output(arguments.output, name(command));
            return output.end(run(command, output));
        },
        arguments.command);
}

}  // namespace
}  // namespace lbbackup

int main(int argc, char **argv) {
    std::setlocale(LC_CTYPE, "");  // which characters a terminal has; numbers stay as programs write them
    try {
        lbbackup::open_standard_descriptors();
        return lbbackup::run_tool(argc, argv);
    } catch (const std::exception &defect) {
        std::fprintf(stderr, "lbbackup: %s\n", defect.what());
        return lbbackup::kDefect;
    }
}
