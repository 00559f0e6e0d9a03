#include "exit_code.hpp"

#include <algorithm>
#include <array>

namespace lbbackup {

const char *const kExitCodes = "Exit codes:\n"
                               "  0    done, and proven\n"
                               "  1    the backup or the database is damaged, or no database at all\n"
                               "  2    the command line is wrong\n"
                               "  3    locked, or changing too much: try again later\n"
                               "  4    no space\n"
                               "  5    not found, not permitted, or failed to read or write\n"
                               "  6    refused, because something exists (see --replace)\n"
                               "  7    a newer format, or this system lacks something\n"
                               "  70   a defect of lbbackup\n"
                               "  130  cancelled by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP";

ExitCode exit_code(lb_status status) {
    switch (status) {
    case LB_STATUS_OK:
        return kOk;
    case LB_STATUS_CORRUPT:
    case LB_STATUS_NOT_A_DATABASE:
        return kDamaged;
    case LB_STATUS_INVALID_ARGUMENT:
        return kUsage;
    case LB_STATUS_BUSY:
    case LB_STATUS_SOURCE_CHANGED:
    case LB_STATUS_WAL_LIMIT:
    case LB_STATUS_QUEUE_FULL:
    case LB_STATUS_TIMED_OUT:
        return kTryAgain;
    case LB_STATUS_NO_SPACE:
        return kNoSpace;
    case LB_STATUS_NOT_FOUND:
    case LB_STATUS_PERMISSION_DENIED:
    case LB_STATUS_IO:
    case LB_STATUS_OUT_OF_MEMORY:
        return kSystem;
    case LB_STATUS_ALREADY_EXISTS:
        return kExists;
    case LB_STATUS_UNSUPPORTED:
        return kUnsupported;
    case LB_STATUS_CANCELLED:  // by a signal, which knows a better code
    case LB_STATUS_INVALID_HANDLE:
    case LB_STATUS_WRONG_PROCESS:
    case LB_STATUS_WOULD_DEADLOCK:
    case LB_STATUS_SHUT_DOWN:
    case LB_STATUS_INTERNAL:
        break;
    }
    return kDefect;
}

int worse(int one, int other) {
    static constexpr std::array<int, 9> kWorstFirst = {kDefect,   kDamaged, kUnsupported, kNoSpace, kSystem,
                                                       kTryAgain, kExists,  kUsage,       kOk};
    const auto rank = [](int code) {
        // Signals are not in the table, and come before it.
        const auto *found = std::find(kWorstFirst.begin(), kWorstFirst.end(), code);
        return found == kWorstFirst.end() ? -1 : found - kWorstFirst.begin();
    };
    return rank(one) <= rank(other) ? one : other;
}

}  // namespace lbbackup
