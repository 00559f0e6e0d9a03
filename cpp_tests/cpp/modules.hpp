// What the two modules offer. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_CPP_MODULES_HPP
#define LBTEST_CPP_MODULES_HPP

#include <system_error>

struct Thrower {
    void (*fail)(const char *path);  ///< throws the lb::Error of a failed job
    std::error_code (*busy)();       ///< LB_STATUS_BUSY
    const std::error_category *(*category)();
};

extern "C" {
/// NULL if all is well, or what is not.
using check_errors_fn = const char *(const Thrower &thrower, const char *path);
using thrower_fn = Thrower();
}

#endif
