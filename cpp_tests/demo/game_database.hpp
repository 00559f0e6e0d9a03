// The host's side of the demo: a dice game's database, and the thread that writes to it all the while.
#pragma once

#include "support/statement.hpp"
#include "support/support.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace demo {

using Clock = std::chrono::steady_clock;

// What the database holds after one commit. The commit's own row in table `commits` says so too, which is what makes a
// copy provable: it must hold the commits 1 to n without a gap, and exactly what row n promises.
struct GameState {
    std::int64_t commit = 0;
    std::int64_t players = 0;
    std::int64_t games = 0;
    std::int64_t moves = 0;
    std::int64_t rating_sum = 0;

    bool operator==(const GameState &other) const {
        return commit == other.commit && players == other.players && games == other.games && moves == other.moves &&
               rating_sum == other.rating_sum;
    }
};

// Makes the database, of at least `bytes`, in WAL mode. `progress` gets the bytes so far and may throw to give up.
GameState create_game_database(const std::string &path, std::uint64_t bytes,
                               const std::function<void(std::uint64_t)> &progress);

// A connection set up as the game does it.
lbtest::Db open_game_database(const std::string &path);

// What the source's table `commits` says that it held after one commit.
GameState recorded_state(const lbtest::Db &database, std::int64_t commit);

// What the tables of a copy really hold, counted row by row. Throws if its commits have a gap.
GameState counted_state(const lbtest::Db &database);

// The game at play: one small transaction every two milliseconds, on its own thread and connection.
class Writer {
public:
    struct Commit {
        Clock::time_point end;
        std::chrono::nanoseconds duration;
    };

    Writer(std::string path, const GameState &start);
    ~Writer();

    // The last commit that SQLite has acknowledged.
    std::int64_t acknowledged() const { return acknowledged_.load(); }

    // Joins the thread and rethrows what it died of.
    void stop();

    // Durations of the commits that ended within a span of time, once stopped.
    std::vector<std::chrono::nanoseconds> commit_times(Clock::time_point from, Clock::time_point to) const;

private:
    void write(const std::string &path, GameState state);

    std::atomic<bool> stopping_{false};
    std::atomic<std::int64_t> acknowledged_;
    std::vector<Commit> commits_;
    std::exception_ptr failure_;
    std::thread thread_;
};

}  // namespace demo
