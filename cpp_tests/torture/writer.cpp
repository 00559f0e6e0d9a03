// lb_torture_writer DATABASE BOARD INDEX SEED: one of the two outside processes that write the bank until told to stop.

#include "bank.hpp"

#include <signal.h>
#include <sys/prctl.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <thread>

namespace torture {
namespace {

bool is_busy(const lbtest::SqlError &error) {
    return (error.code & 0xFF) == SQLITE_BUSY;
}

constexpr int kBusyTimeout = 10'000;

// Patient from the first: preparing a statement reads the schema, under the other writer's lock.
lbtest::Db open_patiently(const std::string &path) {
    lbtest::Db db(path);
    sqlite3_busy_timeout(db.handle(), kBusyTimeout);
    return db;
}

class Writer {
public:
    Writer(const std::string &database, const std::string &board, int index, std::uint64_t seed)
        : db_(open_patiently(database)), board_(board), index_(index), random_(seed) {
        // Power loss is not the subject here; commits in quick succession are.
        db_.exec("PRAGMA synchronous=OFF");
        wal_ = db_.text("PRAGMA journal_mode") == "wal";
        // One writer leaves all checkpoints to chance, the other makes small ones itself as well.
        sqlite3_wal_autocheckpoint(db_.handle(), index == 0 ? 100 : 0);
    }

    void run() {
        while (!board_->stop) {
            try {
                commit_once();
            } catch (const lbtest::SqlError &error) {
                if (!is_busy(error)) throw;
                if (!sqlite3_get_autocommit(db_.handle())) db_.exec("ROLLBACK");
                continue;
            }
            if (wal_ && chance(25)) checkpoint();
            // The load's shape, no synchronisation: two writers without a pause would keep every reader out.
            std::this_thread::sleep_for(std::chrono::microseconds(below(2000)));
        }
    }

private:

    std::int64_t below(std::int64_t bound) {
        return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
    }
    bool chance(int one_in) { return below(one_in) == 0; }

    void commit_once() {
        begin_.run();
        last_.step();
        State state = state_in(last_);
        last_.reset();

        for (std::int64_t transfers = 1 + below(8); transfers > 0; --transfers) transfer(state);
        if (state.bulk_rows < kBulkRows || chance(4)) insert_bulk(state);
        if (state.bulk_rows > kBulkRows || chance(6)) delete_bulk(state);
        const bool vacuumed = chance(8);
        if (vacuumed) vacuum_.run();

        ++state.number;
        ledger_.bind(state.number, static_cast<std::int64_t>(state.accounts), state.bulk_rows,
                     static_cast<std::int64_t>(state.bulk), index_);
        ledger_.run();
        commit_.run();
        board_->acknowledged[index_] = state.number;
        if (vacuumed) ++board_->vacuums;
    }

    void transfer(State &state) {
        const std::int64_t from = 1 + below(kAccounts);
        const std::int64_t to = 1 + (from + below(kAccounts - 1)) % kAccounts;
        const std::int64_t amount = 1 + below(100);
        change_balance(state, from, -amount);
        change_balance(state, to, amount);
    }

    void change_balance(State &state, std::int64_t id, std::int64_t change) {
        balance_.bind(id).step();
        const std::int64_t before = balance_.integer(0);
        balance_.reset();
        pay_.bind(before + change, id).run();
        state.accounts += account_sum(id, before + change) - account_sum(id, before);
    }

    void insert_bulk(State &state) {
        const std::int64_t first = below(kBulkIds);
        for (std::int64_t id = first; id < first + 1 + below(80); ++id) {
            // Now and then a row that needs overflow pages.
            std::string payload(static_cast<std::size_t>(20 + below(chance(20) ? 12'000 : 2'500)), '\0');
            for (std::size_t i = 0; i < payload.size(); ++i)
                payload[i] = static_cast<char>(i % 3 == 0 ? random_() : static_cast<std::uint64_t>(id));
            bulk_insert_.bind(id, std::string_view(payload), below(1'000'000));
            if (!bulk_insert_.step()) {  // the identifier is taken
                bulk_insert_.reset();
                continue;
            }
            bulk_insert_.reset();
            ++state.bulk_rows;
            state.bulk += bulk_sum(id, payload);
        }
    }

    void delete_bulk(State &state) {
        const std::int64_t first = below(kBulkIds);
        bulk_delete_.bind(first, first + below(120));
        while (bulk_delete_.step()) {
            --state.bulk_rows;
            state.bulk -= bulk_sum(bulk_delete_.integer(0), bulk_delete_.bytes(1));
        }
        bulk_delete_.reset();
    }

    void checkpoint() {
        constexpr std::array<int, 3> kModes = {SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_RESTART,
                                               SQLITE_CHECKPOINT_TRUNCATE};
        const auto which = static_cast<std::size_t>(below(3));
        // RESTART and TRUNCATE keep all writers out while they wait for readers: a short wait, and so often a vain one.
        sqlite3_busy_timeout(db_.handle(), 20);
        int frames = 0;
        int moved = 0;
        const int code = sqlite3_wal_checkpoint_v2(db_.handle(), nullptr, kModes[which], &frames, &moved);
        sqlite3_busy_timeout(db_.handle(), kBusyTimeout);
        if (code == SQLITE_OK) ++board_->checkpoints[which];
        if (code != SQLITE_OK && code != SQLITE_BUSY && code != SQLITE_LOCKED)
            throw lbtest::SqlError("checkpoint: " + std::string(sqlite3_errmsg(db_.handle())), code);
    }

    lbtest::Db db_;
    SharedBoard board_;
    int index_;
    std::mt19937_64 random_;
    bool wal_ = false;
    lbtest::Statement begin_{db_.handle(), "BEGIN IMMEDIATE"};
    lbtest::Statement commit_{db_.handle(), "COMMIT"};
    lbtest::Statement last_{db_.handle(),
                            "SELECT number, accounts, bulk_rows, bulk FROM ledger ORDER BY number DESC LIMIT 1"};
    lbtest::Statement ledger_{db_.handle(), "INSERT INTO ledger VALUES(?,?,?,?,?)"};
    lbtest::Statement balance_{db_.handle(), "SELECT balance FROM accounts WHERE id = ?"};
    lbtest::Statement pay_{db_.handle(), "UPDATE accounts SET balance = ? WHERE id = ?"};
    lbtest::Statement bulk_insert_{db_.handle(), "INSERT OR IGNORE INTO bulk VALUES(?,?,?) RETURNING id"};
    lbtest::Statement bulk_delete_{db_.handle(), "DELETE FROM bulk WHERE id BETWEEN ? AND ? RETURNING id, payload"};
    lbtest::Statement vacuum_{db_.handle(), "PRAGMA incremental_vacuum(60)"};
};

}  // namespace
}  // namespace torture

int main(int argc, char **argv) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no writer outlives a host that was killed
    try {
        if (argc != 5) throw std::invalid_argument("usage: lb_torture_writer DATABASE BOARD INDEX SEED");
        torture::Writer(argv[1], argv[2], std::atoi(argv[3]), std::strtoull(argv[4], nullptr, 10)).run();
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "lb_torture_writer: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
