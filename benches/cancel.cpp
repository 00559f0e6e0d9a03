// From lb_backup_cancel to the job's end, at moments spread over a whole backup.

#include "bench.hpp"

#include <random>
#include <thread>

namespace bench {
namespace {

constexpr int kCancels = 100;  // of each kind

struct Cancels {
    std::vector<double> latencies;
    int finished_before = 0;
};

Cancels cancel_at_random_moments(const Place &place, const std::string &name) {
    std::mt19937_64 random(7);
    std::uniform_real_distribution<double> percent(0, 100);
    Cancels cancels;
    while (cancels.latencies.size() < kCancels) {
        const double moment = percent(random);
        lbtest::Job job = lbtest::Job::start(place.wal_source(), place.out(name));
        // By the job's own measure: its speed varies from run to run.
        while (job.progress().percent < moment && job.wait(1) == LB_STATUS_TIMED_OUT) {
        }
        const Clock::time_point start = Clock::now();
        job.cancel();
        job.wait(UINT32_MAX);
        const double latency = seconds_since(start);
        if (job.join().status == LB_STATUS_CANCELLED)
            cancels.latencies.push_back(latency);
        else
            ++cancels.finished_before;
        fs::remove(place.out(name));
    }
    return cancels;
}

}  // namespace

void bench_cancel(const Place &place) {
    std::vector<std::vector<std::string>> rows = {{"100 cancels each", "p50", "p99", "max", "wanted"}};
    std::string note = "At uniformly random moments of a whole backup, its syncing and verifying included. ";
    for (const char *name : {"db", "db.zst"}) {
        const Cancels cancels = cancel_at_random_moments(place, name);
        const Figures latency(cancels.latencies);
        rows.push_back({std::string("backup to .") + name, milliseconds(latency.median()),
                        milliseconds(latency.at(0.99)), milliseconds(latency.max()), "p99 under 50 ms"});
        note += "." + std::string(name) + ": " + std::to_string(cancels.finished_before) +
                " more had published before the cancel. ";
    }
    print_table("lb_backup_cancel to the job's end", rows);
    print_note(note);
}

}  // namespace bench
