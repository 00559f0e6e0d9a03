// Shared by the C++ tests: temporary directories, the host's own SQLite, and the library's structs with their sizes set.
// Header-only, C++17, no test framework: what cannot go wrong in a sane environment throws std::runtime_error.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LBTEST_SUPPORT_HPP
#define LBTEST_SUPPORT_HPP

#include <lb_backup.h>
#include <sqlite3.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

extern char **environ;

namespace lbtest {

namespace fs = std::filesystem;

[[noreturn]] inline void fail(const std::string &what) { throw std::runtime_error(what); }

[[noreturn]] inline void fail_errno(const std::string &what) { fail(what + ": " + std::strerror(errno)); }

// ---------------------------------------------------------------------------------------------------------- waiting

/// Polls until `condition()` holds; false if it never did. The deadline is only there against hanging for ever.
template <class Condition>
bool wait_until(Condition condition, std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

// ------------------------------------------------------------------------------------------------------------ files

/// A new directory under TMPDIR (or /tmp), removed with everything in it at the end.
class TempDir {
public:
    TempDir() {
        std::string pattern = (fs::temp_directory_path() / "lb_test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) fail_errno("mkdtemp " + pattern);
        path_ = pattern;
        owner_ = ::getpid();
    }
    TempDir(const TempDir &) = delete;
    TempDir &operator=(const TempDir &) = delete;
    ~TempDir() {
        if (::getpid() != owner_) return;  // a forked child must not clear its parent's table
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }

    const fs::path &path() const { return path_; }
    fs::path operator/(const fs::path &name) const { return path_ / name; }

private:
    fs::path path_;
    pid_t owner_ = 0;
};

inline std::string read_file(const fs::path &path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) fail("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_file(const fs::path &path, const std::string &bytes) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) fail("cannot write " + path.string());
}

/// The names in a directory, hidden ones too, sorted.
inline std::vector<std::string> list_dir(const fs::path &directory) {
    std::vector<std::string> names;
    for (const auto &entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

/// Whether SQLite would roll such a journal back: https://sqlite.org/lockingv3.html#hot_journals
inline bool is_hot(const fs::path &journal) {
    const auto bytes = read_file(journal);
    return !bytes.empty() && bytes[0] != 0;
}

// -------------------------------------------------------------------------------------------------- this process

/// A descriptor, as a listing of its table shows it: its number, and what it is open to.
using Descriptors = std::vector<std::pair<std::string, fs::path>>;

/// A thread's table of descriptors, by its directory in /proc; without what listing tables opens.
inline Descriptors descriptors(const fs::path &thread = "/proc/thread-self") {
    const auto is_listing = [](const fs::path &target) {
        return target.string().rfind("/proc/", 0) == 0 && (target.filename() == "fd" || target.filename() == "task");
    };
    Descriptors table;
    std::error_code gone;  // threads and descriptors may go while they are listed
    for (fs::directory_iterator fd(thread / "fd", gone), end; !gone && fd != end; fd.increment(gone)) {
        auto target = fs::read_symlink(fd->path(), gone);
        if (!gone && !is_listing(target)) table.emplace_back(fd->path().filename().string(), std::move(target));
    }
    std::sort(table.begin(), table.end());
    return table;
}

/// How many of them are open to something below a directory.
inline std::size_t count_below(const Descriptors &table, const fs::path &directory) {
    return static_cast<std::size_t>(std::count_if(table.begin(), table.end(), [&](const auto &descriptor) {
        return descriptor.second.string().rfind(directory.string(), 0) == 0;
    }));
}

/// Descriptors of the calling thread's table that are open to something below a directory, as a program sees its own leaks.
inline std::size_t count_fds(const fs::path &below = "") { return count_below(descriptors(), below); }

/// The same of every table in this process: the host's and the one that the library's I/O threads share. Threads with the
/// same table show the same listing, which counts once. Only meaningful while the library is idle.
inline std::size_t count_fds_everywhere(const fs::path &below = "") {
    std::set<Descriptors> tables;
    std::error_code gone;
    for (fs::directory_iterator task("/proc/self/task", gone), end; !gone && task != end; task.increment(gone))
        tables.insert(descriptors(task->path()));
    std::size_t count = 0;
    for (const auto &table : tables) count += count_below(table, below);
    return count;
}

inline std::size_t count_threads() {
    const fs::directory_iterator tasks("/proc/self/task");
    return static_cast<std::size_t>(std::distance(fs::begin(tasks), fs::end(tasks)));
}

/// Waits until the library has nothing open below a directory: what its jobs had it may close a little after they have ended.
/// False if it never does.
inline bool wait_until_closed(const fs::path &directory) {
    const auto real = fs::canonical(directory);  // as /proc has it
    return wait_until([&] { return count_fds_everywhere(real) == count_fds(real); });
}

/// What this process uses while the library is idle, to be compared later. All that its jobs open is below one directory.
class Footprint {
public:
    /// As it is once the library has closed what its jobs had open.
    explicit Footprint(const fs::path &directory) {
        if (!wait_until_closed(directory)) fail("the library keeps descriptors open below " + directory.string());
        host_fds_ = count_fds();
        all_fds_ = count_fds_everywhere();
        threads_ = count_threads();
    }

    /// What differs, "" if nothing does any more before the deadline. A thread of which somebody has seen the end may still
    /// have been listed when they were counted; more than then is a leak.
    std::string difference(std::chrono::milliseconds deadline = std::chrono::seconds(60)) const {
        const auto as_before = [&] {
            return count_fds() == host_fds_ && count_fds_everywhere() == all_fds_ && count_threads() <= threads_;
        };
        if (wait_until(as_before, deadline)) return "";
        return "descriptors of the host " + std::to_string(count_fds()) + ", were " + std::to_string(host_fds_) +
               "; of all " + std::to_string(count_fds_everywhere()) + ", were " + std::to_string(all_fds_) +
               "; threads " + std::to_string(count_threads()) + ", were " + std::to_string(threads_);
    }

private:
    std::size_t host_fds_ = 0, all_fds_ = 0, threads_ = 0;
};

// --------------------------------------------------------------------------------------------------- other programs

/// Runs a program found in PATH and waits for it; its exit code, or 128 + signal. Its standard output goes to `output`.
inline int run(const std::vector<std::string> &command, std::string *output = nullptr) {
    int ends[2] = {-1, -1};
    if (output != nullptr && ::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe2");

    std::vector<char *> arguments;
    for (const auto &word : command) arguments.push_back(const_cast<char *>(word.c_str()));
    arguments.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    if (output != nullptr) ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t child = 0;
    const int refused = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (output != nullptr) {
        ::close(ends[1]);
        char buffer[4096];
        for (ssize_t got = 0; refused == 0 && (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
            output->append(buffer, static_cast<std::size_t>(got));
        ::close(ends[0]);
    }
    if (refused != 0) fail("cannot run " + command[0] + ": " + std::strerror(refused));

    int status = 0;
    if (::waitpid(child, &status, 0) != child) fail_errno("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Decompresses with the ordinary tool, as an operator would.
inline void unzstd(const fs::path &archive, const fs::path &out) {
    if (run({"zstd", "-d", "-q", "-f", archive.string(), "-o", out.string()}) != 0)
        fail("zstd -d refuses " + archive.string());
}

/// Compresses with the ordinary tool, as the game does.
inline void gzip(const fs::path &file, const fs::path &out) {
    if (run({"sh", "-c", "gzip < '" + file.string() + "' > '" + out.string() + "'"}) != 0)
        fail("gzip refuses " + file.string());
}

inline std::string sha256sum(const fs::path &path) {
    std::string output;
    if (run({"sha256sum", "--", path.string()}, &output) != 0) fail("sha256sum " + path.string());
    const auto start = output.find_first_not_of('\\');  // a leading backslash tells of an escaped name
    return output.substr(start, 64);
}

// --------------------------------------------------------------------------------------------- the host's own SQLite

class Db {
public:
    explicit Db(const fs::path &path, int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) {
        if (sqlite3_open_v2(path.c_str(), &db_, flags, nullptr) != SQLITE_OK) {
            const std::string why = sqlite3_errmsg(db_);
            sqlite3_close(db_);
            fail("open " + path.string() + ": " + why);
        }
    }
    Db(Db &&other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
    Db(const Db &) = delete;
    Db &operator=(const Db &) = delete;
    ~Db() { close(); }

    void close() { sqlite3_close_v2(std::exchange(db_, nullptr)); }
    sqlite3 *handle() const { return db_; }

    void exec(const std::string &sql) {
        if (try_exec(sql) != SQLITE_OK) fail(sql + ": " + sqlite3_errmsg(db_));
    }
    /// SQLite's own code, for those who expect a refusal.
    int try_exec(const std::string &sql) { return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr); }

    std::int64_t scalar(const std::string &sql) const {
        std::int64_t value = 0;
        first_row(sql, [&](sqlite3_stmt *row) { value = sqlite3_column_int64(row, 0); });
        return value;
    }
    std::string text(const std::string &sql) const {
        std::string value;
        first_row(sql, [&](sqlite3_stmt *row) {
            if (const auto *bytes = sqlite3_column_text(row, 0)) value = reinterpret_cast<const char *>(bytes);
        });
        return value;
    }
    /// Calls `visit` with each row.
    template <class Visit>
    void rows(const std::string &sql, Visit visit) const {
        sqlite3_stmt *statement = nullptr;
        int code = sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr);
        if (code == SQLITE_OK)
            while ((code = sqlite3_step(statement)) == SQLITE_ROW) visit(statement);
        const std::string why = code == SQLITE_DONE ? "" : sqlite3_errmsg(db_);
        sqlite3_finalize(statement);
        if (code != SQLITE_DONE) fail(sql + ": " + why);
    }

private:
    template <class Visit>
    void first_row(const std::string &sql, Visit visit) const {
        bool found = false;
        rows(sql, [&](sqlite3_stmt *row) {
            if (!std::exchange(found, true)) visit(row);
        });
        if (!found) fail(sql + ": no row");
    }

    sqlite3 *db_ = nullptr;
};

/// What SQLite says: "ok" for a sound database.
inline std::string integrity_check(const fs::path &path) {
    return Db(path, SQLITE_OPEN_READWRITE).text("PRAGMA integrity_check");
}

/// A hash over the schema and every value of every table, for comparing what two databases say, not how they lie.
inline std::uint64_t content_hash(const Db &db) {
    std::uint64_t hash = 1469598103934665603U;  // FNV-1a
    const auto add = [&](const void *bytes, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i)
            hash = (hash ^ static_cast<const unsigned char *>(bytes)[i]) * 1099511628211U;
        hash = (hash ^ size) * 1099511628211U;
    };
    std::vector<std::string> tables;
    db.rows("SELECT name, sql FROM sqlite_schema ORDER BY name, sql", [&](sqlite3_stmt *row) {
        for (int i = 0; i < 2; ++i)
            add(sqlite3_column_blob(row, i), static_cast<std::size_t>(sqlite3_column_bytes(row, i)));
    });
    db.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", [&](sqlite3_stmt *row) {
        tables.emplace_back(reinterpret_cast<const char *>(sqlite3_column_text(row, 0)));
    });
    for (const auto &table : tables)
        db.rows("SELECT * FROM \"" + table + "\" ORDER BY rowid", [&](sqlite3_stmt *row) {
            for (int i = 0; i < sqlite3_column_count(row); ++i)
                add(sqlite3_column_blob(row, i), static_cast<std::size_t>(sqlite3_column_bytes(row, i)));
        });
    return hash;
}

inline std::uint64_t content_hash(const fs::path &path) { return content_hash(Db(path, SQLITE_OPEN_READWRITE)); }

struct DatabaseOptions {
    std::string journal_mode = "WAL";  // WAL, DELETE, TRUNCATE, PERSIST
    int page_size = 4096;
    int rows = 1000;                   // moves
    std::int64_t bytes = 1 << 20;      // about the size of the file; half of it compresses well, half not at all
    std::string auto_vacuum = "NONE";  // NONE, FULL, INCREMENTAL
    int seed = 1;                      // the same seed, the same bytes
};

/// The tables of a game, filled in one transaction. Closed, and checkpointed, when this returns.
inline void make_database(const fs::path &path, const DatabaseOptions &wanted = {}) {
    Db db(path);
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, wanted.seed, db.handle());
    db.exec("PRAGMA page_size = " + std::to_string(wanted.page_size));
    db.exec("PRAGMA auto_vacuum = " + wanted.auto_vacuum);
    db.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF");

    const auto rows = std::max(wanted.rows, 1);
    const auto half = std::to_string(std::max<std::int64_t>(wanted.bytes / rows / 2, 8));
    const auto upto = [](std::int64_t n) {
        return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(n) + ") ";
    };
    const auto games = rows / 10 + 1;
    db.exec("BEGIN;"
            "CREATE TABLE players(id INTEGER PRIMARY KEY, name TEXT NOT NULL, rating INTEGER NOT NULL);"
            "CREATE TABLE games(id INTEGER PRIMARY KEY, winner INTEGER NOT NULL REFERENCES players(id));"
            "CREATE TABLE moves(id INTEGER PRIMARY KEY, game INTEGER NOT NULL REFERENCES games(id),"
            " dice BLOB NOT NULL, bid TEXT NOT NULL);"
            "CREATE INDEX moves_by_game ON moves(game);");
    db.exec(upto(10) + "INSERT INTO players SELECT i, 'player ' || i, 1000 + i FROM n");
    db.exec(upto(games) + "INSERT INTO games SELECT i, 1 + i % 10 FROM n");
    db.exec(upto(rows) + "INSERT INTO moves SELECT i, 1 + i % " + std::to_string(games) + ", randomblob(" + half +
            "), printf('%.*c', " + half + ", 'x') FROM n");
    db.exec("COMMIT");

    // The last commit is made in the wanted mode, so that PERSIST leaves its journal and WAL its mark in the header.
    db.exec("PRAGMA journal_mode = " + wanted.journal_mode);
    db.exec("UPDATE players SET rating = rating + 1 WHERE id = 1");
}

// -------------------------------------------------------------------------------------------- the library's structs

template <class Sized>
Sized sized() {
    Sized value;
    std::memset(&value, 0, sizeof value);
    value.struct_size = static_cast<std::uint32_t>(sizeof value);
    return value;
}
inline lb_backup_options options() { return sized<lb_backup_options>(); }
inline lb_progress progress() { return sized<lb_progress>(); }
inline lb_result result() { return sized<lb_result>(); }
inline lb_error error() { return sized<lb_error>(); }
inline lb_config config() { return sized<lb_config>(); }
inline lb_job_info job_info() { return sized<lb_job_info>(); }
inline lb_restore_options restore_options() { return sized<lb_restore_options>(); }
inline lb_verify_options verify_options() { return sized<lb_verify_options>(); }
inline lb_archive_info archive_info() { return sized<lb_archive_info>(); }

inline std::string sha256_hex(const lb_result &result) {
    std::string hex;
    for (const auto byte : result.sha256) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", byte);
        hex += digits;
    }
    return hex;
}

/// Owns a handle. The destructor cancels and joins, so that no test leaves a job behind.
class Job {
public:
    Job() = default;
    explicit Job(lb_job *handle) : handle_(handle) {}
    Job(Job &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Job &operator=(Job &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Job() {
        if (handle_ == nullptr) return;
        lb_backup_cancel(handle_);
        lb_backup_join(handle_, nullptr);
    }

    /// Throws when the start is refused.
    static Job start(const fs::path &source, const fs::path &dest, const lb_backup_options &wanted = options()) {
        lb_job *handle = nullptr;
        auto why = error();
        if (lb_backup_start(source.c_str(), dest.c_str(), &wanted, &handle, &why) != LB_STATUS_OK)
            fail("start " + source.string() + ": " + lb_status_name(why.status) + ": " + why.message);
        return Job(handle);
    }
    static Job start_restore(const fs::path &archive, const fs::path &dest, const lb_restore_options &wanted) {
        lb_job *handle = nullptr;
        auto why = error();
        if (lb_restore_start(archive.c_str(), dest.c_str(), &wanted, &handle, &why) != LB_STATUS_OK)
            fail("restore " + archive.string() + ": " + lb_status_name(why.status) + ": " + why.message);
        return Job(handle);
    }
    static Job start_verify(const fs::path &archive, const lb_verify_options &wanted) {
        lb_job *handle = nullptr;
        auto why = error();
        if (lb_verify_start(archive.c_str(), &wanted, &handle, &why) != LB_STATUS_OK)
            fail("verify " + archive.string() + ": " + lb_status_name(why.status) + ": " + why.message);
        return Job(handle);
    }

    lb_job *get() const { return handle_; }
    lb_job *forget() { return std::exchange(handle_, nullptr); }

    lb_progress progress() const {
        auto now = lbtest::progress();
        const auto status = lb_backup_progress(handle_, &now);
        if (status != LB_STATUS_OK) fail(std::string("progress: ") + lb_status_name(status));
        return now;
    }
    lb_status cancel() const { return lb_backup_cancel(handle_); }
    lb_status wait(std::uint32_t timeout_ms) const { return lb_backup_wait(handle_, timeout_ms); }
    lb_status set_rate(std::uint64_t bytes_per_second) const { return lb_backup_set_rate(handle_, bytes_per_second); }
    lb_status release() { return lb_backup_release(forget()); }
    lb_result join() {
        auto outcome = lbtest::result();
        const auto status = lb_backup_join(forget(), &outcome);
        if (status != outcome.status) fail(std::string("join: ") + lb_status_name(status));
        return outcome;
    }

private:
    lb_job *handle_ = nullptr;
};

/// A refused start, told in the same way as a failed job.
inline lb_result refused(const lb_error &why) {
    auto outcome = result();
    outcome.status = why.status;
    outcome.sqlite_code = why.sqlite_code;
    outcome.sys_errno = why.sys_errno;
    std::memcpy(outcome.message, why.message, sizeof outcome.message);
    return outcome;
}

/// One backup from start to end; so are the restore and the verification.
inline lb_result backup(const fs::path &source, const fs::path &dest, const lb_backup_options &wanted = options()) {
    lb_job *handle = nullptr;
    auto why = error();
    const auto status = lb_backup_start(source.c_str(), dest.c_str(), &wanted, &handle, &why);
    return status == LB_STATUS_OK ? Job(handle).join() : refused(why);
}

inline lb_result restore(const fs::path &archive, const fs::path &dest,
                         const lb_restore_options &wanted = restore_options()) {
    lb_job *handle = nullptr;
    auto why = error();
    const auto status = lb_restore_start(archive.c_str(), dest.c_str(), &wanted, &handle, &why);
    return status == LB_STATUS_OK ? Job(handle).join() : refused(why);
}

inline lb_result verify(const fs::path &archive, const lb_verify_options &wanted = verify_options()) {
    lb_job *handle = nullptr;
    auto why = error();
    const auto status = lb_verify_start(archive.c_str(), &wanted, &handle, &why);
    return status == LB_STATUS_OK ? Job(handle).join() : refused(why);
}

/// What a backup file says about itself; the refusal, if there is one, goes to `why`.
inline lb_archive_info inspect(const fs::path &archive, lb_error *why = nullptr) {
    auto info = archive_info();
    auto error = lbtest::error();
    if (lb_backup_inspect(archive.c_str(), &info, &error) != LB_STATUS_OK && why == nullptr)
        fail("inspect " + archive.string() + ": " + lb_status_name(error.status) + ": " + error.message);
    if (why != nullptr) *why = error;
    return info;
}

}  // namespace lbtest

#endif
