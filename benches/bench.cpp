#include "bench.hpp"
#include "demo/game_database.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <stdexcept>

namespace bench {
namespace {

constexpr int kSlowRounds = 2;

double seconds(const timeval &time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Of this process and of all children that have ended.
double processor_seconds() {
    double sum = 0;
    for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        if (::getrusage(who, &usage) != 0) lbtest::fail_errno("getrusage");
        sum += seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    return sum;
}

}  // namespace

fs::path Place::database(std::uint64_t size) const {
    const fs::path path = directory / (std::to_string(size) + "MiB.db");
    if (fs::exists(path)) return path;
    std::fprintf(stderr, "  making a database of %llu MiB\n", static_cast<unsigned long long>(size));
    const fs::path unfinished = path.string() + ".unfinished";
    demo::create_game_database(unfinished, size << 20, [](std::uint64_t) {});
    fs::rename(unfinished, path);
    return path;
}

void record(const std::string &section, const std::string &contender, const std::string &quantity,
            const std::vector<double> &values) {
    std::printf("%s\t%s\t%s", section.c_str(), contender.c_str(), quantity.c_str());
    for (const double value : values) std::printf("\t%.9g", value);
    std::printf("\n");
}

void record_latencies(const std::string &section, const std::string &contender, std::vector<double> durations) {
    record(section, contender, "count", {static_cast<double>(durations.size())});
    record(section, contender, "p50", {quantile(durations, 0.5)});
    record(section, contender, "p99", {quantile(durations, 0.99)});
    record(section, contender, "max", {quantile(durations, 1)});
}

double quantile(std::vector<double> &durations, double part) {
    if (durations.empty()) throw std::runtime_error("nothing was measured");
    std::sort(durations.begin(), durations.end());
    return durations[static_cast<std::size_t>(static_cast<double>(durations.size() - 1) * part + 0.5)];
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void race(const std::string &section, const std::vector<Contender> &contenders, const fs::path &source, int rounds) {
    std::map<std::string, std::map<std::string, std::vector<double>>> measured;
    for (int round = 0; round <= rounds; ++round) {
        for (const Contender &contender : contenders) {
            if (contender.slow && (round == 0 || round > kSlowRounds)) continue;
            std::fprintf(stderr, "  round %d of %d: %s\n", round, rounds, contender.name.c_str());
            if (contender.prepare) contender.prepare();
            level_the_field(source);
            const double processor_before = processor_seconds();
            const Clock::time_point start = Clock::now();
            contender.run();
            const double time = seconds_since(start);
            const double processor_time = processor_seconds() - processor_before;
            if (round > 0) {
                auto &quantities = measured[contender.name];
                quantities["seconds"].push_back(time);
                quantities["processor"].push_back(processor_time);
                if (fs::is_regular_file(contender.out))
                    quantities["bytes"].push_back(static_cast<double>(fs::file_size(contender.out)));
            }
            fs::remove(contender.out);
        }
    }
    for (const Contender &contender : contenders)
        for (const auto &[quantity, values] : measured[contender.name])
            record(section, contender.name, quantity, values);
}

void level_the_field(const fs::path &source) {
    const fs::path scratch = source.string() + ".scratch";
    run_tool({"cp", "--reflink=never", source, scratch});
    ::sync();
    fs::remove(scratch);
}

void configure(std::uint32_t priority, std::uint32_t workers) {
    lb_shutdown(UINT32_MAX);
    auto config = lbtest::config();
    config.priority = priority;
    config.workers = workers;
    auto error = lbtest::error();
    if (lb_configure(&config, &error) != LB_STATUS_OK) lbtest::fail(error.message);
}

lb_result back_up(const fs::path &source, const fs::path &dest, const lb_backup_options &options) {
    lb_result result = lbtest::backup(source, dest, options);
    if (result.status != LB_STATUS_OK)
        throw std::runtime_error(std::string(lb_status_name(result.status)) + ": " + result.message);
    return result;
}

// The kernel's own peak of the process's resident memory, from /proc/self/status.
double peak_bytes() {
    std::ifstream status("/proc/self/status");
    const std::string field = "VmHWM:";
    for (std::string line; std::getline(status, line);)
        if (line.rfind(field, 0) == 0) return std::stod(line.substr(field.size())) * 1024;
    lbtest::fail("no " + field);
}

void run_tool(const std::vector<std::string> &command, std::string *output) {
    if (const int code = lbtest::run(command, output)) lbtest::fail(command[0] + " ended with " + std::to_string(code));
}

void sync_path(const fs::path &path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || ::fsync(descriptor) != 0) lbtest::fail_errno("fsync " + path.string());
    ::close(descriptor);
}

}  // namespace bench
