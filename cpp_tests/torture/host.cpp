// lb_torture WRITER SEED COUNT wal|delete SECONDS [--expect-failure]
//
// Two outside processes write the bank while this one takes COUNT backups of it and proves every copy. SECONDS is
// against hanging only. With --expect-failure (and a library whose protections are off) it succeeds only if the ledger,
// and not just SQLite's integrity_check, finds a copy wrong.

#include "bank.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace torture {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Arguments {
    std::string writer;
    std::uint64_t seed;
    int count;
    std::string journal_mode;
    std::chrono::seconds cap;
    bool expect_failure;
};

Arguments parse(const std::vector<std::string> &words) {
    const bool expect_failure = words.size() == 6 && words[5] == "--expect-failure";
    if ((words.size() != 5 && !expect_failure) || (words[3] != "wal" && words[3] != "delete"))
        throw std::invalid_argument("usage: lb_torture WRITER SEED COUNT wal|delete SECONDS [--expect-failure]");
    return {words[0], std::stoull(words[1]), std::stoi(words[2]), words[3], std::chrono::seconds(std::stoi(words[4])),
            expect_failure};
}

// The outside processes. However the host ends, they do.
class Writers {
public:
    Writers(const Arguments &arguments, const fs::path &database, const fs::path &board_path)
        : board_(board_path) {
        for (int index = 0; index < kWriters; ++index) {
            std::string words[] = {arguments.writer, database, board_path, std::to_string(index),
                                   std::to_string(arguments.seed * 1000 + static_cast<std::uint64_t>(index))};
            char *argv[] = {words[0].data(), words[1].data(), words[2].data(),
                            words[3].data(), words[4].data(), nullptr};
            pid_t child = 0;
            if (const int error = ::posix_spawn(&child, argv[0], nullptr, nullptr, argv, environ))
                lbtest::fail("cannot run " + arguments.writer + ": " + std::strerror(error));
            children_.push_back(child);
        }
    }
    Writers(const Writers &) = delete;
    Writers &operator=(const Writers &) = delete;
    ~Writers() {
        for (const pid_t child : children_) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        }
    }

    Board *operator->() const { return board_.operator->(); }

    bool all_run() const {
        for (const pid_t child : children_) {
            siginfo_t ended{};
            const int looked = ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
            if (looked != 0 || ended.si_pid != 0) return false;
        }
        return true;
    }

    // Asks them to stop; false if one of them failed.
    bool stop() {
        board_->stop = 1;
        bool all_well = true;
        for (const pid_t child : std::exchange(children_, {})) {
            int status = 0;
            if (::waitpid(child, &status, 0) != child || status != 0) all_well = false;
        }
        return all_well;
    }

private:
    SharedBoard board_;
    std::vector<pid_t> children_;
};

void check(bool right, const std::string &what) {
    if (!right) throw std::runtime_error(what);
}

State counted_state(const lbtest::Db &copy, std::int64_t number) {
    State state;
    state.number = number;
    for (lbtest::Statement row(copy.handle(), "SELECT id, balance FROM accounts"); row.step();)
        state.accounts += account_sum(row.integer(0), row.integer(1));
    for (lbtest::Statement row(copy.handle(), "SELECT id, payload FROM bulk"); row.step(); ++state.bulk_rows)
        state.bulk += bulk_sum(row.integer(0), row.bytes(1));
    return state;
}

State ledger_state(const lbtest::Db &db, std::int64_t number) {
    lbtest::Statement row(db.handle(), "SELECT number, accounts, bulk_rows, bulk FROM ledger WHERE number = ?");
    row.bind(number);
    check(row.step(), "no ledger row " + std::to_string(number));
    return state_in(row);
}

// The ledger does not add up: what SQLite itself may be quite content with.
struct NotOneCommit : std::runtime_error {
    using std::runtime_error::runtime_error;
};

void check_ledger(bool right, const std::string &what) {
    if (!right) throw NotOneCommit(what);
}

void prove_sound(const lbtest::Db &copy) {
    const std::string integrity = copy.text("PRAGMA integrity_check(3)");
    check(integrity == "ok", "integrity_check: " + integrity);
}

// Throws unless the copy is the state after one commit, and not an older one than was acknowledged.
void prove_one_commit(const lbtest::Db &copy, const lbtest::Db &source, std::int64_t acknowledged_before) {
    lbtest::Statement ledger(copy.handle(), "SELECT count(*), min(number), max(number) FROM ledger");
    ledger.step();
    const std::int64_t last = ledger.integer(2);
    check_ledger(ledger.integer(0) == last && ledger.integer(1) == 1, "the ledger has a gap below " + std::to_string(last));
    check_ledger(last >= acknowledged_before,
                 "ends with commit " + std::to_string(last) + ", but " + std::to_string(acknowledged_before) +
                     " was acknowledged before the start");
    check_ledger(copy.scalar("SELECT sum(balance) FROM accounts") == kAccounts * kOpeningBalance,
                 "money was made or lost");
    check_ledger(counted_state(copy, last) == ledger_state(copy, last), "is not commit " + std::to_string(last));
    check_ledger(ledger_state(copy, last) == ledger_state(source, last), "differs from the source's commit");
}

class Torture {
public:
    explicit Torture(const Arguments &arguments) : arguments_(arguments), random_(arguments.seed) {
        create_bank(database_, arguments.journal_mode);
    }

