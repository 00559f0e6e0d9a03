#include "display.hpp"

#include "text.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>
#include <vector>

namespace lbbackup {
namespace {

// Bytes per second of now, and not of the whole job.
class Rate {
public:
    // 0 while there is nothing to tell.
    std::uint64_t look(const lb_progress &now) {
        constexpr std::uint64_t kSpan = 2'000'000'000;
        looks_.emplace_back(now.elapsed_ns, now.bytes_done);
        while (looks_.size() > 2 && looks_.front().first + kSpan < now.elapsed_ns) looks_.pop_front();
        const auto span = now.elapsed_ns - looks_.front().first;
        const auto moved = now.bytes_done - looks_.front().second;
        return span == 0 ? 0 : static_cast<std::uint64_t>(static_cast<double>(moved) / static_cast<double>(span) * 1e9);
    }

private:
    std::deque<std::pair<std::uint64_t, std::uint64_t>> looks_;
};

std::string phase_of(const lb_progress &now) {
    if (now.phase == LB_PHASE_WAITING && now.retries > 0) return "waiting for a lock";
    return name_of(now.phase);
}

// What is over sooner needs no progress: it would only flicker.
constexpr std::uint64_t kSoon = 200'000'000;

// "107.5/256.0 MiB", "91.2 MiB/s", "2 s left", in the order of their importance; empty while not known. Where nobody can
// tell how long it will take, the time that it has taken shows that something happens.
std::array<std::string, 3> figures_of(const lb_progress &now, std::uint64_t rate) {
    if (now.bytes_total == 0) return {};
    return {bytes_of(now.bytes_done, now.bytes_total), rate > 0 ? bytes(rate) + "/s" : "",
            now.eta_ns == UINT64_MAX ? "for " + seconds(now.elapsed_ns) : seconds(now.eta_ns) + " left"};
}

class Bar final : public Display {
public:
    Bar(const Terminal &terminal, std::string what) : terminal_(terminal), what_(std::move(what)) {}
    ~Bar() override { clear(); }

    void show(const lb_progress &now) override {
        const std::uint64_t rate = rate_.look(now);
        if (now.elapsed_ns < kSoon || !terminal_.in_foreground()) return;
        terminal_.write("\r" + drawn(now, rate) + "\033[K");
        shown_ = true;
    }
    void cancelling() override { cancelling_ = true; }
    void clear() override {
        if (std::exchange(shown_, false)) terminal_.write("\r\033[K");
    }

private:
    static constexpr std::size_t kGap = 2;
    static constexpr std::size_t kShortest = 10;
    static constexpr std::size_t kLongest = 50;

    // Of a line that wraps only the last part could be drawn over: what does not fit is left out. Behind it there is room
    // for the "^C" that a terminal shows.
    std::string drawn(const lb_progress &now, std::uint64_t rate) const {
        const std::size_t room = std::max(terminal_.columns(), 3U) - 3;
        const std::string percent = padded_before(decimal(now.percent, 1), 5) + " %";
        std::string label = cancelling_ ? "cancelling" : phase_of(now);
        if (!what_.empty()) label = what_ + " " + label;
        label = padded(label, 11);  // the longest usual one, so that the bar stays where it is

        std::size_t needed = width(label) + kGap + kGap + width(percent);
        if (needed + kShortest > room) return room >= width(percent) ? percent : "";

        auto [amount, speed, left] = figures_of(now, rate);
        amount = padded_before(amount, width(bytes_of(now.bytes_total, now.bytes_total)));
        std::string figures;
        for (const std::string &figure : {amount, padded_before(speed, 10), padded(left, 9)}) {
            const std::size_t more = kGap + width(figure);
            if (needed + more + kShortest > room) break;
            needed += more;
            figures += std::string(kGap, ' ') + figure;
        }
        figures.erase(figures.find_last_not_of(' ') + 1);
        const std::string gap(kGap, ' ');
        return label + gap + bar(now.percent, std::min(room - needed, kLongest)) + gap + percent + figures;
    }

    std::string bar(double percent, std::size_t columns) const {
        constexpr std::array<const char *, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
        const Colour colour = cancelling_ ? Colour::yellow : Colour::cyan;
        if (!terminal_.unicode()) {
            const auto full = static_cast<std::size_t>(percent / 100 * static_cast<double>(columns - 2));
            return "[" + terminal_.paint(colour, std::string(full, '#')) + std::string(columns - 2 - full, '.') + "]";
        }
        const auto eighths = static_cast<std::size_t>(percent / 100 * static_cast<double>(columns) * 8);
        std::string done;
        for (std::size_t i = 0; i < eighths / 8; ++i) done += "█";
        done += kEighths.at(eighths % 8);
        std::string rest;
        for (std::size_t i = (eighths + 7) / 8; i < columns; ++i) rest += "░";
        return terminal_.paint(colour, done) + terminal_.paint(Colour::dim, rest);
    }

    const Terminal terminal_;
    const std::string what_;
    Rate rate_;
    bool shown_ = false;
    bool cancelling_ = false;
};

// When the phase changes, and otherwise at most once per interval.
class Pace {
public:
    explicit Pace(std::uint64_t interval_ns) : interval_ns_(interval_ns) {}
    bool is_time(const lb_progress &now, const std::string &phase) {
        if (phase == last_phase_ && now.elapsed_ns < last_ns_ + interval_ns_) return false;
        last_phase_ = phase;
        last_ns_ = now.elapsed_ns;
        return true;
    }

private:
    const std::uint64_t interval_ns_;
    std::uint64_t last_ns_ = 0;
    std::string last_phase_;
};

class Lines final : public Display {
public:
    Lines(const Terminal &terminal, std::string what) : terminal_(terminal), what_(std::move(what)) {}

    void show(const lb_progress &now) override {
        const std::uint64_t rate = rate_.look(now);
        const std::string phase = phase_of(now);
        if (now.elapsed_ns < kSoon || now.phase == LB_PHASE_DONE || !pace_.is_time(now, phase)) return;
        std::string text = "lbbackup: " + (what_.empty() ? "" : what_ + " ") + phase;
        if (now.bytes_total > 0) {
            text += ", " + decimal(now.percent, 1) + " %";
            for (const std::string &figure : figures_of(now, rate))
                if (!figure.empty()) text += ", " + figure;
        }
        terminal_.write(text + "\n");
    }
    void cancelling() override { terminal_.write("lbbackup: cancelling\n"); }

private:
    const Terminal terminal_;
    const std::string what_;
    Rate rate_;
    Pace pace_{3'000'000'000};
};

class Objects final : public Display {
public:
    explicit Objects(Output &output) : output_(output) {}

    void show(const lb_progress &now) override {
        if (!pace_.is_time(now, name_of(now.phase))) return;
        Json fields;
        add(fields, now);
        output_.tell_progress(fields);
    }

private:
    Output &output_;
    Pace pace_{1'000'000'000};
};

class Nothing final : public Display {
public:
    void show(const lb_progress &) override {}
};

}  // namespace

std::unique_ptr<Display> make_display(Output &output, const std::string &what) {
    const OutputArguments &arguments = output.arguments();
    if (arguments.json && arguments.progress_wanted) return std::make_unique<Objects>(output);
    if (arguments.json || arguments.quiet || arguments.progress_unwanted) return std::make_unique<Nothing>();
    if (output.errors().draws()) return std::make_unique<Bar>(output.errors(), what);
    return std::make_unique<Lines>(output.errors(), what);
}

}  // namespace lbbackup
