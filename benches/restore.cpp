// What a backup is good for: restores and verifications of an archive, against the tool that made others of its kind.

#include "bench.hpp"
#include "demo/game_database.hpp"

#include <algorithm>
#include <cstdio>

namespace bench {
namespace {

void restore(const fs::path &archive, const fs::path &dest, std::uint32_t existing) {
    auto options = lbtest::sized<lb_restore_options>();
    options.existing = existing;
    lb_job *job = nullptr;
    auto error = lbtest::error();
    if (lb_restore_start(archive.c_str(), dest.c_str(), &options, &job, &error) != LB_STATUS_OK)
        lbtest::fail(error.message);
    const lb_result result = lbtest::Job(job).join();
    if (result.status != LB_STATUS_OK) lbtest::fail(result.message);
}

void verify(const fs::path &archive) {
    lb_job *job = nullptr;
    auto error = lbtest::error();
    if (lb_verify_start(archive.c_str(), nullptr, &job, &error) != LB_STATUS_OK) lbtest::fail(error.message);
    const lb_result result = lbtest::Job(job).join();
    if (result.status != LB_STATUS_OK) lbtest::fail(result.message);
}

// A game's database in use, which is brought away from the archive's state again and again.
class Live {
public:
    // `changed` picks the games of which all moves are changed.
    Live(const fs::path &path, const fs::path &source, std::string changed) : path_(path), changed_(std::move(changed)) {
        fs::copy_file(source, path);
    }

    void change() {
        lbtest::Db host = demo::open_game_database(path_);
        host.exec("UPDATE moves SET thinking_ms = thinking_ms + 1 WHERE " + changed_);
        host.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    // While the game has it open, as it usually has.
    void restore_from(const fs::path &archive) {
        lbtest::Db host = demo::open_game_database(path_);
        host.scalar("SELECT count(*) FROM players");
        restore(archive, path_, LB_EXISTING_REPLACE);
        log_ = std::max(log_, static_cast<double>(fs::file_size(path_.string() + "-wal")));
    }

    double log() const { return log_; }

private:
    fs::path path_;
    std::string changed_;
    double log_ = 0;
};

}  // namespace

void bench_restore_child(const std::string &what, const fs::path &archive, const fs::path &dest) {
    const double before = peak_bytes();
    if (what == "verify")
        verify(archive);
    else
        restore(archive, dest, what == "new" ? LB_EXISTING_REFUSE : LB_EXISTING_REPLACE);
    std::printf("%f\n", peak_bytes() - before);
}

void bench_restore(const Place &place) {
    const fs::path source = place.medium(), archive = place.out("archive.db.zst"), out = place.out("restored.db");
    back_up(source, archive);
    // A hundredth of the games: the last ones, as a game changes its database; and every so many-th, each on a page of its
    // own, of which hardly a chunk has none.
    Live recent(place.out("recent.db"), source, "game_id > (SELECT max(id) * 99 / 100 FROM games)");
    Live scattered(place.out("scattered.db"), source, "game_id % 270 = 0");

    const std::string zstd = "zstd -d \"$1\" -q -o \"$2\" && sync \"$2\"";
    const std::vector<Contender> contenders = {
        {"restore to a new file", [&] { restore(archive, out, LB_EXISTING_REFUSE); }, out},
        {"zstd -d", [&] { run_tool({"sh", "-c", zstd, "sh", archive, out}); }, out},
        {"restore in place, the last 1 % of the games changed", [&] { recent.restore_from(archive); }, {},
         [&] { recent.change(); }},
        {"restore in place, 1 % of the pages changed everywhere", [&] { scattered.restore_from(archive); }, {},
         [&] { scattered.change(); }},
        {"quick verification", [&] { verify(archive); }, {}},
        {"zstd -t", [&] { run_tool({"zstd", "-t", "-q", archive}); }, {}},
    };
    race("restore", contenders, source, place.rounds);
    record("restore", "source", "bytes", {static_cast<double>(fs::file_size(source))});
    record("restore", contenders[2].name, "log", {recent.log()});
    record("restore", contenders[3].name, "log", {scattered.log()});

    recent.change();
    const std::vector<std::pair<std::string, std::string>> children = {
        {"new", contenders[0].name}, {"in-place", contenders[2].name}, {"verify", contenders[4].name}};
    for (const auto &[what, name] : children) {
        const fs::path dest = what == "new" ? out : place.out("recent.db");
        std::string output;
        run_tool({"/proc/self/exe", "restore-child", what, archive, dest}, &output);
        record("restore", name, "growth", {std::stod(output)});
    }
    for (const char *file : {"archive.db.zst", "restored.db", "recent.db", "scattered.db"}) fs::remove(place.out(file));
}

}  // namespace bench
