#include "bench.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace bench {
namespace {

std::size_t width(const std::string &text) {  // characters, not bytes
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

Figures::Figures(std::vector<double> values) : sorted_(std::move(values)) {
    if (sorted_.empty()) throw std::runtime_error("no figures");
    std::sort(sorted_.begin(), sorted_.end());
}

double Figures::at(double quantile) const {
    return sorted_[static_cast<std::size_t>(static_cast<double>(sorted_.size() - 1) * quantile + 0.5)];
}

std::string print(const char *format, double value) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string milliseconds(double seconds) { return print("%.2f ms", seconds * 1e3); }
std::string microseconds(double seconds) { return print("%.1f µs", seconds * 1e6); }

void print_table(const std::string &title, const std::vector<std::vector<std::string>> &rows) {
    std::vector<std::size_t> columns(rows.front().size());
    for (const auto &row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) columns[i] = std::max(columns[i], width(row[i]));
    std::printf("## %s\n\n", title.c_str());
    for (const auto &row : rows) {
        std::string line = "|";
        std::string rule = "|";
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string space(columns[i] - width(row[i]), ' ');
            line += " " + (i == 0 ? row[i] + space : space + row[i]) + " |";
            rule += i == 0 ? std::string(columns[i] + 2, '-') + "|" : std::string(columns[i] + 1, '-') + ":|";
        }
        std::printf("%s\n", line.c_str());
        if (&row == &rows.front()) std::printf("%s\n", rule.c_str());
    }
    std::printf("\n");
    std::fflush(stdout);
}

void print_note(const std::string &text) {
    std::printf("%s\n\n", text.c_str());
    std::fflush(stdout);
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Before each run the same is true: nothing waits to be written, the source is in memory, and as much memory as a copy
// needs has just been freed (on a virtual machine, memory that was long free must be fetched from its host first, which
// can cost more than the copy).
void level_the_field(const fs::path &source) {
    const fs::path scratch = source.string() + ".scratch";
    copy_with_cp(source, scratch);
    ::sync();
    fs::remove(scratch);
}

std::vector<Figures> race(const std::vector<Contender> &contenders, const fs::path &source, int rounds) {
    std::vector<std::vector<double>> times(contenders.size());
    for (int round = 0; round <= rounds; ++round) {
        for (std::size_t i = 0; i < contenders.size(); ++i) {
            std::fprintf(stderr, "  round %d of %d: %s\n", round, rounds, contenders[i].name.c_str());
            level_the_field(source);
            const Clock::time_point start = Clock::now();
            contenders[i].run();
            const double time = seconds_since(start);
            contenders[i].clean();
            if (round > 0) times[i].push_back(time);
        }
    }
    std::vector<Figures> figures;
    for (auto &contender_times : times) figures.emplace_back(std::move(contender_times));
    return figures;
}

lb_result back_up(const fs::path &source, const fs::path &dest, const lb_backup_options &options) {
    lb_result result = lbtest::backup(source, dest, options);
    if (result.status != LB_STATUS_OK)
        throw std::runtime_error(std::string(lb_status_name(result.status)) + ": " + result.message);
    return result;
}

void run_tool(const std::vector<std::string> &command, std::string *output) {
    if (const int code = lbtest::run(command, output)) lbtest::fail(command[0] + " ended with " + std::to_string(code));
}

void sync_file(const fs::path &path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || ::fsync(descriptor) != 0) lbtest::fail_errno("fsync " + path.string());
    ::close(descriptor);
}

void copy_with_cp(const fs::path &source, const fs::path &dest) {
    run_tool({"cp", "--reflink=never", source, dest});
    sync_file(dest);
}

}  // namespace bench
