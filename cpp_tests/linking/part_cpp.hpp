#ifndef LB_TEST_PART_CPP_HPP
#define LB_TEST_PART_CPP_HPP

#include <filesystem>
#include <system_error>

// A backup of a file that is not there: how it fails comes as an exception, or as a code.
[[gnu::visibility("default")]] void part_throws(const std::filesystem::path &source);
[[gnu::visibility("default")]] std::error_code part_says(const std::filesystem::path &source);

#endif
