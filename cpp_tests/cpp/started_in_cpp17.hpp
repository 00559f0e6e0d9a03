// What the two standards share. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_CPP_STARTED_IN_CPP17_HPP
#define LBTEST_CPP_STARTED_IN_CPP17_HPP

#include <lb_backup.hpp>

/// A slow backup.
lb::Job started_in_cpp17(const std::filesystem::path &source, const std::filesystem::path &dest);

std::vector<std::size_t> sizes_in_cpp17();

/// In the standard of whoever includes this.
static inline std::vector<std::size_t> sizes() {
    return {sizeof(lb::Job),           sizeof(lb::Progress),       sizeof(lb::Result),
            sizeof(lb::BackupOptions), sizeof(lb::RestoreOptions), sizeof(lb::VerifyOptions),
            sizeof(lb::ArchiveInfo),   sizeof(lb::JobInfo),        sizeof(lb::Config),
            sizeof(lb::Error),         sizeof(lb::detail::State)};
}

#endif
