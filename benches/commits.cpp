// What a backup does to the host's own commits: one small transaction every 2 ms, in this process.

#include "bench.hpp"
#include "demo/game_database.hpp"

#include <unistd.h>

#include <thread>

namespace bench {
namespace {

struct Span {
    std::string name;
    Clock::time_point from, to;
};

// Of each contender in each round, at least: enough commits for a 99th percentile.
constexpr double kSeconds = 3;

Span repeated(const Contender &contender) {
    const Clock::time_point from = Clock::now();
    do contender.run();
    while (seconds_since(from) < kSeconds);
    return {contender.name, from, Clock::now()};
}

}  // namespace

void bench_commits(const Place &place) {
    const fs::path source = place.wal_source();
    demo::GameState last;
    {
        const lbtest::Db db(source);
        last = demo::recorded_state(db, db.scalar("SELECT max(seq) FROM commits"));
    }
    auto replace = lbtest::options();
    replace.existing = LB_EXISTING_REPLACE;
    const auto backup_to = [&](const char *name) { back_up(source, place.out(name), replace); };
    // cp beside a writer gives no sound copy, but it shows what a sharer of the disk costs.
    const std::vector<Contender> contenders = {
        {"no backup", [] { std::this_thread::sleep_for(std::chrono::seconds(1)); }, {}},
        {"cp, fsync", [&] { copy_with_cp(source, place.out("cp")); }, {}},
        {"backup to .db", [&] { backup_to("db"); }, {}},
        {"backup to .db.zst", [&] { backup_to("db.zst"); }, {}},
    };

    demo::Writer writer(source, last);
    std::vector<Span> spans;
    for (int round = 0; round <= place.rounds; ++round) {
        for (const Contender &contender : contenders) {
            std::fprintf(stderr, "  round %d of %d: commits, %s\n", round, place.rounds, contender.name.c_str());
            const Span span = repeated(contender);
            if (round > 0) spans.push_back(span);
            // What the snapshot kept in the log is checkpointed now, and what was written goes to the disk: both are
            // over before the next contender begins.
            std::this_thread::sleep_for(std::chrono::seconds(1));
            ::sync();
        }
    }
    writer.stop();
    for (const char *name : {"cp", "db", "db.zst"}) fs::remove(place.out(name));

    std::vector<std::vector<std::string>> rows = {{"", "commits", "p50", "p99", "p99 of rounds", "max", "wanted"}};
    for (const auto &[name, run, clean] : contenders) {
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
                        milliseconds(commits.max()), rows.size() < 3 ? "" : "p99 at most 2 x"});
    }
    print_table("The host's commits, one every 2 ms (WAL, synchronous=NORMAL)", rows);
}

}  // namespace bench
