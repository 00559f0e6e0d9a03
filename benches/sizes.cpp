// What grows with the database, and what must not: time and memory of one backup, each in a fresh process.

#include "bench.hpp"

#include <cstdio>
#include <map>
#include <sstream>

namespace bench {
void bench_sizes_child(const fs::path &source, const fs::path &dest) {
    const double before = peak_bytes();
    const Clock::time_point start = Clock::now();
    back_up(source, dest);
    const double time = seconds_since(start);
    std::printf("%f %f\n", time, peak_bytes() - before);
}

void bench_sizes(const Place &place) {
    struct Measured {
        std::vector<double> seconds, growth;
    };
    const std::vector<std::pair<std::string, fs::path>> sources = {
        {"small", place.small()}, {"medium", place.medium()}, {"large", place.large()}};
    std::map<std::string, Measured> measured;
    for (int round = 0; round <= place.rounds; ++round) {
        for (const auto &[size, source] : sources) {
            for (const char *extension : {"db", "db.zst"}) {
                const std::string name = size + " to ." + extension;
                std::fprintf(stderr, "  round %d of %d: %s\n", round, place.rounds, name.c_str());
                const fs::path out = place.out(extension);
                level_the_field(source);
                std::string output;
                run_tool({"/proc/self/exe", "sizes-child", source, out}, &output);
                fs::remove(out);
                std::istringstream numbers(output);
                double time = 0, growth = 0;
                if (!(numbers >> time >> growth)) lbtest::fail("sizes-child said: " + output);
                if (round == 0) continue;
                measured[name].seconds.push_back(time);
                measured[name].growth.push_back(growth);
            }
        }
    }
    for (const auto &[size, source] : sources)
        record("sizes", size, "bytes", {static_cast<double>(fs::file_size(source))});
    for (const auto &[name, values] : measured) {
        record("sizes", name, "seconds", values.seconds);
        record("sizes", name, "growth", values.growth);
    }
}

}  // namespace bench
