// The independent reader, as a function. SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_ARCHIVE_READER_HPP
#define LBTEST_ARCHIVE_READER_HPP

#include "api/fixture.hpp"

namespace lbtest {

/// What check_archive.py says of an archive, and whether that is "right".
struct Verdict {
    bool right;
    std::string text;
};

inline Verdict run_script(const std::string &name, const std::vector<std::string> &arguments) {
    std::vector<std::string> command{LB_PYTHON, "-B", std::string(LB_SCRIPTS) + "/" + name};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Verdict verdict{false, ""};
    verdict.right = run(command, &verdict.text) == 0;
    return verdict;
}

inline Verdict read_independently(const fs::path &archive, std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), archive.string());
    return run_script("check_archive.py", arguments);
}

}  // namespace lbtest

#endif
