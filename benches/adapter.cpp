// The game's adapter: what a call costs beside lb_backup_start, a list of many backups beside hashing them as the game's
// old code does, many futures at once, and the frames of a game whose backup goes through it.

#include "bench.hpp"

#include "demo/frame_loop.hpp"

#include <liarsdice/database/async_backup_service.hpp>

#include <boost/crc.hpp>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <map>

namespace bench {
namespace {

using namespace liarsdice::database;

constexpr int kStarts = 1000;
constexpr int kArchives = 1000;
constexpr int kFutures = 10'000;
constexpr std::int64_t kSmallBytes = 256 << 10;

boost::filesystem::path to_boost(const fs::path &path) { return path.string(); }

fs::path fresh_directory(const Place &place, const std::string &name) {
    const fs::path out = place.directory / name;
    fs::remove_all(out);
    fs::create_directory(out);
    return out;
}

const BackupInfo &must(const DatabaseResult<BackupInfo> &result) {
    if (!result) lbtest::fail(result.error().full_message());
    return *result;
}

// What one call took, by the clock and of the processor: with other programs about, only the latter is the call's own.
struct Taken {
    std::vector<double> seconds, processor;

    template <class Call> auto operator()(bool counts, const Call &call) {
        const Clock::time_point start = Clock::now();
        const double processor_start = processor_seconds();
        auto started = call();
        const double used = processor_seconds() - processor_start;
        if (counts) {
            seconds.push_back(seconds_since(start));
            processor.push_back(used);
        }
        return started;
    }

