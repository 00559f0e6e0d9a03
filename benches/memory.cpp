// By how much a process grows during one backup; each in a fresh process.

#include "bench.hpp"

#include <cstdio>
#include <fstream>
#include <sstream>

namespace bench {
namespace {

// Kibibytes, from /proc/self/status.
double status_field(const std::string &field) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind(field + ":", 0) == 0) return std::stod(line.substr(field.size() + 1));
    lbtest::fail("no " + field);
}

std::string mebibytes(double kibibytes) { return print("%.1f MiB", kibibytes / 1024); }

}  // namespace

void bench_memory_child(const fs::path &source, const fs::path &dest) {
    const double anonymous_before = status_field("RssAnon");
    const double peak_before = status_field("VmHWM");
    lbtest::Job job = lbtest::Job::start(source, dest);
    double anonymous = 0;
    while (job.wait(2) == LB_STATUS_TIMED_OUT) anonymous = std::max(anonymous, status_field("RssAnon"));
    if (job.join().status != LB_STATUS_OK) lbtest::fail("backup failed");
    std::printf("%f %f\n", anonymous - anonymous_before, status_field("VmHWM") - peak_before);
}

void bench_memory(const Place &place) {
    std::vector<std::vector<std::string>> rows = {
        {"one backup in a fresh process", "anonymous memory (RssAnon)", "peak resident (VmHWM)", "wanted"}};
    for (const char *name : {"db", "db.zst"}) {
        std::vector<double> anonymous, peak;
        for (int round = 0; round < place.rounds; ++round) {
            std::string output;
            const int code =
                lbtest::run({"/proc/self/exe", "memory-child", place.wal_source(), place.out(name)}, &output);
            fs::remove(place.out(name));
            if (code != 0) lbtest::fail("memory-child ended with " + std::to_string(code));
            std::istringstream numbers(output);
            double first = 0, second = 0;
            numbers >> first >> second;
            anonymous.push_back(first);
            peak.push_back(second);
        }
        rows.push_back({std::string("backup to .") + name, mebibytes(Figures(anonymous).max()),
                        mebibytes(Figures(peak).max()), "under 64 MiB"});
    }
    print_table("Memory: growth of the process, the worst of " + std::to_string(place.rounds) + " runs", rows);
    print_note("RssAnon is sampled every 2 ms; VmHWM is the kernel's own peak, with the library's code in it.");
}

}  // namespace bench
