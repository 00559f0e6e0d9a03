// For how long a rollback-journal source keeps its writers waiting.

#include "bench.hpp"

namespace bench {

void bench_lock(const Place &place) {
    const fs::path source = place.directory / "delete.db";
    fs::copy_file(place.medium(), source);
    lbtest::Db(source).exec("PRAGMA journal_mode=DELETE");
    for (const std::string extension : {"db", "db.zst"}) {
        const fs::path out = place.out(extension);
        std::vector<double> locked, whole;
        for (int round = 0; round <= place.rounds; ++round) {
            level_the_field(source);
            const Clock::time_point start = Clock::now();
            const lb_result result = back_up(source, out);
            const double time = seconds_since(start);
            fs::remove(out);
            if (round == 0) continue;
            locked.push_back(static_cast<double>(result.source_lock_ns) / 1e9);
            whole.push_back(time);
        }
        record("lock", "to ." + extension, "locked", locked);
        record("lock", "to ." + extension, "seconds", whole);
    }
    fs::remove(source);
}

}  // namespace bench
