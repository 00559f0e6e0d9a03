#include "commands.hpp"

#include "exit_code.hpp"
#include "runner.hpp"
#include "text.hpp"

#include <algorithm>
#include <filesystem>

namespace lbbackup {
namespace {

namespace fs = std::filesystem;

// Whether there is something where --keep-previous puts its backup.
bool has_previous(const RestoreArguments &arguments) {
    std::error_code unknown;
    return arguments.keep_previous && fs::exists(fs::symlink_status(*arguments.keep_previous, unknown));
}

std::string hint(const RestoreArguments &arguments, lb_status status, bool had_previous) {
    std::error_code unknown;
    switch (status) {
    case LB_STATUS_ALREADY_EXISTS:
        if (fs::is_directory(arguments.dest, unknown)) return "DEST must name a file";
        if (had_previous) return "--keep-previous must name a new file; a restore that failed may have left this one";
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

    const bool had_previous = has_previous(arguments);
    Runner runner(output);
    const Outcome outcome = runner.run(options, [&](const lb_restore_options &with, lb_job **job, lb_error *error) {
        return lb_restore_start(arguments.archive.c_str(), arguments.dest.c_str(), &with, job, error);
    });
    Json fields = {{"archive", arguments.archive}, {"database", arguments.dest}};
    if (!outcome.ok()) {
        const bool kept = !had_previous && has_previous(arguments);
        Failure failure = runner.failure_of(
            outcome, kept ? "cancelled; the database was not changed" : "cancelled; nothing was changed");
        failure.hint = hint(arguments, failure.status, had_previous);
        if (kept)
            failure.hint += (failure.hint.empty() ? "" : "; ") + std::string("the backup of it stays: ") +
                            *arguments.keep_previous;
        add_finding(fields, outcome.result);
        fields["warnings"] = outcome.warnings;
        return output.fail(failure, fields);
    }
    add_outcome(fields, outcome.result, outcome.elapsed_ns);
    fields["warnings"] = outcome.warnings;
    output.tell(fields);
    output.say_after_bar([&](const Terminal &to) { return summary(to, arguments, outcome); });
    return kOk;
}

}  // namespace lbbackup
