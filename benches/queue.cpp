// Many small databases: all of them handed to the queue at once, against a host that goes through them with SQLite's
// online backup, as its documentation shows, and makes each copy durable before the next.

#include "bench.hpp"

namespace bench {
namespace {

constexpr int kDatabases = 1000;
constexpr std::int64_t kBytes = 256 << 10;

std::string name(int number) { return std::to_string(number) + ".db"; }

void back_up_all(const fs::path &source, const fs::path &out, const std::string &suffix) {
    std::vector<lbtest::Job> jobs;
    for (int i = 0; i < kDatabases; ++i) jobs.push_back(lbtest::Job::start(source / name(i), out / (name(i) + suffix)));
    for (lbtest::Job &job : jobs)
        if (const lb_result result = job.join(); result.status != LB_STATUS_OK) lbtest::fail(result.message);
}

void back_up_online(const fs::path &source, const fs::path &dest) {
    {
        const lbtest::Db from(source), to(dest);
        sqlite3_backup *backup = sqlite3_backup_init(to.handle(), "main", from.handle(), "main");
        if (!backup || sqlite3_backup_step(backup, -1) != SQLITE_DONE || sqlite3_backup_finish(backup) != SQLITE_OK)
            lbtest::fail("online backup of " + source.string() + ": " + sqlite3_errmsg(to.handle()));
    }
    sync_path(dest);
    sync_path(dest.parent_path());
}

}  // namespace

void bench_queue(const Place &place) {
    const fs::path many = place.directory / "many", original = many / "original.db";
    fs::create_directory(many);
    lbtest::DatabaseOptions wanted;
    wanted.bytes = kBytes * 3 / 4;  // and its indices and its overhead
    lbtest::make_database(original, wanted);

    // Each run has databases of its own, in the same state, and nothing is removed before the end: ext4 does not take
    // the inodes of files again that were removed a moment ago, and looks at each of them for every file that is made.
    fs::path source, out;
    int run = 0;
    const auto prepare = [&] {
        source = many / ("source." + std::to_string(run));
        out = many / ("out." + std::to_string(run++));
        fs::create_directory(source);
        fs::create_directory(out);
        for (int i = 0; i < kDatabases; ++i) fs::copy_file(original, source / name(i));
    };
    const std::vector<Contender> contenders = {
        {"lb_backup to .db", [&] { back_up_all(source, out, ""); }, {}, prepare},
        {"lb_backup to .db.zst", [&] { back_up_all(source, out, ".zst"); }, {}, prepare},
        {"online backup, fsync",
         [&] {
             for (int i = 0; i < kDatabases; ++i) back_up_online(source / name(i), out / name(i));
         },
         {},
         prepare},
    };
    race("queue", contenders, place.medium(), place.rounds);
    record("queue", "source", "bytes", {static_cast<double>(fs::file_size(original))});
    fs::remove_all(many);
}

}  // namespace bench
