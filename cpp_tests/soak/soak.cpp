// lb_soak SOAK_HOST SWEEPING_HOST (--minutes N | --turns N) [--seed S] [--tsv FILE] [--steps N]
//
// Two hosts at work on the same databases and in the same directories, turn after turn. One lives as long as the soak, and
// is watched: memory, descriptors, threads. The other is killed at random moments and started again. Between the turns,
// when both are idle, everything is looked at: docs/KILLS.md. SPDX-License-Identifier: MIT OR Apache-2.0

#include "places.hpp"
#include "support/hosts.hpp"

#include <array>
#include <map>
#include <random>

using namespace lbtest;
using namespace lbtest::soak;
using numbered::State;
using Clock = std::chrono::steady_clock;

namespace {

struct Asked {
    std::string host, sweeping_host;
    double minutes = 0;
    int turns = 0, steps = 12;
    std::uint64_t seed = 1;
    std::string tsv;
};

/// What the host that is not killed uses when it is idle.
struct Sample {
    std::int64_t resident_kib, own_descriptors, librarys_descriptors, threads;
};

/// How much more memory the last third may use than the first. What is not given back by the allocator is some MiB, and
/// comes and goes; a leak of 1 KiB in each operation is 4 MiB in 4,096 of them, which are little more than a minute.
constexpr std::int64_t most_growth_kib = 4096;
/// In a shorter soak the first third is the time in which caches and the allocator's arenas fill.
constexpr std::size_t fewest_samples = 100;

/// Archives of each host that are left to be restored, verified and reused.
constexpr std::size_t archives_kept = 4;

constexpr std::chrono::seconds patience(300);  // against hanging only

class Soak {
public:
    explicit Soak(const Asked &asked) : asked_(asked), random_(asked.seed) {
        for (const auto &directory : {places_.backups, places_.restored, places_.database[live].parent_path()})
            fs::create_directory(directory);
        for (int i = 0; i < databases; ++i) {
            numbered::create(places_.database[i], i == old ? "DELETE" : "WAL", 4096, first_state(i));
            last_[i] = first_state(i);
        }
        if (!asked.tsv.empty()) {
            tsv_ = std::fopen(asked.tsv.c_str(), "w");
            if (tsv_ == nullptr) fail_errno("cannot write " + asked.tsv);
            std::fprintf(tsv_, "seconds\tturn\toperations\tfaults\tkills\tresident_kib\thost_descriptors\t"
                               "library_descriptors\tthreads\tcomplaints\n");
        }
    }
    ~Soak() {
        if (tsv_ != nullptr) std::fclose(tsv_);
    }

    bool run() {
        std::printf("soak: seed %llu, %s\n", static_cast<unsigned long long>(asked_.seed), lb_version());
        watched_ = start("watched");
        for (int turn = 1; asked_.turns > 0 ? turn <= asked_.turns : elapsed() < asked_.minutes * 60; ++turn) {
            one_turn();
            inspect();
            report(turn);
        }
        // Nobody has died of it.
        watched_->let_end();
        watched_->rest(patience, [&](const Record &record) { listen(record); });
        if (watched_->wait() != 0) complain("the host that nobody killed has failed");
        return summary();
    }

private:
    static State first_state(int database) { return {database + 1, 100}; }
    double elapsed() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }

    std::unique_ptr<HostProcess> start(const std::string &name) {
        const auto seed = asked_.seed * 1'000'000 + static_cast<std::uint64_t>(++hosts_);
        return std::make_unique<HostProcess>(std::vector<std::string>{
            asked_.host, name, dir_.path(), std::to_string(seed), std::to_string(asked_.steps)});
    }

    void complain(const std::string &what) {
        ++complaints_;
        std::printf("%.0f s: %s\n", elapsed(), what.c_str());
        std::fflush(stdout);
    }

    template <class Body> void complain_of(Body body) {
        try {
            body();
        } catch (const std::exception &found) {
            complain(found.what());
        }
    }

    // --------------------------------------------------------------------------------------------------------- a turn