    void record(const std::string &name) const {
        record_latencies("adapter", name, seconds);
        record_latencies("adapter", name + ", processor", processor);
    }

private:
    static double processor_seconds() {
        timespec now{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
    }
};

// In turn, so that both have the same minute.
void bench_overhead(const Place &place) {
    const fs::path source = place.medium(), out = fresh_directory(place, "adapter");
    RetentionPolicy unlimited;
    unlimited.max_backup_size_mb = SIZE_MAX;
    AsyncBackupService service(to_boost(source), to_boost(out), unlimited);
    Taken library, adapter;
    for (int i = -1; i < kStarts; ++i) {
        library(i >= 0, [&] { return lbtest::Job::start(source, out / "plain.db.zst"); });
        fs::remove(out / "plain.db.zst");
        auto backup = adapter(i >= 0, [&] { return service.start_backup(); });
        service.cancel_backup(backup.backup_id);
        backup.result.wait();
    }
    library.record("lb_backup_start");
    adapter.record("start_backup");
    fs::remove_all(out);
}

// As the game's old code has it: CRC-32 over every byte, in steps of 4 KiB.
void hash_all(const fs::path &directory) {
    for (const auto &entry : fs::directory_iterator(directory)) {
        std::ifstream file(entry.path(), std::ios::binary);
        boost::crc_32_type crc;
        char buffer[4096];
        while (file.read(buffer, sizeof buffer) || file.gcount() > 0)
            crc.process_bytes(buffer, static_cast<std::size_t>(file.gcount()));
        if (crc.checksum() == 0) std::fprintf(stderr, "  a checksum of 0\n");
    }
}

void forget(const fs::path &directory) {
    for (const auto &entry : fs::directory_iterator(directory)) {
        const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0 || ::fsync(file) != 0 || ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0)
            lbtest::fail_errno("cannot drop " + entry.path().string() + " from the page cache");
        ::close(file);
    }
}

void bench_list(const Place &place) {
    const fs::path source = place.directory / "small.db", out = fresh_directory(place, "archives");
    lbtest::DatabaseOptions wanted;
    wanted.bytes = kSmallBytes;
    lbtest::make_database(source, wanted);
    const fs::path original = place.out("db.zst");
    fs::remove(original);
    if (const lb_result result = back_up(source, original); result.status != LB_STATUS_OK) lbtest::fail(result.message);
    for (int i = 0; i < kArchives; ++i)
        fs::copy_file(original, out / ("backup_manual_" + std::to_string(i) + ".db.zst"));
    DatabaseManager database;
    const auto list = [](AsyncBackupManager &manager) {
        const Clock::time_point start = Clock::now();
        const auto found = manager.list_backups();
        const double seconds = seconds_since(start);
        if (!found || found->size() != kArchives) lbtest::fail("not all backups are listed");
        return seconds;
    };
    std::map<std::string, std::vector<double>> rounds;
    for (int round = 0; round <= place.rounds; ++round) {
        std::map<std::string, double> now;
        forget(out);
        {
            AsyncBackupManager manager(database, to_boost(out));
            now["list, nothing in memory"] = list(manager);
        }
        {
            AsyncBackupManager manager(database, to_boost(out));
            now["list, new to the manager"] = list(manager);
            now["list, known to the manager"] = list(manager);
        }
        for (const bool in_memory : {false, true}) {
            if (!in_memory) forget(out);
            const Clock::time_point start = Clock::now();
            hash_all(out);
            now[in_memory ? "CRC-32 of all" : "CRC-32 of all, nothing in memory"] = seconds_since(start);
        }
        for (const auto &[name, seconds] : now)
            if (round > 0) rounds[name].push_back(seconds);
    }
    for (const auto &[name, seconds] : rounds) record("adapter", name, "seconds", seconds);
    record("adapter", "archives", "bytes", {static_cast<double>(fs::file_size(original))});
    fs::remove_all(out);
    fs::remove(original);
}

void bench_futures(const Place &place) {
    lb_shutdown(UINT32_MAX);
    auto config = lbtest::config();
    config.queue_length = 2 * kFutures;
    if (lb_configure(&config, nullptr) != LB_STATUS_OK) lbtest::fail("cannot configure the library");
    const fs::path source = place.directory / "small.db", out = fresh_directory(place, "futures");
    AsyncBackupService service(to_boost(source), to_boost(out));
    must(service.create_backup_async("first").get());  // the library's threads run
    const double before = static_cast<double>(lbtest::count_threads());
    const Clock::time_point start = Clock::now();
    std::vector<std::future<DatabaseResult<BackupInfo>>> futures;
    for (int i = 0; i < kFutures; ++i) futures.push_back(service.create_backup_async());
    const double started = seconds_since(start);
    const double during = static_cast<double>(lbtest::count_threads());
    for (auto &future : futures) must(future.get());
    record("adapter", "10,000 futures", "seconds to start", {started});
    record("adapter", "10,000 futures", "seconds", {seconds_since(start)});
    record("adapter", "10,000 futures", "threads before", {before});
    record("adapter", "10,000 futures", "threads", {during});
    fs::remove_all(out);
    configure();
}

void bench_frames(const Place &place) {
    const fs::path source = place.medium();
    std::map<std::string, std::map<std::string, std::vector<double>>> rounds;
    const auto play = [&](const std::string &name, int round, auto goes_on) {
        std::uint32_t dice = 1;
        const demo::Durations frames = demo::run_frames([&] {
            dice = demo::play_one_frame(dice);
            return goes_on();
        });
        if (round == 0) return;
        const auto seconds = [](std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); };
        rounds[name]["frame p50"].push_back(seconds(frames.at(0.5)));
        rounds[name]["frame p99"].push_back(seconds(frames.p99()));
        rounds[name]["frame max"].push_back(seconds(frames.longest()));
        rounds[name]["frames"].push_back(static_cast<double>(frames.count()));
    };
    for (int round = 0; round <= place.rounds; ++round) {
        const fs::path out = fresh_directory(place, "frames");
        RetentionPolicy unlimited;
        unlimited.max_backup_size_mb = SIZE_MAX;
        AsyncBackupService service(to_boost(source), to_boost(out), unlimited);
        level_the_field(source);
        const Clock::time_point start = Clock::now();
        auto backup = service.start_backup();
        double shown = 0;
        play("frames during a backup", round, [&] {
            for (const BackupProgress &running : service.get_running_backups()) shown = running.get_percentage();
            return backup.result.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
        });
        const double took = seconds_since(start);
        must(backup.result.get());
        if (shown > 100) lbtest::fail("more than everything");
        // As long as that: it must have as much time for a mishap.
        level_the_field(source);
        const Clock::time_point idle = Clock::now();
        play("frames without a backup", round, [&] { return seconds_since(idle) < took; });
        fs::remove_all(out);
    }
    for (const auto &[name, quantities] : rounds)
        for (const auto &[quantity, values] : quantities) record("adapter", name, quantity, values);
}

}  // namespace

void bench_adapter(const Place &place) {
    DatabaseConfig::instance().set_database_directory(to_boost(place.directory));
    bench_overhead(place);
    bench_list(place);
    bench_futures(place);
    bench_frames(place);
}

}  // namespace bench
