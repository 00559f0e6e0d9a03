// For how long a rollback-journal source keeps its writers waiting.

#include "bench.hpp"

namespace bench {

void bench_lock(const Place &place) {
    std::vector<std::vector<std::string>> rows = {{"", "median", "min", "max"}};
    for (const char *name : {"db", "db.zst"}) {
        std::vector<double> locked, whole;
        for (int round = 0; round <= place.rounds; ++round) {
            const Clock::time_point start = Clock::now();
            const lb_result result = back_up(place.delete_source(), place.out(name));
            const double time = seconds_since(start);
            fs::remove(place.out(name));
            if (round == 0) continue;
            locked.push_back(static_cast<double>(result.source_lock_ns) / 1e9);
            whole.push_back(time);
        }
        const auto add = [&](const std::string &what, const Figures &figures) {
            rows.push_back({what + " ." + name, print("%.2f s", figures.median()), print("%.2f s", figures.min()),
                            print("%.2f s", figures.max())});
        };
        add("source locked, backup to", Figures(locked));
        add("whole backup to", Figures(whole));
    }
    print_table("A source in DELETE mode", rows);
}

}  // namespace bench