    bool run() {
        std::printf("torture: seed %llu, %d backups, journal mode %s, %s\n",
                    static_cast<unsigned long long>(arguments_.seed), arguments_.count, arguments_.journal_mode.c_str(),
                    lb_version());
        Writers writers(arguments_, database_, directory_ / "board");
        // The host has the database open itself, as a host does.
        lbtest::Db source(database_, SQLITE_OPEN_READWRITE);
        sqlite3_busy_timeout(source.handle(), 30'000);
        fill(writers, source);
        for (int i = 0; i < arguments_.count && !(arguments_.expect_failure && not_one_commit_ > 0); ++i) {
            check(Clock::now() < deadline_, "ran out of time after " + std::to_string(i) + " backups");
            check(writers.all_run(), "a writer has ended");
            one_backup(i, writers, source);
        }
        report(writers);
        check(writers.stop(), "a writer failed");
        check(lbtest::list_dir(backups_).empty(), "something was left beside the backups");
        if (arguments_.expect_failure) return not_one_commit_ > 0;
        // Backups in a quiet time would prove nothing.
        check(written_meanwhile_ * 2 >= arguments_.count, "too few commits were made during the backups");
        return wrong_ == 0;
    }

private:
    // Until the bulk rows are there, no backup: a database of a few pages is no target.
    void fill(const Writers &writers, const lbtest::Db &source) const {
        const auto full = [&] {
            check(writers.all_run(), "a writer has ended");
            return source.scalar("SELECT bulk_rows FROM ledger ORDER BY number DESC LIMIT 1") >= kBulkRows;
        };
        check(lbtest::wait_until(full, std::chrono::minutes(2)), "the writers did not fill the database");
    }

    lb_backup_options random_options() {
        auto options = lbtest::options();
        options.chunk_size = 65'536 + random_() % (1'048'576 - 65'536 + 1);
        // Half of them slowed down, so that more commits and checkpoints fall into one copy.
        if (random_() % 2 == 0) options.max_bytes_per_second = (40 + random_() % 160) << 20;
        options.busy_timeout_ms = 60'000;
        return options;
    }

    void one_backup(int index, const Writers &writers, const lbtest::Db &source) {
        const lb_backup_options options = random_options();
        const bool compressed = index % 2 == 1;
        const fs::path archive = backups_ / (compressed ? "copy.db.zst" : "copy.db");
        const fs::path image = compressed ? directory_ / "copy.db" : archive;

        const std::int64_t before = writers->last_acknowledged();
        const lb_result result = lbtest::backup(database_, archive, options);
        if (writers->last_acknowledged() > before) ++written_meanwhile_;
        if (result.status != LB_STATUS_OK) {
            // With protections off a job may fail of itself; that does not show that the proofs work.
            const std::string why = std::string(lb_status_name(result.status)) + ": " + result.message;
            check(arguments_.expect_failure, "backup: " + why);
            std::printf("  backup %d failed of itself: %s\n", index, why.c_str());
            return;
        }
        longest_ns_ = std::max(longest_ns_, result.source_lock_ns);
        try {
            if (compressed) lbtest::unzstd(archive, image);
            const lbtest::Db copy(image, SQLITE_OPEN_READWRITE);
            // Where a failure is expected, the ledger comes first: a torn copy would seldom get past SQLite's own check.
            if (!arguments_.expect_failure) prove_sound(copy);
            prove_one_commit(copy, source, before);
            prove_sound(copy);
        } catch (const NotOneCommit &error) {
            ++wrong_;
            ++not_one_commit_;
            std::printf("  backup %d is not one commit: %s\n", index, error.what());
        } catch (const std::exception &error) {
            ++wrong_;
            std::printf("  backup %d (chunk %llu, rate %llu, %s) is wrong: %s\n", index,
                        static_cast<unsigned long long>(options.chunk_size),
                        static_cast<unsigned long long>(options.max_bytes_per_second), archive.filename().c_str(),
                        error.what());
        }
        for (const char *suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(image.string() + suffix);
        fs::remove(archive);
        ++taken_;
    }

    void report(const Writers &writers) const {
        std::printf("  %d copies, %d wrong; %d with commits meanwhile; %lld commits, %lld vacuums, checkpoints: "
                    "%lld passive, %lld restart, %lld truncate; longest lock %.1f ms; %.1f s\n",
                    taken_, wrong_, written_meanwhile_, static_cast<long long>(writers->last_acknowledged()),
                    static_cast<long long>(writers->vacuums.load()),
                    static_cast<long long>(writers->checkpoints[0].load()),
                    static_cast<long long>(writers->checkpoints[1].load()),
                    static_cast<long long>(writers->checkpoints[2].load()), static_cast<double>(longest_ns_) / 1e6,
                    std::chrono::duration<double>(Clock::now() - start_).count());
    }

    const Arguments arguments_;
    const lbtest::TempDir directory_;
    const fs::path database_ = directory_ / "bank.db";
    const fs::path backups_ = make_backups();
    std::mt19937_64 random_;
    const Clock::time_point start_ = Clock::now();
    const Clock::time_point deadline_ = start_ + arguments_.cap;
    int taken_ = 0;
    int wrong_ = 0;
    int not_one_commit_ = 0;  // of them, what the ledger found
    int written_meanwhile_ = 0;
    std::uint64_t longest_ns_ = 0;

    fs::path make_backups() const {
        const fs::path path = directory_ / "backups";
        fs::create_directory(path);
        return path;
    }
};

}  // namespace
}  // namespace torture

int main(int argc, char **argv) {
    try {
        const auto arguments = torture::parse(std::vector<std::string>(argv + 1, argv + argc));
        const bool as_expected = torture::Torture(arguments).run();
        std::printf("%s\n", as_expected ? "as expected" : "NOT as expected");
        return as_expected ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception &error) {
        std::fflush(stdout);
        std::fprintf(stderr, "lb_torture: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
