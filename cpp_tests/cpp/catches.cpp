// A module that catches another's lb::Error. SPDX-License-Identifier: MIT OR Apache-2.0

#include "modules.hpp"

#include <lb_backup.hpp>

extern "C" __attribute__((visibility("default"))) check_errors_fn lbt_check_errors;

const char *lbt_check_errors(const Thrower &thrower, const char *path) {
    if (thrower.category() != &lb::category()) return "there are two categories";
    if (thrower.busy() != LB_STATUS_BUSY) return "a code is not equal to its status";
    if (thrower.busy() != std::errc::device_or_resource_busy) return "a code is not equal to its condition";
    try {
        thrower.fail(path);
    } catch (const lb::Error &error) {
        if (error.code() != LB_STATUS_NOT_A_DATABASE) return "another status";
        return error.result() != nullptr && error.result()->message == error.what() ? nullptr : "without its result";
    } catch (...) {
        return "not caught as what it is";
    }
    return "nothing was thrown";
}
