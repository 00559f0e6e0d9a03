#include "screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace demo {
namespace {

constexpr const char *kBold = "\033[1m";
constexpr const char *kDim = "\033[2m";
constexpr const char *kRed = "\033[31m";
constexpr const char *kGreen = "\033[32m";
constexpr const char *kYellow = "\033[33m";
constexpr const char *kCyan = "\033[36m";
constexpr const char *kReset = "\033[0m";

constexpr std::size_t kFigures = 44;  // columns beside the bar, so that it keeps its length while they change

template <class... Values>
std::string print(const char *format, Values... values) {
    char text[160];
    std::snprintf(text, sizeof text, format, values...);
    return text;
}

// Columns on a terminal: every character of ours is one wide, so count what starts one.
std::size_t width(const std::string &text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(const std::string &text, std::size_t columns, bool to_the_right) {
    const std::string space(columns > width(text) ? columns - width(text) : 0, ' ');
    return to_the_right ? space + text : text + space;
}

std::string blocks(double percent, unsigned columns) {
    constexpr std::array<const char *, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto eighths = static_cast<unsigned>(percent / 100 * columns * 8);
    std::string bar;
    for (unsigned i = 0; i < eighths / 8; ++i) bar += "█";
    return bar + kEighths[eighths % 8];
}

bool is_set(const char *name) {
    const char *value = std::getenv(name);
    return value && *value;
}

}  // namespace

std::string thousands(std::int64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
    return digits;
}

std::string mebibytes(std::uint64_t bytes) { return print("%.1f MiB", static_cast<double>(bytes) / 1048576); }
std::string seconds(std::chrono::nanoseconds d) { return print("%.2f s", static_cast<double>(d.count()) / 1e9); }
std::string milliseconds(std::chrono::nanoseconds d) { return print("%.1f ms", static_cast<double>(d.count()) / 1e6); }
std::string microseconds(std::chrono::nanoseconds d) { return print("%.0f µs", static_cast<double>(d.count()) / 1e3); }

Screen::Screen() {
    const char *kind = std::getenv("TERM");
    terminal_ = isatty(STDOUT_FILENO) && kind && std::strcmp(kind, "dumb") != 0;
    colour_ = terminal_ && !is_set("NO_COLOR");
    winsize size{};
    if (terminal_ && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns_ = std::min<unsigned>(size.ws_col, 100);
}

void Screen::title(const std::string &text) { write(paint(kBold, text) + "\n"); }
void Screen::step(const std::string &text) { write("\n" + paint(kBold, text) + "\n"); }
void Screen::detail(const std::string &text) { write("  " + paint(kDim, text) + "\n"); }

void Screen::proof(bool holds, const std::string &text) {
    write("  " + paint(holds ? kGreen : kRed, holds ? "✔ " : "✘ ") + text + "\n");
}

void Screen::bar(double percent, const std::string &figures) {
    if (terminal_) {
        write("\r" + drawn(kCyan, percent, figures) + "\033[K");
        return;
    }
    const int tenth = static_cast<int>(percent / 10);
    if (tenth == last_tenth_ || tenth == 10) return;  // end_bar tells of the end
    last_tenth_ = tenth;
    write(print("  %3.0f %%  ", std::floor(percent)) + figures + "\n");  // 100 is for the end
}

void Screen::backup_bar(const lb_progress &progress) {
    const std::string left = progress.eta_ns == UINT64_MAX
                                 ? "…"
                                 : seconds(std::chrono::nanoseconds(progress.eta_ns)) + " left";
    const std::string done = print("%.1f", static_cast<double>(progress.bytes_done) / 1048576);
    bar(progress.percent,
        done + " of " + mebibytes(progress.bytes_total) + "  " + padded(speed(progress), 10, true) + "  " + left);
}

void Screen::end_bar(Ending ending, double percent, const std::string &figures) {
    last_tenth_ = -1;
    looks_.clear();
    const char *colour = ending == Ending::succeeded ? kGreen : ending == Ending::stopped ? kYellow : kRed;
    if (terminal_)
        write("\r" + drawn(colour, percent, figures) + "\033[K\n");
    else
        write(print("  %3.0f %%  ", percent) + figures + "\n");
}

void Screen::table(const std::vector<std::vector<std::string>> &rows) {
    std::vector<std::size_t> columns(rows.front().size());
    for (const auto &row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) columns[i] = std::max(columns[i], width(row[i]));
    std::string text;
    for (const auto &row : rows) {
        const bool heading = &row == &rows.front();
        std::string line = "  " + padded(row[0], columns[0], false);
        for (std::size_t i = 1; i < row.size(); ++i) line += "   " + padded(row[i], columns[i], true);
        text += (heading ? paint(kBold, line) : line) + "\n";
        if (!heading) continue;
        std::string rule;
        for (std::size_t i = 2; i < width(line); ++i) rule += "─";
        text += "  " + paint(kDim, rule) + "\n";
    }
    write(text);
}

std::string Screen::paint(const char *colour, const std::string &text) const {
    return colour_ ? colour + text + kReset : text;
}

std::string Screen::drawn(const char *colour, double percent, const std::string &figures) const {
    const std::string number = print("%5.1f %%", percent);
    const std::size_t text = 2 + 2 + width(number) + 2 + std::max(width(figures), kFigures) + 1;
    // A narrow terminal keeps a bar and loses figures: a line that wraps could not be drawn over.
    const std::size_t length = columns_ > text + 10 ? columns_ - text : 10;
    const std::string filled = blocks(percent, static_cast<unsigned>(length));
    std::string rest;
    for (std::size_t i = width(filled); i < length; ++i) rest += "░";
    const std::string line = "  " + paint(colour, filled) + paint(kDim, rest) + "  " + number;
    return columns_ > text + 10 ? line + "  " + figures : line;
}

std::string Screen::speed(const lb_progress &progress) {
    if (progress.phase == LB_PHASE_WAITING) return "waiting";
    if (progress.phase == LB_PHASE_SYNCING) return "syncing";
    if (progress.phase == LB_PHASE_VERIFYING) return "verifying";
    looks_.emplace_back(progress.elapsed_ns, progress.bytes_done);
    const auto old = [&](const auto &look) { return look.first + 500'000'000 < progress.elapsed_ns; };
    looks_.erase(looks_.begin(), std::find_if_not(looks_.begin(), looks_.end(), old));
    const auto span = static_cast<double>(progress.elapsed_ns - looks_.front().first) / 1e9;
    const auto bytes = static_cast<double>(progress.bytes_done - looks_.front().second);
    return span > 0 ? print("%.0f MiB/s", bytes / span / 1048576) : "";
}

void Screen::write(const std::string &text) {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t n = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
        if (n < 0 && errno != EINTR) return;
        if (n > 0) done += static_cast<std::size_t>(n);
    }
}

}  // namespace demo