    void one_turn() {
        if (!killed_) killed_ = start("killed");
        const bool kills = random_() % 2 == 0;
        const auto moment = std::chrono::nanoseconds(random_() % static_cast<std::uint64_t>(turn_took_.count() + 1));
        const auto began = Clock::now();
        watched_->ask('t');
        killed_->ask('t');
        bool is_watched_done = false, is_killed_done = false;
        while (!is_watched_done || !is_killed_done) {
            // Both are heard; a full pipe would stop a host.
            const auto first = watched_->next(std::chrono::milliseconds(is_watched_done ? 0 : 1));
            if (first) is_watched_done |= listen(*first);
            if (watched_->has_ended()) fail("the host that nobody killed has died");
            if (!is_killed_done) {
                const auto second = killed_->next(std::chrono::milliseconds(is_watched_done ? 1 : 0));
                if (second) is_killed_done = listen(*second, true);
                if (killed_->has_ended()) fail("the other host has died before it was killed");
            }
            if (kills && !is_killed_done && Clock::now() - began >= moment) {
                kill();
                is_killed_done = true;
            }
            if (Clock::now() - began > patience) fail("a turn does not end");
        }
        turn_took_ = Clock::now() - began;
        // A host that has done its turn may die, too: with its log as it is.
        if (killed_ && kills) kill();
    }

    void kill() {
        killed_->kill();
        killed_->rest(patience, [&](const Record &record) { listen(record, true); });
        killed_->wait();
        killed_.reset();
        ++kills_;
        ++killed_writers_;
        has_killed_ = true;
    }

    /// True if the turn is done.
    bool listen(const Record &record, bool of_the_killed = false) {
        switch (record.what) {
        case 'a':
            complain_of([&] { acknowledged_[record.a].add({record.a + 1, record.b}); });
            break;
        case 'n':
            told_[record.text] = {static_cast<int>(record.a), record.b};
            break;
        case 'o':
            ++tallies_[static_cast<std::size_t>(record.a)][static_cast<std::size_t>(record.b)];
            ++operations_;
            break;
        case 'x':
            complain(record.text);
            break;
        case 'm':
            if (!of_the_killed) sample_ = {record.a, record.b, record.c, 0};
            break;
        case 'd':
            faults_ += record.c;
            if (!of_the_killed) {
                sample_.threads = record.a;
                samples_.push_back(sample_);
            }
            return true;
        }
        return false;
    }

    // ---------------------------------------------------------------------------------------------------- in between

