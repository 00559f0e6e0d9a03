// What all sections of the bench share: the databases, the results, and contenders who take turns.
#pragma once

#include "support/support.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace bench {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Where a run works, and on what. The databases are those of a game, in WAL mode and the same in every run; each is
// made when a section first asks for it, and no section writes to it.
struct Place {
    fs::path directory;
    std::uint64_t mebibytes;  // of the database in the middle
    int rounds;               // that count; one more is run first and dropped

    fs::path small() const { return database(mebibytes > 16 ? mebibytes / 16 : 1); }
    fs::path medium() const { return database(mebibytes); }
    fs::path large() const { return database(mebibytes * 4); }
    fs::path out(const std::string &extension) const { return directory / ("out." + extension); }

private:
    fs::path database(std::uint64_t size) const;
};

// The results: a line on the standard output for every measured quantity, "section, contender, quantity, values" with
// tabs between them and a value for each round that counts. Seconds and bytes, without prefixes: the tables and charts
// that benches/report.py and benches/charts.py make of them choose their own.
void record(const std::string &section, const std::string &contender, const std::string &quantity,
            const std::vector<double> &values);

// Of many durations of one kind: how many there are, their p50 and p99, and the longest.
void record_latencies(const std::string &section, const std::string &contender, std::vector<double> seconds);

// What `part` of the durations do not exceed; sorts them.
double quantile(std::vector<double> &durations, double part);

double seconds_since(Clock::time_point start);

// One way to do a thing: time and processor time are taken of its `run`.
struct Contender {
    std::string name;
    std::function<void()> run;
    fs::path out;                     // the file that it makes, if it is one
    std::function<void()> prepare{};  // not timed; may be empty
    bool slow = false;                // runs in the first two rounds that count, and not in the one that is dropped
};

// Runs all contenders in turn, rounds + 1 times, and drops the first round: what is slow in one minute is slow for all.
// `source` is the file that they read, or one with at least as many bytes.
void race(const std::string &section, const std::vector<Contender> &contenders, const fs::path &source, int rounds);

// Before each run the same is true: nothing waits to be written, the source is in memory, and as much memory as a copy
// needs has just been freed (on a virtual machine, memory that was long free must be fetched from its host first, which
// can cost more than the copy).
void level_the_field(const fs::path &source);

// Settings are for the whole process: this ends the library's threads, and the next job starts new ones.
void configure(std::uint32_t priority = LB_PRIORITY_BACKGROUND, std::uint32_t workers = 0);

// The kernel's own peak of the process's resident memory, from /proc/self/status.
double peak_bytes();

// A backup that must succeed.
lb_result back_up(const fs::path &source, const fs::path &dest, const lb_backup_options &options = lbtest::options());

void run_tool(const std::vector<std::string> &command, std::string *output = nullptr);
void sync_path(const fs::path &path);  // a file or a directory

void bench_adapter(const Place &place);
void bench_calls(const Place &place);
void bench_cancel(const Place &place);
void bench_sizes(const Place &place);
void bench_sizes_child(const fs::path &source, const fs::path &dest);
void bench_plain(const Place &place);
void bench_compressed(const Place &place);
void bench_workers(const Place &place);
void bench_live(const Place &place);
void bench_lock(const Place &place);
void bench_queue(const Place &place);
void bench_restore(const Place &place);
void bench_restore_child(const std::string &what, const fs::path &archive, const fs::path &dest);

}  // namespace bench
