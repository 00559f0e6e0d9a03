// A module that throws lb::Error. SPDX-License-Identifier: MIT OR Apache-2.0

#include "modules.hpp"

#include <lb_backup.hpp>

extern "C" __attribute__((visibility("default"))) thrower_fn lbt_thrower;

Thrower lbt_thrower() {
    return {[](const char *path) { (void)lb::start_verify(path).join(); },
            []() -> std::error_code { return LB_STATUS_BUSY; }, [] { return &lb::category(); }};
}
