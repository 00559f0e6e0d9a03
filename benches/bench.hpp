// What all sections of the bench share: the databases, statistics, and tables in Markdown that read well as they are.
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

// Where a run works. Section "make" fills the directory; the others only read what it made.
struct Place {
    fs::path directory;
    std::uint64_t bytes;  // of each database, at least
    int rounds;           // that count; one more is run first and dropped

    fs::path wal_source() const { return directory / "wal.db"; }
    fs::path delete_source() const { return directory / "delete.db"; }
    fs::path out(const std::string &name) const { return directory / ("out." + name); }
};

// Sorted figures of one kind, in whatever unit they were given in.
class Figures {
public:
    explicit Figures(std::vector<double> values);
    std::size_t count() const { return sorted_.size(); }
    double min() const { return sorted_.front(); }
    double max() const { return sorted_.back(); }
    double median() const { return at(0.5); }
    double at(double quantile) const;

private:
    std::vector<double> sorted_;
};

std::string print(const char *format, double value);
std::string milliseconds(double seconds);
std::string microseconds(double seconds);

// The first row is the heading; the first column is text, all others are figures.
void print_table(const std::string &title, const std::vector<std::vector<std::string>> &rows);
void print_note(const std::string &text);

double seconds_since(Clock::time_point start);

// One way to do a thing, timed. Its setup and clean-up are not.
struct Contender {
    std::string name;
    std::function<void()> run;
    std::function<void()> clean;
};

// Runs all contenders in turn, rounds + 1 times, and drops the first round: what is slow in one minute is slow for all.
// `source` is what they read.
std::vector<Figures> race(const std::vector<Contender> &contenders, const fs::path &source, int rounds);

// A backup that must succeed.
lb_result back_up(const fs::path &source, const fs::path &dest, const lb_backup_options &options = lbtest::options());

// The peers are what a user would run: the tools themselves, and the file on the disk at the end.
void run_tool(const std::vector<std::string> &command, std::string *output = nullptr);
void sync_file(const fs::path &path);
void copy_with_cp(const fs::path &source, const fs::path &dest);

void bench_calls(const Place &place);
void bench_cancel(const Place &place);
void bench_memory(const Place &place);
void bench_memory_child(const fs::path &source, const fs::path &dest);
void bench_throughput(const Place &place);
void bench_commits(const Place &place);
void bench_lock(const Place &place);

}  // namespace bench
