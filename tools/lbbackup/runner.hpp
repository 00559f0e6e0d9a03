// One job after the other: started, shown, cancelled when a signal asks for it, and waited for in any case.
#pragma once

#include "display.hpp"
#include "library.hpp"
#include "output.hpp"
#include "signals.hpp"

#include <functional>
#include <string>
#include <vector>

namespace lbbackup {

// What became of a job.
struct Outcome {
    lb_result result = sized<lb_result>();  // of a refused start: status, codes and message
    std::uint64_t elapsed_ns = 0;
    std::vector<std::string> warnings;

    bool ok() const { return result.status == LB_STATUS_OK; }
};

class Runner {
public:
    // Before the library's first use.
    explicit Runner(Output &output);
    Runner(const Runner &) = delete;
    Runner &operator=(const Runner &) = delete;
    ~Runner();

    // `options` gets its on_complete; `start` hands it to the library. `what` is shown with the progress.
    template <class Options, class Start> Outcome run(Options options, Start start, const std::string &what = "") {
        options.on_complete = on_complete;
        options.user_data = this;
        return run_job([&](lb_job **job, lb_error *error) { return start(options, job, error); }, what);
    }

    // The signal that asks to stop, 0 while there is none.
    int stopped_by() { return signals_.first(); }

    // Of an outcome that is not ok. `cancelled`: what to say if a signal did it.
    Failure failure_of(const Outcome &outcome, const std::string &cancelled);

private:
    static void on_complete(lb_job *job, const lb_result *result, void *runner);
    Outcome run_job(const std::function<lb_status(lb_job **, lb_error *)> &start, const std::string &what);
    void show_until_complete(const Job &job, Display &display, std::vector<std::string> &warnings);
    bool wait(bool for_signals) const;
    void pass_on_warnings(Display &display, std::vector<std::string> &warnings);

    Output &output_;
    Signals signals_;
    int completed_;  // eventfd(2)
};

}  // namespace lbbackup
