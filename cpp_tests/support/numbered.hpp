// A database whose whole content follows from the number of its last commit. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Every commit has the next number, changes some cells and adds a row; what it writes depends on its number and on the
// lineage of the database, and on nothing else, not even on who commits. So whoever finds such a database knows which
// commit it ends with, and whether it is exactly that, to the last byte of every value: one commit that is missing, or
// there by half, and one page too old or from another lineage are found.

#ifndef LBTEST_NUMBERED_HPP
#define LBTEST_NUMBERED_HPP

#include "statement.hpp"
#include "support.hpp"

#include <array>
#include <map>
#include <optional>

namespace lbtest::numbered {

constexpr std::int64_t cells = 600;  // of about a page of 4 KiB each
constexpr std::int64_t cells_per_commit = 4;
constexpr std::int64_t groups = cells / cells_per_commit;
constexpr std::int64_t rows_kept = 1000;  // of the last commits: the database does not grow for ever

struct State {
    std::int64_t lineage = 0;
    std::int64_t last = 0;  // number of the last commit

    bool operator==(const State &other) const { return lineage == other.lineage && last == other.last; }
};

inline std::string to_string(const State &state) {
    return "lineage " + std::to_string(state.lineage) + " commit " + std::to_string(state.last);
}

inline std::int64_t group_of(std::int64_t commit) { return commit * 37 % groups; }

/// Bytes that do not compress (SplitMix64), from two numbers.
inline std::string bytes_of(std::uint64_t one, std::uint64_t other, std::size_t size) {
    std::string bytes(size, '\0');
    std::uint64_t state = one * 0x9E3779B97F4A7C15U ^ other * 0xD1B54A32D192ED03U;
    for (std::size_t at = 0; at < size; at += sizeof state) {
        std::uint64_t x = (state += 0x9E3779B97F4A7C15U);
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
        x ^= x >> 31;
        std::memcpy(bytes.data() + at, &x, std::min(sizeof x, size - at));
    }
    return bytes;
}

/// Half of it compresses.
inline std::string cell_content(std::int64_t lineage, std::int64_t cell, std::int64_t commit) {
    return bytes_of(static_cast<std::uint64_t>(lineage * cells + cell), static_cast<std::uint64_t>(commit), 1800) +
           std::string(1800, static_cast<char>('a' + commit % 26));
}

inline std::string row_content(std::int64_t lineage, std::int64_t commit) {
    return bytes_of(static_cast<std::uint64_t>(lineage), static_cast<std::uint64_t>(commit), 64);
}

/// Commits to a numbered database, on a connection of its own.
class Writer {
public:
    /// Patient from the first: preparing a statement reads the schema, under somebody else's lock.
    explicit Writer(const fs::path &path) : db_(path, SQLITE_OPEN_READWRITE) {
        sqlite3_busy_timeout(db_.handle(), 10'000);
        statements_.emplace(db_.handle());
    }

    /// The commit that SQLite has acknowledged; nothing if others were in the way.
    std::optional<State> commit() {
        try {
            statements_->begin.run();
            const State state = next();
            statements_->commit.run();
            return state;
        } catch (const SqlError &error) {
            if (!sqlite3_get_autocommit(db_.handle())) db_.exec("ROLLBACK");
            if ((error.code & 0xFF) != SQLITE_BUSY && (error.code & 0xFF) != SQLITE_LOCKED) throw;
            return std::nullopt;
        }
    }

    Db &db() { return db_; }

private:
    friend void create(const fs::path &, const std::string &, int, State);

    struct Statements {
        explicit Statements(sqlite3 *db)
            : begin(db, "BEGIN IMMEDIATE"), commit(db, "COMMIT"), last(db, "SELECT lineage, number FROM place"),
              place(db, "UPDATE place SET number = ?"),
              cell(db, "UPDATE cells SET number = ?, content = ? WHERE id = ?"),
              row(db, "INSERT INTO commits VALUES(?, ?)"), forget(db, "DELETE FROM commits WHERE number <= ?") {}
        Statement begin, commit, last, place, cell, row, forget;
    };

    /// In a transaction.
    State next() {
        auto &s = *statements_;
        s.last.step();
        const State state{s.last.integer(0), s.last.integer(1) + 1};
        s.last.reset();
        const auto first = group_of(state.last) * cells_per_commit;
        for (auto cell = first; cell < first + cells_per_commit; ++cell) {
            const auto content = cell_content(state.lineage, cell, state.last);
            s.cell.bind(state.last, std::string_view(content), cell).run();
        }
        const auto content = row_content(state.lineage, state.last);
        s.row.bind(state.last, std::string_view(content)).run();
        s.forget.bind(state.last - rows_kept).run();
        s.place.bind(state.last).run();
        return state;
    }

    Db db_;
    std::optional<Statements> statements_;
};

/// A new one that ends with the commit of `state`.
inline void create(const fs::path &path, const std::string &journal_mode, int page_size, State state) {
    {
        Db db(path);
        db.exec("PRAGMA page_size = " + std::to_string(page_size) +
                "; PRAGMA journal_mode = OFF; BEGIN;"
                "CREATE TABLE place(lineage INTEGER NOT NULL, number INTEGER NOT NULL);"
                "CREATE TABLE cells(id INTEGER PRIMARY KEY, number INTEGER NOT NULL, content BLOB NOT NULL);"
                "CREATE TABLE commits(number INTEGER PRIMARY KEY, content BLOB NOT NULL);"
                "CREATE INDEX cells_by_number ON cells(number);"
                "INSERT INTO place VALUES(" +
                std::to_string(state.lineage) + ", 0)");
        Statement cell(db.handle(), "INSERT INTO cells VALUES(?, 0, ?)");
        for (std::int64_t id = 0; id < cells; ++id) {
            const auto content = cell_content(state.lineage, id, 0);
            cell.bind(id, std::string_view(content)).run();
        }
        db.exec("COMMIT");
    }
    Writer writer(path);
    writer.db().exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; BEGIN");
    for (std::int64_t n = 0; n < state.last; ++n) writer.next();
    writer.db().exec("COMMIT");
    writer.db().exec("PRAGMA journal_mode = " + journal_mode);
}

/// What a database holds. Throws where that is not exactly what its last commit has left.
inline State read(const Db &db) {
    const auto verdict = db.text("PRAGMA integrity_check(3)");
    if (verdict != "ok") fail("integrity_check: " + verdict);
    Statement place(db.handle(), "SELECT lineage, number FROM place");
    if (!place.step()) fail("no commit at all");
    const State state{place.integer(0), place.integer(1)};
    if (place.step()) fail("two last commits");
    const auto not_that = [&](const std::string &what) { fail("not " + to_string(state) + ": " + what); };

    std::array<std::int64_t, groups> changed{};
    for (auto n = std::max<std::int64_t>(1, state.last - groups + 1); n <= state.last; ++n)
        changed[static_cast<std::size_t>(group_of(n))] = n;
    std::int64_t cell = 0;
    for (Statement row(db.handle(), "SELECT id, number, content FROM cells ORDER BY id"); row.step(); ++cell) {
        if (cell >= cells || row.integer(0) != cell) not_that("there is cell " + std::to_string(row.integer(0)));
        const auto number = changed[static_cast<std::size_t>(cell / cells_per_commit)];
        if (row.integer(1) != number || row.bytes(2) != cell_content(state.lineage, cell, number))
            not_that("cell " + std::to_string(cell) + " is of commit " + std::to_string(row.integer(1)) + ", not " +
                     std::to_string(number) + ", or has another content");
    }
    if (cell != cells) not_that("cell " + std::to_string(cell) + " is missing");

    auto number = std::max<std::int64_t>(1, state.last - rows_kept + 1);
    for (Statement row(db.handle(), "SELECT number, content FROM commits ORDER BY number"); row.step(); ++number)
        if (row.integer(0) != number || row.bytes(1) != row_content(state.lineage, number))
            not_that("the row of commit " + std::to_string(number));
    if (number != state.last + 1) not_that("the row of commit " + std::to_string(number) + " is missing");
    return state;
}

inline State read(const fs::path &path) { return read(Db(path, SQLITE_OPEN_READWRITE)); }

/// What an archive holds, decompressed with the ordinary tool to `scratch` if it has to be.
inline State read_archive(const fs::path &archive, const fs::path &scratch) {
    if (archive.extension() == ".zst") {
        unzstd(archive, scratch);
    } else {
        fs::copy_file(archive, scratch, fs::copy_options::overwrite_existing);
    }
    const auto state = read(scratch);
    for (const auto *suffix : {"", "-wal", "-shm", "-journal"}) fs::remove(scratch.string() + suffix);
    return state;
}

/// Commits that were acknowledged, of all writers together.
class Acknowledged {
public:
    void add(const State &state) {
        if (!numbers_[state.lineage].insert(state.last).second)
            fail("commit " + std::to_string(state.last) + " was acknowledged twice: the first was lost");
    }
    bool any(std::int64_t lineage) const { return numbers_.count(lineage) != 0; }
    std::int64_t last(std::int64_t lineage, std::int64_t otherwise) const {
        return any(lineage) ? *numbers_.at(lineage).rbegin() : otherwise;
    }
    /// That a database that began with one state holds all of them, and no others but what writers had not yet told when
    /// they were killed: one commit each.
    void check(const State &began, const State &found, int killed_writers) const {
        if (found.lineage != began.lineage) fail("holds " + to_string(found));
        const auto acknowledged = any(began.lineage) ? numbers_.at(began.lineage) : std::set<std::int64_t>{};
        std::int64_t missing = 0;
        for (auto number = began.last + 1; number <= found.last; ++number)
            if (acknowledged.count(number) == 0) ++missing;
        if (last(began.lineage, 0) > found.last)
            fail("acknowledged commits are lost: " + std::to_string(last(began.lineage, 0)) +
                 " was, and it ends with " + to_string(found));
        if (missing > killed_writers) fail(std::to_string(missing) + " commits that nobody has made");
    }

private:
    std::map<std::int64_t, std::set<std::int64_t>> numbers_;  // by lineage
};

/// What a backup file holds, of which the library and SQLite say that it is whole.
inline State whole(const fs::path &archive, const fs::path &scratch) {
    auto wanted = verify_options();
    wanted.verify = LB_VERIFY_FULL;
    if (const auto outcome = verify(archive, wanted); outcome.status != LB_STATUS_OK)
        fail("is not whole: " + std::string(outcome.message));
    try {
        return read_archive(archive, scratch);
    } catch (const std::exception &found) {
        fail(archive.filename().string() + " is not whole: " + found.what());
    }
}

}  // namespace lbtest::numbered

#endif