    void inspect() {
        // Every commit is there, of each host, and of the one that was killed.
        for (const int i : {game, old})
            complain_of([&] {
                const auto found = numbered::read(places_.database[i]);
                acknowledged_[i].check(last_[i], found, killed_writers_);
                acknowledged_[i] = {};
                last_[i] = found;
            });
        complain_of([&] { expect_known(numbered::read(places_.database[live]), "the live database"); });
        killed_writers_ = 0;

        for (const auto &name : list_dir(places_.backups))
            if (name[0] != '.') complain_of([&] { check_archive(name); });
        for (const auto &name : list_dir(places_.database[live].parent_path()))
            if (name[0] != '.' && name.rfind("live.db", 0) != 0) {
                const auto path = places_.database[live].parent_path() / name;
                complain_of([&] { expect_known(numbered::whole(path, scratch_), name); });
                fs::remove(path);
            }
        for (const auto &name : list_dir(places_.restored))
            if (name[0] != '.') {
                const auto path = places_.restored / name;
                complain_of([&] { expect_known(numbered::read(path), name); });
                for (const auto *suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(path.string() + suffix);
            }
        forget_archives();
        if (std::exchange(has_killed_, false)) complain_of([&] { sweep(); });
    }

    /// Lineages come from the three databases, whichever of them the live one was restored from.
    static void expect_known(const State &state, const std::string &where) {
        if (state.lineage < 1 || state.lineage > databases) fail(where + " holds " + to_string(state));
    }

    void check_archive(const std::string &name) {
        const auto path = places_.backups / name;
        const auto stamp = std::pair(fs::last_write_time(path), fs::file_size(path));
        const auto known = checked_.find(name);
        if (known != checked_.end() && known->second == stamp) return;
        const auto state = numbered::whole(path, scratch_);
        checked_[name] = stamp;
        ++archives_;
        expect_known(state, name);
        const auto told = told_.find(name);
        if (told == told_.end() || told->second.first == live) return;
        const auto &last = last_[told->second.first];
        if (state.lineage != last.lineage || state.last < told->second.second || state.last > last.last)
            fail(name + " holds " + to_string(state) + "; commit " + std::to_string(told->second.second) +
                 " was acknowledged before it was begun, and its source ends with " + std::to_string(last.last));
    }

    /// Told is kept: whoever told of an archive has it; but for the oldest, which go.
    void forget_archives() {
        for (const auto &[name, told] : told_)
            if (!fs::exists(places_.backups / name)) complain(name + " is gone");
        std::map<std::string, std::vector<std::pair<fs::file_time_type, std::string>>> by_host;
        for (const auto &name : list_dir(places_.backups))
            if (const auto dash = name.find('-'); name[0] != '.' && dash != std::string::npos)
                by_host[name.substr(0, dash)].emplace_back(fs::last_write_time(places_.backups / name), name);
        for (auto &[host, archives] : by_host) {
            std::sort(archives.rbegin(), archives.rend());
            for (std::size_t i = archives_kept; i < archives.size(); ++i) {
                fs::remove(places_.backups / archives[i].second);
                checked_.erase(archives[i].second);
                told_.erase(archives[i].second);
            }
        }
    }

    /// One ordinary backup into each directory, by a new process: nothing hidden remains.
    void sweep() {
        for (const auto &directory : {places_.backups, places_.restored, places_.database[live].parent_path()}) {
            HostProcess host({asked_.sweeping_host, "backup", places_.database[game], directory / "sweep.db", "-"});
            host.let_end();
            host.rest(patience, [](const Record &) {});
            if (host.wait() != 0) fail("the sweeping host fails");
            numbered::whole(directory / "sweep.db", scratch_);
            fs::remove(directory / "sweep.db");
            for (const auto &name : list_dir(directory))
                if (name[0] == '.') fail("left behind: " + (directory / name).string());
        }
        const std::set<std::string> own{"game.db",  "old.db",   "live",        "backups",
                                        "restored", "image.db", "game.db-wal", "game.db-shm"};
        for (const auto &name : list_dir(dir_.path()))
            if (own.count(name) == 0 && name != "old.db-journal") fail("left behind: " + name);
    }

    // --------------------------------------------------------------------------------------------------------- report

    void report(int turn) {
        if (samples_.empty()) return;
        const auto &now = samples_.back();
        if (tsv_ != nullptr) {
            std::fprintf(tsv_, "%.1f\t%d\t%lld\t%lld\t%d\t%lld\t%lld\t%lld\t%lld\t%d\n", elapsed(), turn,
                         static_cast<long long>(operations_), static_cast<long long>(faults_), kills_,
                         static_cast<long long>(now.resident_kib), static_cast<long long>(now.own_descriptors),
                         static_cast<long long>(now.librarys_descriptors), static_cast<long long>(now.threads),
                         complaints_);
            std::fflush(tsv_);
        }
        if (elapsed() < next_line_) return;
        next_line_ += 60;
        std::printf("%5.0f s, turn %d: %lld operations, %lld faults, %d kills; %lld KiB, descriptors %lld and %lld, "
                    "%lld threads; %d complaints\n",
                    elapsed(), turn, static_cast<long long>(operations_), static_cast<long long>(faults_), kills_,
                    static_cast<long long>(now.resident_kib), static_cast<long long>(now.own_descriptors),
                    static_cast<long long>(now.librarys_descriptors), static_cast<long long>(now.threads), complaints_);
        std::fflush(stdout);
    }

    struct Third {
        std::int64_t median, most;
    };
    Third third(std::size_t which, std::int64_t Sample::*what) const {
        const auto begin = samples_.size() * which / 3, end = samples_.size() * (which + 1) / 3;
        std::vector<std::int64_t> values;
        for (auto i = begin; i < end; ++i) values.push_back(samples_[i].*what);
        std::sort(values.begin(), values.end());
        if (values.empty()) return {0, 0};
        return {values[values.size() / 2], values.back()};
    }

    bool summary() {
        std::printf("\n%-32s %10s %10s %10s %10s\n", "", "succeeded", "cancelled", "failed", "busy");
        for (std::size_t i = 0; i < kinds; ++i)
            std::printf("%-32s %10lld %10lld %10lld %10lld\n", kind_names[i], static_cast<long long>(tallies_[i][0]),
                        static_cast<long long>(tallies_[i][1]), static_cast<long long>(tallies_[i][2]),
                        static_cast<long long>(tallies_[i][3]));
        std::printf(
            "%lld operations, %lld steps with a fault, %d kills, %lld archives checked, commits up to %lld and %lld, "
            "%.0f s\n\n",
            static_cast<long long>(operations_), static_cast<long long>(faults_), kills_,
            static_cast<long long>(archives_), static_cast<long long>(last_[game].last),
            static_cast<long long>(last_[old].last), elapsed());

        const std::pair<const char *, std::int64_t Sample::*> rows[] = {
            {"resident memory, KiB", &Sample::resident_kib},
            {"descriptors of the host", &Sample::own_descriptors},
            {"descriptors of the library", &Sample::librarys_descriptors},
            {"threads", &Sample::threads}};
        std::printf("%-32s %21s %21s\n%-32s %10s %10s %10s %10s\n", "the host that is not killed", "first third",
                    "last third", "", "median", "most", "median", "most");
        for (const auto &[name, what] : rows) {
            const auto first = third(0, what), last = third(2, what);
            std::printf("%-32s %10lld %10lld %10lld %10lld\n", name, static_cast<long long>(first.median),
                        static_cast<long long>(first.most), static_cast<long long>(last.median),
                        static_cast<long long>(last.most));
            if (samples_.size() < fewest_samples) continue;
            if (what == &Sample::resident_kib ? last.median > first.median + most_growth_kib : last.most > first.most)
                complain(std::string(name) + ": more in the last third");
        }
        std::printf("\n%d complaints\n", complaints_);
        return complaints_ == 0;
    }

    const Asked &asked_;
    std::mt19937_64 random_;
    const TempDir dir_;
    const Places places_{dir_.path()};
    const fs::path scratch_ = dir_ / "image.db";
    const Clock::time_point began_ = Clock::now();
    std::FILE *tsv_ = nullptr;
    double next_line_ = 0;

    std::unique_ptr<HostProcess> watched_, killed_;
    int hosts_ = 0, kills_ = 0, killed_writers_ = 0, complaints_ = 0;
    bool has_killed_ = false;
    std::chrono::nanoseconds turn_took_ = std::chrono::seconds(1);

    std::array<State, databases> last_;                           // what each ended with when it was last looked at
    std::array<numbered::Acknowledged, databases> acknowledged_;  // since then
    std::map<std::string, std::pair<int, std::int64_t>> told_;    // archives: of which database, at least which commit
    std::map<std::string, std::pair<fs::file_time_type, std::uintmax_t>> checked_;

    std::array<std::array<std::int64_t, outcomes>, kinds> tallies_{};
    std::int64_t operations_ = 0, faults_ = 0, archives_ = 0;
    Sample sample_{};
    std::vector<Sample> samples_;
};

}  // namespace

int main(int argc, char **argv) {
    Asked asked;
    const std::vector<std::string> words(argv + 1, argv + argc);
    try {
        asked.host = words.at(0);
        asked.sweeping_host = words.at(1);
        for (std::size_t i = 2; i < words.size(); ++i) {
            const auto option = words[i], value = words.at(++i);
            if (option == "--minutes")
                asked.minutes = std::stod(value);
            else if (option == "--turns")
                asked.turns = std::stoi(value);
            else if (option == "--seed")
                asked.seed = std::stoull(value);
            else if (option == "--steps")
                asked.steps = std::stoi(value);
            else if (option == "--tsv")
                asked.tsv = value;
            else
                fail("there is no " + option);
        }
        if (asked.turns < 1 && asked.minutes <= 0) fail("neither --turns nor --minutes asks for anything");
        return Soak(asked).run() ? 0 : 1;
    } catch (const std::exception &error) {
        std::fflush(stdout);
        std::fprintf(stderr, "lb_soak: %s\n", error.what());
        return 1;
    }
}
