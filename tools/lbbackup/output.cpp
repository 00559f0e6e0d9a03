#include "output.hpp"

#include "exit_code.hpp"
#include "text.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace lbbackup {

Failure failure_of(const lb_error &error) {
    Failure failure;
    failure.status = error.status;
    failure.sqlite_code = error.sqlite_code;
    failure.sys_errno = error.sys_errno;
    failure.message = error.message;
    return failure;
}

Output::Output(const OutputArguments &arguments, std::string command)
    : arguments_(arguments), command_(std::move(command)), stdout_(STDOUT_FILENO), stderr_(STDERR_FILENO) {}

void Output::say(const Text &text) {
    if (!arguments_.json && !arguments_.quiet) write(text(stdout_));
}

void Output::say_after_bar(const Text &text) {
    say(text);
    const bool has_bar = !arguments_.json && !arguments_.quiet && !arguments_.progress_unwanted && stderr_.draws();
    if (has_bar && !stdout_.draws()) stderr_.write(text(stderr_));
}

void Output::tell(const Json &fields) {
    if (!arguments_.json) return;
    Json result = object("result");
    result["ok"] = true;
    result["status"] = lb_status_name(LB_STATUS_OK);
    result["exit_code"] = static_cast<int>(kOk);
    result.update(fields);
    write(line(result));
}

void Output::tell_progress(const Json &fields) {
    Json progress = object("progress");
    progress.update(fields);
    write(line(progress));
}

void Output::remark(const std::string &text) {
    if (!arguments_.json && !arguments_.quiet) stderr_.write("lbbackup: " + printable(text) + "\n");
}

void Output::warn(const std::string &text) {
    stderr_.write("lbbackup: " + stderr_.paint(Colour::yellow, "warning: ") + printable(text) + "\n");
}

int Output::fail(const Failure &failure, const Json &fields) {
    const int code = failure.exit_code >= 0 ? failure.exit_code : static_cast<int>(exit_code(failure.status));
    if (arguments_.json) {
        Json result = object("result");
        result["ok"] = false;
        result["status"] = lb_status_name(failure.status);
        result["exit_code"] = code;
        result.update(fields);
        result["message"] = failure.message;
        result["hint"] = failure.hint.empty() ? Json(nullptr) : Json(failure.hint);
        result["sqlite_code"] = failure.sqlite_code;
        result["sys_errno"] = failure.sys_errno;
        write(line(result));
        return code;
    }
    const Colour colour = failure.status == LB_STATUS_CANCELLED ? Colour::yellow : Colour::red;
    std::string text = "lbbackup: " + stderr_.paint(colour, printable(failure.message)) + "\n";
    if (!failure.hint.empty()) text += "lbbackup: hint: " + printable(failure.hint) + "\n";
    stderr_.write(text);
    return code;
}

int Output::end(int code) {
    if (write_errno_ == 0) return code;
    if (write_errno_ != EPIPE)  // a reader that has seen enough went away
        stderr_.write(std::string("lbbackup: cannot write the result: ") + std::strerror(write_errno_) + "\n");
    return code == kOk ? static_cast<int>(kSystem) : code;
}

void Output::write(const std::string &text) {
    if (!stdout_.write(text)) write_errno_ = errno;
}

Json Output::object(const char *event) const {
    Json object;
    object["event"] = event;
    object["command"] = command_.empty() ? Json(nullptr) : Json(command_);
    return object;
}

}  // namespace lbbackup
