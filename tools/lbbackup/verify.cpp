#include "commands.hpp"

#include "exit_code.hpp"
#include "runner.hpp"
#include "text.hpp"

namespace lbbackup {
namespace {

// Such as ": compressed data, chunk 12": which check failed, and where.
std::string finding(const lb_result &result) {
    std::string text;
    switch (result.failed_check) {
    case LB_CHECK_NONE:
        return text;
    case LB_CHECK_STRUCTURE:
        text = ": structure";
        break;
    case LB_CHECK_FRAME:
        text = ": compressed data";
        break;
    case LB_CHECK_CONTENT:
        text = ": content";
        break;
    case LB_CHECK_INTEGRITY:
        text = ": integrity_check";
        break;
    case LB_CHECK_FOREIGN_KEYS:
        text = ": foreign_key_check";
        break;
    default:
        text = ": a check unknown to this tool";
        break;
    }
    if (result.failed_chunk != LB_NO_CHUNK) text += ", chunk " + thousands(result.failed_chunk);
    if (result.failed_page != 0) text += ", page " + thousands(result.failed_page);
    return text;
}

std::string verdict(const Terminal &to, const std::string &archive, const Outcome &outcome, bool full) {
    const std::string name = to.mark(outcome.ok()) + to.paint(Colour::bold, printable(archive)) + ": ";
    if (!outcome.ok()) return name + to.paint(Colour::red, "FAILED") + finding(outcome.result) + "\n";
    return name + to.paint(Colour::green, "OK") + (full ? " in full, " : ", ") + bytes(outcome.result.image_bytes) +
           " in " + duration(outcome.elapsed_ns) + "\n";
}

// A verdict on a file, and not on the attempt to read it.
bool is_verdict(lb_status status) {
    return status == LB_STATUS_OK || status == LB_STATUS_CORRUPT || status == LB_STATUS_NOT_A_DATABASE;
}

}  // namespace

int run(const VerifyArguments &arguments, Output &output) {
    auto options = sized<lb_verify_options>();
    options.verify = arguments.full ? LB_VERIFY_FULL : LB_VERIFY_QUICK;
    options.max_bytes_per_second = arguments.rate;

    Runner runner(output);
    int worst = kOk;
    const std::size_t count = arguments.archives.size();
    for (std::size_t i = 0; i < count; ++i) {
        const std::string &archive = arguments.archives[i];
        const std::string which = count > 1 ? std::to_string(i + 1) + "/" + std::to_string(count) : "";
        const Outcome outcome = runner.run(
            options,
            [&](const lb_verify_options &with, lb_job **job, lb_error *error) {
                return lb_verify_start(archive.c_str(), &with, job, error);
            },
            which);
        const lb_status status = outcome.result.status;
        if (is_verdict(status))
            output.say_after_bar([&](const Terminal &to) { return verdict(to, archive, outcome, arguments.full); });
        Json fields = {{"archive", archive}};
        if (outcome.ok()) {
            add_outcome(fields, outcome.result, outcome.elapsed_ns);
            fields["warnings"] = outcome.warnings;
            output.tell(fields);
        } else {
            add_finding(fields, outcome.result);
            fields["warnings"] = outcome.warnings;
            worst = worse(worst, output.fail(runner.failure_of(outcome, "cancelled; nothing was changed"), fields));
        }
        if (status == LB_STATUS_CANCELLED) break;
    }
    return worst;
}

}  // namespace lbbackup
