// What the calls of the interface cost the thread that makes them.

#include "bench.hpp"

#include <time.h>

#include <thread>

namespace bench {
namespace {

constexpr int kStarts = 1000;
constexpr int kLooks = 2'000'000;
constexpr int kThreads = 8;

double timed_start(const fs::path &source, const fs::path &out) {
    const Clock::time_point start = Clock::now();
    const lbtest::Job job = lbtest::Job::start(source, out);
    return seconds_since(start);  // and the job is cancelled and joined
}

double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Processor time per call: with more threads than processors, waiting for one's turn is not the call's cost.
double seconds_per_look(const lbtest::Job &job) {
    auto progress = lbtest::progress();
    const double start = processor_seconds();
    for (int i = 0; i < kLooks; ++i) lb_backup_progress(job.get(), &progress);
    return (processor_seconds() - start) / kLooks;
}

}  // namespace

void bench_calls(const Place &place) {
    const fs::path source = place.medium(), out = place.out("db");
    record_latencies("calls", "the first lb_backup_start of a process", {timed_start(source, out)});
    std::vector<double> warm;
    for (int i = 0; i < kStarts; ++i) warm.push_back(timed_start(source, out));
    record_latencies("calls", "lb_backup_start", warm);

    auto options = lbtest::options();
    options.max_bytes_per_second = 1 << 20;  // at work for as long as it takes
    const lbtest::Job job = lbtest::Job::start(source, out, options);
    std::vector<double> alone, together(kThreads);
    for (int round = 0; round < 5; ++round) alone.push_back(seconds_per_look(job));
    std::vector<std::thread> threads;
    for (double &figure : together) threads.emplace_back([&] { figure = seconds_per_look(job); });
    for (std::thread &thread : threads) thread.join();
    record("calls", "lb_backup_progress", "processor per call", alone);
    record("calls", "lb_backup_progress, 8 threads at once", "processor per call", together);
}

}  // namespace bench
