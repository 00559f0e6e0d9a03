// What the command line asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lbbackup {

struct OutputArguments {
    bool json = false;
    bool quiet = false;
    bool progress_wanted = false;    // --progress
    bool progress_unwanted = false;  // --no-progress
};

struct BackupArguments {
    std::string source;
    std::string dest;
    std::uint32_t format = 0;  // LB_FORMAT_*
    std::int32_t level = 0;
    bool replace = false;
    std::uint32_t verify = 0;  // LB_VERIFY_*
    bool no_digest = false;
    std::optional<std::string> reuse;
    std::uint64_t rate = 0;
    std::uint64_t chunk_size = 0;
    std::uint32_t busy_timeout_ms = 5000;
    std::uint64_t wal_limit = 0;
};

struct RestoreArguments {
    std::string archive;
    std::string dest;
    bool replace = false;
    std::optional<std::string> keep_previous;
    std::uint32_t verify = 0;
    std::uint64_t rate = 0;
    std::uint32_t busy_timeout_ms = 5000;
};

struct VerifyArguments {
    std::vector<std::string> archives;
    bool full = false;
    std::uint64_t rate = 0;
};

struct InspectArguments {
    std::vector<std::string> archives;
};

struct ListArguments {
    std::string directory = ".";
    bool all = false;
};

struct Arguments {
    OutputArguments output;
    std::variant<BackupArguments, RestoreArguments, VerifyArguments, InspectArguments, ListArguments> command;
};

// The arguments, or the exit code of a run that is over: help was shown, or a mistake was named.
std::variant<Arguments, int> parse(int argc, char **argv);

}  // namespace lbbackup
