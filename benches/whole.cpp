// Whole backups against what a user would run instead, on the same file. Nobody writes, so that `cp` too gets a sound
// copy.

#include "peers.hpp"

namespace bench {
namespace {

// All of ours that make one kind of file: with the checks that are on by default and without, at both priorities.
// The plainest name is that of the defaults.
void add_ours(std::vector<Contender> &contenders, const std::string &name, const fs::path &source, const fs::path &out,
              int level) {
    for (const std::uint32_t priority : {LB_PRIORITY_BACKGROUND, LB_PRIORITY_NORMAL}) {
        for (const bool checked : {true, false}) {
            auto options = lbtest::options();
            options.compression_level = level;
            options.verify = checked ? LB_VERIFY_QUICK : LB_VERIFY_NONE;
            options.digest = checked ? LB_DIGEST_SHA256 : LB_DIGEST_NONE;
            contenders.push_back(
                {name + (checked ? "" : ", no checks") + (priority == LB_PRIORITY_NORMAL ? ", normal priority" : ""),
                 [=] { back_up(source, out, options); }, out, [=] { configure(priority); }, level > 3});
        }
    }
}

Contender contender(const Peer &peer, const fs::path &source, const fs::path &out, bool slow = false) {
    return {peer.name, [=] { run_tool(command(peer, source, out)); }, out, {}, slow};
}

}  // namespace

void bench_plain(const Place &place) {
    const fs::path source = place.medium(), out = place.out("db");
    std::vector<Contender> contenders;
    add_ours(contenders, "lb_backup to .db", source, out, 0);
    for (const Peer &peer : {kCp, kDotBackup, kVacuumInto, kPython}) contenders.push_back(contender(peer, source, out));
    race("plain", contenders, source, place.rounds);
    record("plain", "source", "bytes", {static_cast<double>(fs::file_size(source))});
}

void bench_compressed(const Place &place) {
    const fs::path source = place.medium(), out = place.out("db.zst"), gzipped = place.out("db.gz");
    std::vector<Contender> contenders;
    for (const int level : {1, 3, 9})
        add_ours(contenders, "lb_backup to .db.zst, level " + std::to_string(level), source, out, level);
    for (const Peer &peer : {kZstd, kDotBackupZstd, kVacuumIntoZstd})
        contenders.push_back(contender(peer, source, out));
    for (const Peer &peer : {kDotBackupGzip, kVacuumIntoGzip})
        contenders.push_back(contender(peer, source, gzipped, true));
    contenders.push_back({kGamesWay, [=] { back_up_like_the_game(source, gzipped); }, gzipped, {}, true});
    race("compressed", contenders, source, place.rounds);
    record("compressed", "source", "bytes", {static_cast<double>(fs::file_size(source))});
}

// With more threads to compress, as far as there are processors.
void bench_workers(const Place &place) {
    const fs::path source = place.medium(), out = place.out("db.zst");
    std::vector<Contender> contenders;
    for (const std::uint32_t workers : {1U, 2U, 4U})
        contenders.push_back({std::to_string(workers) + (workers == 1 ? " worker" : " workers"),
                              [=] { back_up(source, out); }, out, [=] { configure(LB_PRIORITY_BACKGROUND, workers); }});
    race("workers", contenders, source, place.rounds);
}

}  // namespace bench
