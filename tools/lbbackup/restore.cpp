#include "commands.hpp"

#include "exit_code.hpp"
#include "runner.hpp"
#include "text.hpp"

#include <algorithm>
#include <filesystem>

namespace lbbackup {
namespace {

std::string hint(const RestoreArguments &arguments, lb_status status) {
    std::error_code unknown;
    switch (status) {
    case LB_STATUS_ALREADY_EXISTS:
        if (std::filesystem::is_directory(arguments.dest, unknown)) return "DEST must name a file";
        return arguments.replace ? "" : "--replace restores onto it, and --keep-previous PATH backs it up first";
    case LB_STATUS_BUSY:
        return "another program holds a lock; --busy-timeout 1min waits longer for it";
    default:
        return "";
    }
}

std::string summary(const Terminal &to, const RestoreArguments &arguments, const Outcome &outcome) {
    const lb_result &result = outcome.result;
    std::string text = to.mark(true) + to.paint(Colour::bold, printable(arguments.dest)) + "\n  " +
                       bytes(result.image_bytes) + " from " + printable(arguments.archive);
    if (result.bytes_reused > 0) text += ", " + bytes(result.bytes_reused) + " of it there already";
    return text + ", in " + duration(outcome.elapsed_ns) + "\n";
}

}  // namespace

int run(const RestoreArguments &arguments, Output &output) {
    auto options = sized<lb_restore_options>();
    options.existing = arguments.replace ? LB_EXISTING_REPLACE : LB_EXISTING_REFUSE;
    options.verify = arguments.verify;
    options.busy_timeout_ms = std::max(arguments.busy_timeout_ms, 1U);  // 0 would be the default
    options.max_bytes_per_second = arguments.rate;
    options.keep_previous = arguments.keep_previous ? arguments.keep_previous->c_str() : nullptr;

    Runner runner(output);
    const Outcome outcome = runner.run(options, [&](const lb_restore_options &with, lb_job **job, lb_error *error) {
        return lb_restore_start(arguments.archive.c_str(), arguments.dest.c_str(), &with, job, error);
    });
    Json fields = {{"archive", arguments.archive}, {"database", arguments.dest}};
    if (!outcome.ok()) {
        Failure failure = runner.failure_of(outcome, "cancelled; nothing was changed");
        failure.hint = hint(arguments, failure.status);
        add_finding(fields, outcome.result);
        return output.fail(failure, fields);
    }
    add_outcome(fields, outcome.result, outcome.elapsed_ns);
    fields["warnings"] = outcome.warnings;
    output.tell(fields);
    output.say_after_bar([&](const Terminal &to) { return summary(to, arguments, outcome); });
    return kOk;
}

}  // namespace lbbackup
