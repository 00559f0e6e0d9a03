// The database of the torture: a bank whose every commit says what the whole database must hold after it.
//
// Money moves between accounts, so that their total never changes. Each commit has the next number in `ledger`, with
// sums over all accounts and all bulk rows as they are after it. A copy is right only if it holds the commits 1 to n
// without a gap and its tables add up to what row n says: a mixture of two commits, or one page too old, does not.
#pragma once

#include "support/statement.hpp"
#include "support/support.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace torture {

constexpr int kWriters = 2;
constexpr std::int64_t kAccounts = 400;
constexpr std::int64_t kOpeningBalance = 10'000;
constexpr std::int64_t kBulkRows = 12'000;  // about which their number stays
constexpr std::int64_t kBulkIds = 2 * kBulkRows;

// What the processes tell each other, in a file that all of them have mapped.
struct Board {
    std::atomic<std::int64_t> acknowledged[kWriters];  // number of the last commit for which SQLite returned OK
    std::atomic<std::int64_t> checkpoints[3];          // that moved something: passive, restart, truncate
    std::atomic<std::int64_t> vacuums;
    std::atomic<int> stop;

    std::int64_t last_acknowledged() const {
        std::int64_t last = 0;
        for (const auto &number : acknowledged) last = std::max(last, number.load());
        return last;
    }
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "the board lies in memory that processes share");

class SharedBoard {
public:
    explicit SharedBoard(const std::filesystem::path &path) {
        const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (descriptor < 0 || ::ftruncate(descriptor, sizeof(Board)) != 0) lbtest::fail_errno("board " + path.string());
        void *memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        ::close(descriptor);
        if (memory == MAP_FAILED) lbtest::fail_errno("mmap");
        board_ = static_cast<Board *>(memory);  // a new file is all zeros, and zeros are a Board
    }
    SharedBoard(const SharedBoard &) = delete;
    SharedBoard &operator=(const SharedBoard &) = delete;
    ~SharedBoard() { ::munmap(board_, sizeof(Board)); }

    Board *operator->() const { return board_; }

private:
    Board *board_;
};

// SplitMix64's finisher: makes sums depend on which row holds which value.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    std::uint64_t x = a * 0x9E3779B97F4A7C15U + b;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
}

inline std::uint64_t account_sum(std::int64_t id, std::int64_t balance) {
    return mix(static_cast<std::uint64_t>(id), static_cast<std::uint64_t>(balance));
}

inline std::uint64_t bulk_sum(std::int64_t id, std::string_view payload) {
    std::uint64_t hash = 1469598103934665603U;  // FNV-1a
    for (const char byte : payload) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
    return mix(static_cast<std::uint64_t>(id), hash);
}

// What a commit leaves behind; a row of `ledger`.
struct State {
    std::int64_t number = 0;
    std::uint64_t accounts = 0;  // sum of account_sum over all accounts
    std::int64_t bulk_rows = 0;
    std::uint64_t bulk = 0;  // sum of bulk_sum over all bulk rows

    bool operator==(const State &other) const {
        return number == other.number && accounts == other.accounts && bulk_rows == other.bulk_rows &&
               bulk == other.bulk;
    }
};

inline State state_in(const lbtest::Statement &row) {
    return {row.integer(0), static_cast<std::uint64_t>(row.integer(1)), row.integer(2),
            static_cast<std::uint64_t>(row.integer(3))};
}

// The bank before its first transfer: commit 1.
inline void create_bank(const std::filesystem::path &path, const std::string &journal_mode) {
    lbtest::Db db(path);
    db.exec("PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF");
    db.exec("BEGIN;"
            "CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, owner TEXT NOT NULL);"
            "CREATE TABLE bulk(id INTEGER PRIMARY KEY, payload BLOB NOT NULL, mark INTEGER NOT NULL);"
            "CREATE INDEX bulk_by_mark ON bulk(mark);"
            "CREATE TABLE ledger(number INTEGER PRIMARY KEY, accounts INTEGER NOT NULL, bulk_rows INTEGER NOT NULL,"
            " bulk INTEGER NOT NULL, writer INTEGER NOT NULL);");
    State first{1, 0, 0, 0};
    lbtest::Statement account(db.handle(), "INSERT INTO accounts VALUES(?,?,?)");
    const std::string owner(600, 'o');  // few accounts to a page: a transfer changes several pages
    for (std::int64_t id = 1; id <= kAccounts; ++id) {
        account.bind(id, kOpeningBalance, std::string_view(owner)).run();
        first.accounts += account_sum(id, kOpeningBalance);
    }
    lbtest::Statement(db.handle(), "INSERT INTO ledger VALUES(?,?,?,?,?)")
        .bind(first.number, static_cast<std::int64_t>(first.accounts), first.bulk_rows,
              static_cast<std::int64_t>(first.bulk), 0)
        .run();
    db.exec("COMMIT");
    db.exec("PRAGMA journal_mode=" + journal_mode);
}

}  // namespace torture
