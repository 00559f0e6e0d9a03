// What the calls of the interface cost the thread that makes them.

#include "bench.hpp"

#include <time.h>

#include <thread>

namespace bench {
namespace {

constexpr int kStarts = 1000;
constexpr int kLooks = 2'000'000;
constexpr int kThreads = 8;

double timed_start(const Place &place) {
    const Clock::time_point start = Clock::now();
    const lbtest::Job job = lbtest::Job::start(place.wal_source(), place.out("db"));
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

std::string nanoseconds(double seconds) { return print("%.1f ns", seconds * 1e9); }

}  // namespace

void bench_calls(const Place &place) {
    const double cold = timed_start(place);
    std::vector<double> warm;
    for (int i = 0; i < kStarts; ++i) warm.push_back(timed_start(place));
    const Figures starts(warm);
    print_table("lb_backup_start: time for which the caller is blocked",
                {{"", "p50", "p99", "max", "wanted"},
                 {"first in the process (starts the library's threads)", "", "", microseconds(cold), ""},
                 {"1,000 starts, library warm", microseconds(starts.median()), microseconds(starts.at(0.99)),
                  microseconds(starts.max()), "p99 under 1 ms"}});

    auto options = lbtest::options();
    options.max_bytes_per_second = 1 << 20;  // at work for as long as it takes
    const lbtest::Job job = lbtest::Job::start(place.wal_source(), place.out("db"), options);
    std::vector<double> alone, together(kThreads);
    for (int round = 0; round < 5; ++round) alone.push_back(seconds_per_look(job));
    std::vector<std::thread> threads;
    for (double &figure : together) threads.emplace_back([&] { figure = seconds_per_look(job); });
    for (std::thread &thread : threads) thread.join();
    const Figures one(alone), eight(together);
    print_table("lb_backup_progress on a running job: processor time per call",
                {{"", "median", "min", "max", "wanted"},
                 {"one thread, 5 times 2,000,000 calls", nanoseconds(one.median()), nanoseconds(one.min()),
                  nanoseconds(one.max()), "under 100 ns"},
                 {"8 threads at once", nanoseconds(eight.median()), nanoseconds(eight.min()),
                  nanoseconds(eight.max()), ""}});
}

}  // namespace bench
