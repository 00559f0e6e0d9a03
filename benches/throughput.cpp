// A whole backup against what a user would run instead, on the same file. Nobody writes, so that `cp` too gets a sound
// copy.

#include "bench.hpp"

namespace bench {
void bench_throughput(const Place &place) {
    const fs::path source = place.wal_source();
    const fs::path image = place.out("db");
    const fs::path archive = place.out("db.zst");
    auto bare = lbtest::options();
    bare.verify = LB_VERIFY_NONE;
    bare.digest = LB_DIGEST_NONE;
    std::uintmax_t ours = 0, theirs = 0;
    const auto clean_image = [&] { fs::remove(image); };

    const std::vector<Contender> contenders = {
        {"cp, fsync", [&] { copy_with_cp(source, image); }, clean_image},
        {"sqlite3 .backup", [&] { run_tool({"sqlite3", source, ".backup '" + image.string() + "'"}); }, clean_image},
        {"lb_backup to .db, defaults", [&] { back_up(source, image); }, clean_image},
        {"lb_backup to .db, no verify, no digest", [&] { back_up(source, image, bare); }, clean_image},
        {"zstd -3 -T0, fsync",
         [&] { run_tool({"zstd", "-3", "-T0", "-q", "-f", "-o", archive, source}), sync_file(archive); },
         [&] { theirs = fs::file_size(archive), fs::remove(archive); }},
        {"lb_backup to .db.zst, defaults", [&] { back_up(source, archive); },
         [&] { ours = fs::file_size(archive), fs::remove(archive); }},
        {"lb_backup to .db.zst, no verify, no digest", [&] { back_up(source, archive, bare); },
         [&] { fs::remove(archive); }},
    };
    const std::vector<Figures> times = race(contenders, source, place.rounds);

    const double megabytes = static_cast<double>(fs::file_size(source)) / 1048576;
    std::vector<std::vector<std::string>> rows = {{"", "median", "min", "max", "MiB/s", "of its peer", "wanted"}};
    for (std::size_t i = 0; i < contenders.size(); ++i) {
        const bool compresses = i >= 4;
        const double peer = times[compresses ? 4 : 0].median();
        rows.push_back({contenders[i].name, print("%.2f s", times[i].median()), print("%.2f s", times[i].min()),
                        print("%.2f s", times[i].max()), print("%.0f", megabytes / times[i].median()),
                        print("%.2f x", times[i].median() / peer), i == 2 ? "at most 2 x cp" : ""});
    }
    print_table(print("Whole backups of a %.0f MiB WAL database", megabytes), rows);
    print_note("Archive: " + print("%.1f MiB", static_cast<double>(ours) / 1048576) + " by lb_backup, " +
               print("%.1f MiB", static_cast<double>(theirs) / 1048576) +
               " by zstd. lb_backup's threads run at background priority; verify reads the written file back.");
}

}  // namespace bench
