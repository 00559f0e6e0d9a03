// lb_bench SECTION DIRECTORY MiB ROUNDS: one section of the bench in one process; scripts/bench.sh runs them all.

#include "bench.hpp"
#include "demo/game_database.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <stdexcept>

namespace bench {
namespace {

void make(const Place &place) {
    demo::create_game_database(place.wal_source(), place.bytes, [](std::uint64_t) {});
    fs::copy_file(place.wal_source(), place.delete_source());
    lbtest::Db(place.delete_source()).exec("PRAGMA journal_mode=DELETE");
}

void versions(const Place &) {
    std::printf("lb_backup %s; host's SQLite %s\n", lb_version(), sqlite3_libversion());
}

const std::map<std::string, void (*)(const Place &)> kSections = {
    {"make", make},           {"versions", versions},         {"calls", bench_calls},     {"cancel", bench_cancel},
    {"memory", bench_memory}, {"throughput", bench_throughput}, {"commits", bench_commits}, {"lock", bench_lock}};

void run(const std::vector<std::string> &words) {
    if (words.size() == 3 && words[0] == "memory-child") return bench_memory_child(words[1], words[2]);
    const auto section = words.size() == 4 ? kSections.find(words[0]) : kSections.end();
    if (section == kSections.end()) throw std::invalid_argument("usage: lb_bench SECTION DIRECTORY MiB ROUNDS");
    section->second({words[1], std::stoull(words[2]) << 20, std::stoi(words[3])});
}

}  // namespace
}  // namespace bench

int main(int argc, char **argv) {
    try {
        bench::run(std::vector<std::string>(argv + 1, argv + argc));
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "lb_bench: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
