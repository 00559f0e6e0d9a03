// One function per command, each in a file of its name. They return the exit code.
#pragma once

#include "arguments.hpp"
#include "output.hpp"

namespace lbbackup {

int run(const BackupArguments &arguments, Output &output);
int run(const RestoreArguments &arguments, Output &output);
int run(const VerifyArguments &arguments, Output &output);
int run(const InspectArguments &arguments, Output &output);
int run(const ListArguments &arguments, Output &output);

}  // namespace lbbackup
