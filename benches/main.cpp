// lb_bench SECTION DIRECTORY MiB ROUNDS: one section of the bench in one process; scripts/bench.sh runs them all.

#include "bench.hpp"

#include <boost/version.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <stdexcept>

namespace bench {
namespace {

void versions(const Place &) {
    std::printf("lb_backup %s; host's SQLite %s; Boost %d.%d\n", lb_version(), sqlite3_libversion(),
                BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000);
}

const std::map<std::string, void (*)(const Place &)> kSections = {
    {"versions", versions},     {"calls", bench_calls}, {"cancel", bench_cancel},
    {"sizes", bench_sizes},     {"plain", bench_plain}, {"compressed", bench_compressed},
    {"workers", bench_workers}, {"live", bench_live},   {"lock", bench_lock},
    {"queue", bench_queue},     {"restore", bench_restore}, {"adapter", bench_adapter}};

void run(const std::vector<std::string> &words) {
    if (words.size() == 3 && words[0] == "sizes-child") return bench_sizes_child(words[1], words[2]);
    if (words.size() == 4 && words[0] == "restore-child") return bench_restore_child(words[1], words[2], words[3]);
    const auto section = words.size() == 4 ? kSections.find(words[0]) : kSections.end();
    if (section == kSections.end()) throw std::invalid_argument("usage: lb_bench SECTION DIRECTORY MiB ROUNDS");
    section->second({words[1], std::stoull(words[2]), std::stoi(words[3])});
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
