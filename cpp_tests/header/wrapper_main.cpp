// lb_backup.hpp needs nothing before it; with wrapper_twice.cpp, two units of one program. SPDX-License-Identifier: MIT OR Apache-2.0
#include <lb_backup.hpp>

std::error_code lbt_refusal_in_another_unit();

int main() {
    std::error_code ec;
    const lb::Job job = lb::start_verify("/nowhere/at/all.db", {}, ec);
    const bool same = ec == lbt_refusal_in_another_unit() && ec == std::errc::no_such_file_or_directory;
    return same && !job && lb::version() == lb_version() ? 0 : 1;
}
