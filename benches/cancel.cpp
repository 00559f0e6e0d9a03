// From lb_backup_cancel to the job's end, at moments spread over a whole backup, its syncing and verifying included.

#include "bench.hpp"

#include <random>

namespace bench {
namespace {

constexpr int kCancels = 100;  // of each kind

void cancel_at_random_moments(const fs::path &source, const fs::path &out, const std::string &name) {
    std::mt19937_64 random(7);
    std::uniform_real_distribution<double> percent(0, 100);
    std::vector<double> latencies;
    int published = 0;
    while (latencies.size() < kCancels) {
        const double moment = percent(random);
        lbtest::Job job = lbtest::Job::start(source, out);
        // By the job's own measure: its speed varies from run to run.
        while (job.progress().percent < moment && job.wait(1) == LB_STATUS_TIMED_OUT) {
        }
        const Clock::time_point start = Clock::now();
        job.cancel();
        job.wait(UINT32_MAX);
        const double latency = seconds_since(start);
        if (job.join().status == LB_STATUS_CANCELLED)
            latencies.push_back(latency);
        else
            ++published;
        fs::remove(out);
    }
    record_latencies("cancel", name, latencies);
    record("cancel", name, "published before", {static_cast<double>(published)});
}

}  // namespace

void bench_cancel(const Place &place) {
    for (const std::string extension : {"db", "db.zst"})
        cancel_at_random_moments(place.medium(), place.out(extension), "to ." + extension);
}

}  // namespace bench
