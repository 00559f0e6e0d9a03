// What --json says. Names and meanings are those of the structures of lb_backup.h; lbbackup.1 lists them.
#pragma once

#include <lb_backup.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace lbbackup {

using Json = nlohmann::ordered_json;

// On one line. What is not UTF-8 (a file's name may be anything) is replaced.
std::string line(const Json &object);

const char *name_of(lb_phase phase);
const char *name_of_kind(std::uint32_t kind);    // LB_KIND_*
const char *name_of_check(std::uint32_t check);  // LB_CHECK_*; "none" where none failed

void add(Json &to, const lb_progress &progress);
void add(Json &to, const lb_archive_info &info);
void add_outcome(Json &to, const lb_result &result, std::uint64_t elapsed_ns);  // of a job that succeeded
void add_finding(Json &to, const lb_result &result);                            // of a check that failed

}  // namespace lbbackup
