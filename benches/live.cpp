// What a backup does to the game that goes on meanwhile in this process, with one small transaction every 2 ms and a
// frame loop at 60 Hz; and what such a writer does to the backup: how far the log grows, and whether the copy ends.

#include "demo/frame_loop.hpp"
#include "demo/game_database.hpp"
#include "peers.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <map>

namespace bench {
namespace {

constexpr double kSeconds = 5;           // of each rival in each round, at least: some 2,500 commits
constexpr const char *kPatience = "60";  // seconds, after which timeout(1) ends a peer with exit code 124

struct Outcome {
    int exit_code = 0;
    double log_growth = 0;  // bytes
};

// What goes on beside the game. Round 0 does not count.
struct Rival {
    std::string name;
    int first_round, last_round;
    std::function<Outcome()> run;
    std::uint32_t priority = LB_PRIORITY_BACKGROUND;
};

struct Span {
    Clock::time_point from, to;
    demo::Durations frames;
    Outcome outcome;
    double run_seconds = 0;  // of one run, on average
};

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

double size_of(const fs::path &path) { return fs::exists(path) ? static_cast<double>(fs::file_size(path)) : 0; }

// The rival on a thread of its own, as often as the time allows; the frames on this one.
Span play_beside(const std::function<Outcome()> &run) {
    Span span;
    span.from = Clock::now();
    auto ended = std::async(std::launch::async, [&] {
        int runs = 0;
        do {
            const Outcome outcome = run();
            span.outcome.exit_code = std::max(span.outcome.exit_code, outcome.exit_code);
            span.outcome.log_growth = std::max(span.outcome.log_growth, outcome.log_growth);
            ++runs;
        } while (seconds_since(span.from) < kSeconds);
        span.run_seconds = seconds_since(span.from) / runs;
    });
    std::uint32_t dice = 1;
    span.frames = demo::run_frames([&] {
        dice = demo::play_one_frame(dice);
        return ended.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
    });
    ended.get();
    span.to = Clock::now();
    return span;
}

// The game has no thread for its backup: the frame that begins it ends with it. A second of frames before, one after.
Span play_like_the_game(const fs::path &source, const fs::path &dest) {
    Span span;
    span.from = Clock::now();
    std::uint32_t dice = 1;
    span.frames = demo::run_frames([&, frame = 0]() mutable {
        dice = demo::play_one_frame(dice);
        if (++frame == 60) {
            const Clock::time_point start = Clock::now();
            back_up_like_the_game(source, dest);
            span.run_seconds = seconds_since(start);
        }
        return frame < 120;
    });
    span.to = Clock::now();
    return span;
}

void record_spans(const std::string &name, const std::vector<Span> &spans, const demo::Writer &writer) {
    std::map<std::string, std::vector<double>> rounds;
    std::vector<double> all;
    for (const Span &span : spans) {
        std::vector<double> commits;
        for (const auto time : writer.commit_times(span.from, span.to)) commits.push_back(seconds(time));
        all.insert(all.end(), commits.begin(), commits.end());
        rounds["commits"].push_back(static_cast<double>(commits.size()));
        rounds["commit p50"].push_back(quantile(commits, 0.5));
        rounds["commit p99"].push_back(quantile(commits, 0.99));
        rounds["commit max"].push_back(quantile(commits, 1));
        rounds["frame p50"].push_back(seconds(span.frames.at(0.5)));
        rounds["frame p99"].push_back(seconds(span.frames.at(0.99)));
        rounds["frame max"].push_back(seconds(span.frames.longest()));
        rounds["log growth"].push_back(span.outcome.log_growth);
        rounds["exit code"].push_back(span.outcome.exit_code);
        rounds["seconds"].push_back(span.run_seconds);
    }
    for (const auto &[quantity, values] : rounds) record("live", name, quantity, values);
    // Of all rounds together: what one commit in 1, in 1.26, in 1.58, … in 10, … in 1,000 and so on exceeds.
    std::vector<double> tail;
    for (int i = 0; std::pow(10, i / 10.0) <= static_cast<double>(all.size()); ++i)
        tail.push_back(quantile(all, 1 - std::pow(10, -i / 10.0)));
    record("live", name, "commit tail", tail);
}

}  // namespace

void bench_live(const Place &place) {
    const fs::path source = place.directory / "live.db", log = source.string() + "-wal", out = place.out("live");
    fs::copy_file(place.medium(), source);
    lbtest::Db connection(source);
    sqlite3_busy_timeout(connection.handle(), 5000);

    double longest = kSeconds;  // of our spans: one without a backup must have as much time for a mishap
    const auto ours = [&](const std::string &extension) {
        return [&, extension] {
            auto replace = lbtest::options();
            replace.existing = LB_EXISTING_REPLACE;
            const lb_result result = back_up(source, out / ("ours." + extension), replace);
            return Outcome{0, static_cast<double>(result.wal_growth_bytes)};
        };
    };
    const auto theirs = [&](const Peer &peer) {
        return [&, peer] {
            const Peer afresh{peer.name, R"(rm -f "$2"* && )" + peer.script};
            std::vector<std::string> words = command(afresh, source, out / "theirs");
            words.insert(words.begin(), {"timeout", kPatience});
            const double before = size_of(log);
            return Outcome{lbtest::run(words), size_of(log) - before};
        };
    };
    const auto nothing = [&] {
        const double before = size_of(log);
        std::this_thread::sleep_for(std::chrono::duration<double>(longest));
        return Outcome{0, size_of(log) - before};
    };
    std::vector<Rival> rivals = {
        {"no backup", 0, place.rounds, nothing},
        {"lb_backup to .db", 0, place.rounds, ours("db")},
        {"lb_backup to .db.zst", 0, place.rounds, ours("db.zst")},
        {"lb_backup to .db.zst, normal priority", 1, 2, ours("db.zst"), LB_PRIORITY_NORMAL},
    };
    for (const Peer &peer : {kCp, kZstd, kVacuumInto, kVacuumIntoZstd, kPython})
        rivals.push_back({peer.name, 1, 2, theirs(peer)});
    for (const Peer &peer : {kVacuumIntoGzip, kDotBackup, kPythonInSteps})
        rivals.push_back({peer.name, 1, 1, theirs(peer)});

    const auto settle = [&] {
        connection.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        fs::remove_all(out);
        fs::create_directory(out);
        ::sync();
        std::this_thread::sleep_for(std::chrono::seconds(1));
    };
    demo::Writer writer(source, demo::recorded_state(connection, connection.scalar("SELECT max(seq) FROM commits")));
    std::map<std::string, std::vector<Span>> spans;
    for (int round = 0; round <= place.rounds; ++round) {
        for (const Rival &rival : rivals) {
            if (round < rival.first_round || round > rival.last_round) continue;
            std::fprintf(stderr, "  round %d of %d: %s\n", round, place.rounds, rival.name.c_str());
            settle();
            configure(rival.priority);
            const Span span = play_beside(rival.run);
            if (rival.first_round == 0) longest = std::max(longest, seconds(span.to - span.from));
            if (round > 0) spans[rival.name].push_back(span);
        }
    }
    // Last, as it opens and closes the file in the process that has it open, which drops this process's locks: the next
    // sqlite3 to come would take the log for nobody's and delete it under the writer.
    std::fprintf(stderr, "  once: %s\n", kGamesWay.c_str());
    settle();
    spans[kGamesWay].push_back(play_like_the_game(source, out / "game.db.gz"));
    writer.stop();

    rivals.push_back({kGamesWay, 1, 1, {}});
    for (const Rival &rival : rivals) record_spans(rival.name, spans[rival.name], writer);
}

}  // namespace bench
