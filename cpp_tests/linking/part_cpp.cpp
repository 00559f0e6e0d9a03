// A shared library of the host's own, compiled with everything hidden, that lets exceptions and codes of lb_backup.hpp out.

#include "linking/part_cpp.hpp"

#include <lb_backup.hpp>

void part_throws(const std::filesystem::path &source) { lb::start_backup(source, source.string() + ".copy").join(); }

std::error_code part_says(const std::filesystem::path &source) {
    std::error_code ec;
    const lb::Job job = lb::start_backup(source, source.string() + ".copy", {}, ec);
    return ec;
}
