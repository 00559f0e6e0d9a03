// What a backup does to the host's own commits: one small transaction every 2 ms, in this process.

#include "bench.hpp"
#include "demo/game_database.hpp"

#include <thread>

namespace bench {
namespace {

struct Span {
    std::string name;
    Clock::time_point from, to;
};

// Of each contender in each round, at least: enough commits for a 99th percentile.
constexpr double kSeconds = 3;

Span timed(const std::string &name, const std::function<void()> &run) {
    const Clock::time_point from = Clock::now();
    do run();
    while (seconds_since(from) < kSeconds);
    return {name, from, Clock::now()};
}

}  // namespace

void bench_commits(const Place &place) {
    const fs::path source = place.wal_source();
    demo::GameState last;
    {
        const lbtest::Db db(source);
        last = demo::recorded_state(db, db.scalar("SELECT max(seq) FROM commits"));
    }
    demo::Writer writer(source, last);
    std::vector<Span> spans;
    for (int round = 0; round <= place.rounds; ++round) {
        std::fprintf(stderr, "  round %d of %d: commits\n", round, place.rounds);
        std::vector<Span> one_round = {timed("no backup", [] { std::this_thread::sleep_for(std::chrono::seconds(1)); })};
        for (const char *name : {"db", "db.zst"}) {
            auto options = lbtest::options();
            options.existing = LB_EXISTING_REPLACE;
            one_round.push_back(timed(std::string("backup to .") + name,
                                      [&] { back_up(source, place.out(name), options); }));
            fs::remove(place.out(name));
            // The log that the snapshot kept is checkpointed now; that belongs to the backup's price, but not to the
            // next contender's.
            std::this_thread::sleep_for(std::chrono::milliseconds(500));
        }
        if (round > 0) spans.insert(spans.end(), one_round.begin(), one_round.end());
    }
    writer.stop();

    std::vector<std::vector<std::string>> rows = {{"", "commits", "p50", "p99", "p99 of rounds", "max", "wanted"}};
    for (const char *name : {"no backup", "backup to .db", "backup to .db.zst"}) {
        std::vector<double> all, p99;
        for (const Span &span : spans) {
            if (span.name != name) continue;
            std::vector<double> times;
            for (const auto time : writer.commit_times(span.from, span.to))
                times.push_back(std::chrono::duration<double>(time).count());
            all.insert(all.end(), times.begin(), times.end());
            p99.push_back(Figures(times).at(0.99));
        }
        const Figures commits(all), rounds(p99);
        rows.push_back({name, std::to_string(commits.count()), microseconds(commits.median()),
                        microseconds(commits.at(0.99)),
                        microseconds(rounds.min()) + " to " + microseconds(rounds.max()),
                        milliseconds(commits.max()), rows.size() == 1 ? "" : "p99 at most 2 x"});
    }
    print_table("The host's commits, one every 2 ms (WAL, synchronous=NORMAL)", rows);
}

}  // namespace bench
