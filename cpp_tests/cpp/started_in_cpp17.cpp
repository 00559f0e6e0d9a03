// The part in C++17 of a program in C++20. SPDX-License-Identifier: MIT OR Apache-2.0

#include "started_in_cpp17.hpp"

static_assert(__cplusplus < 202002L);

lb::Job started_in_cpp17(const std::filesystem::path &source, const std::filesystem::path &dest) {
    lb::BackupOptions slow;
    slow.max_bytes_per_second = 65536;
    return lb::start_backup(source, dest, std::move(slow));
}

std::vector<std::size_t> sizes_in_cpp17() { return sizes(); }
