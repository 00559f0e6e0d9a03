// A host, hidden as well, that catches what a shared library of its own throws: both have compiled lb_backup.hpp.

#include "linking/part_cpp.hpp"

#include <lb_backup.hpp>

#include <cstdio>

static bool is_caught_by_its_type(const std::filesystem::path &missing) {
    try {
        part_throws(missing);
    } catch (const lb::Error &error) {
        return error.code() == LB_STATUS_NOT_FOUND && error.code().category() == lb::category();
    } catch (...) {
        std::fputs("it came as something else\n", stderr);
    }
    return false;
}

int main() {
    const std::filesystem::path missing = std::filesystem::temp_directory_path() / "lb_part_has_no_such_file.db";
    const std::error_code said = part_says(missing);
    const bool same_code = said == LB_STATUS_NOT_FOUND && said == std::errc::no_such_file_or_directory;
    if (!same_code) std::fprintf(stderr, "%s is not the host's code\n", said.message().c_str());
    return same_code && is_caught_by_its_type(missing) ? 0 : 1;
}
