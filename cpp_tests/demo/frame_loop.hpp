// A game's main loop at 60 frames a second, which measures what a player would see: the time from frame to frame.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace demo {

using Clock = std::chrono::steady_clock;

// Durations, and what a part of them does not exceed: what matters to who waits.
class Durations {
public:
    Durations() = default;
    explicit Durations(std::vector<std::chrono::nanoseconds> all) : sorted_(std::move(all)) {
        std::sort(sorted_.begin(), sorted_.end());
    }
    std::size_t count() const { return sorted_.size(); }
    std::chrono::nanoseconds longest() const { return at(1); }
    std::chrono::nanoseconds p99() const { return at(0.99); }
    std::chrono::nanoseconds at(double part) const {
        if (sorted_.empty()) return std::chrono::nanoseconds(0);
        return sorted_[static_cast<std::size_t>(static_cast<double>(sorted_.size() - 1) * part)];
    }

private:
    std::vector<std::chrono::nanoseconds> sorted_;
};

constexpr std::chrono::nanoseconds kFrame{1'000'000'000 / 60};

// Calls `frame` 60 times a second until it returns false. A late frame does not make the next ones short.
template <class Frame>
Durations run_frames(Frame frame) {
    std::vector<std::chrono::nanoseconds> times;
    times.reserve(1 << 14);
    Clock::time_point last = Clock::now();
    for (Clock::time_point deadline = last; frame();) {
        deadline = std::max(deadline + kFrame, Clock::now());
        std::this_thread::sleep_until(deadline);
        const Clock::time_point now = Clock::now();
        times.push_back(now - last);
        last = now;
    }
    return Durations(std::move(times));
}

// A frame's worth of dice: some two milliseconds of a processor, as a small game takes.
inline std::uint32_t play_one_frame(std::uint32_t dice) {
    const Clock::time_point end = Clock::now() + std::chrono::milliseconds(2);
    while (Clock::now() < end)
        for (int i = 0; i < 1000; ++i) dice = dice * 1664525U + 1013904223U;
    return dice;
}

}  // namespace demo
