// What the demo shows: a live bar on a terminal, plain lines anywhere else, and the closing table.
#pragma once

#include "lb_backup.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace demo {

std::string thousands(std::int64_t number);                // 1,234,567
std::string mebibytes(std::uint64_t bytes);                // 12.3 MiB
std::string seconds(std::chrono::nanoseconds duration);    // 1.23 s
std::string milliseconds(std::chrono::nanoseconds duration);  // 4.5 ms
std::string microseconds(std::chrono::nanoseconds duration);  // 17 µs

enum class Ending { succeeded, stopped, failed };

class Screen {
public:
    Screen();

    void title(const std::string &text);
    void step(const std::string &text);    // what begins now
    void detail(const std::string &text);  // what came of it
    void proof(bool holds, const std::string &text);

    // A bar over the line that the cursor is in; without a terminal a line at every tenth.
    void bar(double percent, const std::string &figures);
    void backup_bar(const lb_progress &progress);
    void end_bar(Ending ending, double percent, const std::string &figures);

    // The first row is the heading, the first column names the rows.
    void table(const std::vector<std::vector<std::string>> &rows);

private:
    void write(const std::string &text);
    std::string paint(const char *colour, const std::string &text) const;
    std::string drawn(const char *colour, double percent, const std::string &figures) const;
    std::string speed(const lb_progress &progress);  // or what else it does than copy

    bool terminal_;
    bool colour_;
    unsigned columns_ = 100;
    int last_tenth_ = -1;
    // Looks of the last half second, to tell the rate of now and not that of the whole job.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> looks_;
};

}  // namespace demo
