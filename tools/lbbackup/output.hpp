// What the tool says: results to the standard output, everything else to the standard error.
#pragma once

#include "arguments.hpp"
#include "json.hpp"
#include "terminal.hpp"

#include <lb_backup.h>

#include <functional>
#include <string>

namespace lbbackup {

struct Failure {
    lb_status status = LB_STATUS_INTERNAL;
    int sqlite_code = 0;
    int sys_errno = 0;
    std::string message;
    std::string hint;    // what may help; may be empty
    int exit_code = -1;  // where the status alone does not tell
};

Failure failure_of(const lb_error &error);

class Output {
public:
    Output(const OutputArguments &arguments, std::string command);

    bool json() const { return arguments_.json; }
    const OutputArguments &arguments() const { return arguments_; }
    const Terminal &errors() const { return stderr_; }

    // A result for people, made for the stream that it goes to: nothing with --json or --quiet.
    using Text = std::function<std::string(const Terminal &)>;
    void say(const Text &text);
    // The same at the end of a bar: where the results go to a file, the terminal has it, too.
    void say_after_bar(const Text &text);
    // A result for programs: with --json only. What every result has is put before it.
    void tell(const Json &fields);
    void tell_progress(const Json &fields);

    // On the standard error. A remark is for people who look at an empty screen.
    void remark(const std::string &text);
    void warn(const std::string &text);
    // A failure, for people or for programs, which get `fields` with it. Returns the exit code.
    int fail(const Failure &failure, const Json &fields);

    // The exit code, or another if not everything could be written.
    int end(int code);

private:
    void write(const std::string &text);
    Json object(const char *event) const;

    OutputArguments arguments_;
    std::string command_;
    Terminal stdout_;
    Terminal stderr_;
    int write_errno_ = 0;
};

}  // namespace lbbackup
