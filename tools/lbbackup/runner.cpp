#include "runner.hpp"

#include "exit_code.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace lbbackup {

Runner::Runner(Output &output) : output_(output), completed_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (completed_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    configure();
}

Runner::~Runner() { ::close(completed_); }

void Runner::on_complete(lb_job *, const lb_result *, void *runner) {
    const std::uint64_t one = 1;
    // Cannot fail: the counter is read after every job.
    if (::write(static_cast<Runner *>(runner)->completed_, &one, sizeof one) < 0) return;
}

Outcome Runner::run_job(const std::function<lb_status(lb_job **, lb_error *)> &start, const std::string &what) {
    Outcome outcome;
    lb_job *handle = nullptr;
    auto error = sized<lb_error>();
    if (start(&handle, &error) != LB_STATUS_OK) {
        outcome.result.status = error.status;
        outcome.result.sqlite_code = error.sqlite_code;
        outcome.result.sys_errno = error.sys_errno;
        outcome.result.failed_chunk = LB_NO_CHUNK;
        std::memcpy(outcome.result.message, error.message, sizeof error.message);
        return outcome;
    }
    Job job(handle);
    {
        const auto display = make_display(output_, what);
        show_until_complete(job, *display, outcome.warnings);
        outcome.elapsed_ns = job.progress().elapsed_ns;
        outcome.result = job.join();
        pass_on_warnings(*display, outcome.warnings);
    }
    return outcome;
}

void Runner::show_until_complete(const Job &job, Display &display, std::vector<std::string> &warnings) {
    bool cancelling = false;
    do {
        if (!cancelling && signals_.first() != 0) {
            cancelling = true;
            job.cancel();
            display.cancelling();
        }
        pass_on_warnings(display, warnings);
        display.show(job.progress());
    } while (!wait(!cancelling));
}

// Until the job is complete (true), a signal asks to stop, or it is time for another look.
bool Runner::wait(bool for_signals) const {
    constexpr int kTenthOfASecond = 100;
    std::array<pollfd, 2> awaited = {pollfd{completed_, POLLIN, 0}, pollfd{signals_.descriptor(), POLLIN, 0}};
    ::poll(awaited.data(), for_signals ? 2 : 1, kTenthOfASecond);
    std::uint64_t count = 0;
    return ::read(completed_, &count, sizeof count) == static_cast<ssize_t>(sizeof count);
}

void Runner::pass_on_warnings(Display &display, std::vector<std::string> &warnings) {
    for (std::string &warning : take_warnings()) {
        display.clear();
        if (!output_.json()) output_.warn(warning);
        warnings.push_back(std::move(warning));
    }
}

Failure Runner::failure_of(const Outcome &outcome, const std::string &cancelled) {
    Failure failure;
    failure.status = outcome.result.status;
    failure.sqlite_code = outcome.result.sqlite_code;
    failure.sys_errno = outcome.result.sys_errno;
    failure.message = outcome.result.message;
    if (const int signal = stopped_by(); failure.status == LB_STATUS_CANCELLED && signal != 0) {
        failure.exit_code = kSignal + signal;
        failure.message = cancelled;
    }
    return failure;
}

}  // namespace lbbackup
