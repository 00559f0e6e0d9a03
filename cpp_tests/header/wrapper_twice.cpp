// A second inclusion changes nothing, and neither does what a compiler may be told. SPDX-License-Identifier: MIT OR Apache-2.0
// clang-format off
#include <lb_backup.hpp>
#include <lb_backup.hpp>
// clang-format on

std::error_code lbt_refusal_in_another_unit();

std::error_code lbt_refusal_in_another_unit() {
    try {
        lb::BackupOptions options;
#if defined(__cpp_designated_initializers) && __cplusplus >= 202002L
        options = {.existing = lb::Existing::replace, .max_bytes_per_second = 1 << 20};
#endif
        options.on_complete = [](const lb::Result &) {};
        lb::start_backup("/nowhere/at/all.db", "/nowhere/at/all.db.zst", options).join();
    } catch (const lb::Error &error) {
        return error.code();
    }
    return {};
}
