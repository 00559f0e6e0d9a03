// How the tool ends. lbbackup.1 and --help have the same table.
#pragma once

#include <lb_backup.h>

namespace lbbackup {

enum ExitCode : int {
    kOk = 0,
    kDamaged = 1,      // a backup, or the source, is damaged or no database
    kUsage = 2,        // the command line is wrong
    kTryAgain = 3,     // a lock, or a source that changed too much
    kNoSpace = 4,      // no room
    kSystem = 5,       // not found, not permitted, failed to read or write
    kExists = 6,       // the destination exists
    kUnsupported = 7,  // a newer format, or a system that lacks something
    kDefect = 70,      // EX_SOFTWARE of sysexits.h
    kSignal = 128,     // and the number of the signal that cancelled it
};

ExitCode exit_code(lb_status status);

// Of several files, the worst decides.
int worse(int one, int other);

// The table of --help.
extern const char *const kExitCodes;

}  // namespace lbbackup
