// lb_database_menu: the backup menu of a game, over the adapter.
//
//     lb_database_menu DIRECTORY
//
// The database is in DIRECTORY, its backups in DIRECTORY/backups. Commands come from the standard input, a line each;
// backups and restores run meanwhile, and a line tells how far they are. Nothing here waits but for the next key.

#include <liarsdice/database/async_backup_service.hpp>

#include <poll.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

namespace demo {
namespace {

using namespace liarsdice::database;

volatile std::sig_atomic_t interrupted = 0;

std::string mebibytes(std::size_t bytes) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
    return text.data();
}

// The game's database layer, from the first connection to the last.
class Game {
public:
    explicit Game(const std::string &directory) {
        DatabaseConfig::instance().set_database_directory(directory);
        ConnectionManager::instance().configure();
        require(database.execute("CREATE TABLE IF NOT EXISTS rounds(id INTEGER PRIMARY KEY, log BLOB)"));
    }
    Game(const Game &) = delete;
    Game &operator=(const Game &) = delete;
    ~Game() { ConnectionManager::instance().shutdown(); }

    // Each round is a kibibyte that does not compress.
    void play(std::int64_t rounds) {
        require(database.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                                 std::to_string(rounds) + ") INSERT INTO rounds(log) SELECT randomblob(1024) FROM n"));
    }

    std::int64_t rounds() const {
        return ConnectionManager::instance().with_connection([](DatabaseConnection &connection) {
            sqlite3_stmt *statement = nullptr;
            sqlite3_prepare_v2(connection.get(), "SELECT count(*) FROM rounds", -1, &statement, nullptr);
            const bool found = sqlite3_step(statement) == SQLITE_ROW;
            const std::int64_t count = found ? sqlite3_column_int64(statement, 0) : 0;
            const std::string why = found ? "" : sqlite3_errmsg(connection.get());
            sqlite3_finalize(statement);
            if (!found) throw std::runtime_error(why);
            return count;
        });
    }

    DatabaseManager database;

private:
    static void require(const DatabaseResult<void> &done) {
        if (!done) throw std::runtime_error(done.error().full_message());
    }
};

// A number that fills the whole word.
template <class Number> Number number(const std::string &word, Number least, Number most) {
    Number value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || value < least || value > most)
        throw std::invalid_argument("\"" + word + "\" is not a number from " + std::to_string(least) + " to " +
                                    std::to_string(most));
    return value;
}

class Menu {
public:
    explicit Menu(const std::string &directory)
        : game_(directory), backups_(boost::filesystem::path(directory) / "backups"),
          manager_(game_.database, backups_) {}

    void run() {
        say("lb_backup " + std::string(lb::version()) + " beside SQLite " + sqlite3_libversion() + "; help tells more");
        while (!quit_ && !interrupted) {
            settle();
            draw();
            if (watching_ && running_.empty()) watching_ = false;
            if (!watching_ && take_line()) continue;
            wait_for_input();
        }
        if (!running_.empty()) say("cancelling what still runs");
    }

private:
    using Outcome = std::variant<std::future<DatabaseResult<BackupInfo>>, std::future<DatabaseResult<void>>>;

    // A backup or a restore that was started, and how far it was when that was last told.
    struct Running {
        std::string id;
        std::string what;
        Outcome outcome;
        int tenth = -1;
    };

    void create(const std::string &name) {
        auto backup = manager_.start_backup(name);
        follow(std::move(backup.backup_id), "backup", std::move(backup.result));
    }

    void restore(const std::string &file) {
        auto restore = manager_.start_restore(backups_ / file);
        follow(std::move(restore.backup_id), "restore of " + file, std::move(restore.result));
    }

    void follow(std::string id, std::string what, Outcome outcome) {
        if (!id.empty()) say(id + ": " + what + " started");
        running_.push_back({std::move(id), std::move(what), std::move(outcome)});
        limit();
    }

    void list() {
        const auto backups = manager_.list_backups();
        if (!backups) return say(backups.error().full_message());
        if (backups->empty()) say("no backups");
        for (const BackupInfo &backup : *backups)
            say("  " + backup.file_path.filename().string() + "  " + backup.backup_type + "  " +
                mebibytes(backup.file_size));
    }

    void cancel(const std::string &id) {
        say(id + (manager_.cancel_backup(id) ? ": asked to end" : ": nothing of this number runs"));
    }

    // Of all that runs, and will.
    void limit() const {
        if (rate_ == no_limit_set) return;
        for (const lb::JobInfo &job : lb::jobs()) lb_backup_set_rate(job.handle, rate_ << 20);
    }

    void execute(const std::string &line) {
        const std::size_t space = line.find(' ');
        const std::string command = line.substr(0, space);
        const std::string word = space == std::string::npos ? "" : line.substr(space + 1);
        const std::map<std::string, std::function<void()>> commands = {
            {"", [] {}},
            {"create", [&] { create(word); }},
            {"list", [&] { list(); }},
            {"cancel", [&] { cancel(word); }},
            {"restore", [&] { restore(word); }},
            {"watch", [&] { watching_ = true; }},
            {"play", [&] { game_.play(number<std::int64_t>(word, 1, 1'000'000)); }},
            {"rounds", [&] { say(std::to_string(game_.rounds()) + " rounds"); }},
            {"rate",
             [&] {
                 rate_ = number<std::uint64_t>(word, 0, 1'000'000);
                 limit();
             }},
            {"help",
             [&] {
                 say("create [NAME]  list  cancel NUMBER  restore FILE  watch (until nothing runs)\n"
                     "play N  rounds  rate MIB_PER_SECOND (0: no limit)  quit");
             }},
            {"quit", [&] { quit_ = true; }},
        };
        const auto found = commands.find(command);
        if (found == commands.end()) return say("unknown: " + command + "; help tells what there is");
        try {
            found->second();
        } catch (const std::exception &error) {
            say(command + ": " + error.what());
        }
    }

    // Tells of what has ended.
    void settle() {
        std::erase_if(running_, [this](Running &running) {
            return std::visit([&](auto &future) { return settled(running, future); }, running.outcome);
        });
    }

    template <typename T> bool settled(const Running &running, std::future<DatabaseResult<T>> &future) {
        if (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return false;
        const DatabaseResult<T> result = future.get();
        const std::string prefix = running.id.empty() ? "" : running.id + ": ";
        if (!result && result.error().error_code() == boost::asio::error::operation_aborted) {
            say(prefix + running.what + " was cancelled");
        } else if (!result) {
            say(prefix + running.what + " failed: " + result.error().message());
        } else if constexpr (std::is_void_v<T>) {
            say(prefix + running.what + " is done");
        } else {
            say(prefix + result->file_path.filename().string() + ", " + mebibytes(result->file_size) + ", verified");
        }
        return true;
    }

    // On a terminal, one line above the prompt, again and again; else a line at every tenth.
    void draw() {
        std::string all;
        for (Running &running : running_) {
            const auto now = manager_.get_progress(running.id);
            if (!now) continue;
            std::array<char, 32> percent{};
            std::snprintf(percent.data(), percent.size(), "%5.1f %%", now->get_percentage());
            all += (all.empty() ? "" : "   ") + running.id + ": " + now->file_name + " " + percent.data();
            const int tenth = static_cast<int>(now->get_percentage() / 10);
            if (!terminal_ && std::exchange(running.tenth, tenth) != tenth)
                say("  " + running.id + ": " + now->file_name + " " + std::to_string(tenth * 10) + " %");
        }
        if (!terminal_) return;
        if (!prompted_) {
            std::cout << all << "\n> " << std::flush;
            prompted_ = true;
        } else if (all != drawn_) {
            // Up, over the old line, and back to where the player types.
            std::cout << "\0337\033[1A\r" << all << "\033[K\0338" << std::flush;
        }
        drawn_ = all;
    }

    void say(const std::string &text) {
        // Over the progress, whose place is below whatever is said.
        if (std::exchange(prompted_, false)) std::cout << "\r\033[K\033[1A\r\033[K";
        std::cout << text << std::endl;
    }

    // Executes one line of what has been read.
    bool take_line() {
        const std::size_t end = input_.find('\n');
        if (end == std::string::npos) return false;
        const std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        if (terminal_) {
            // The terminal has shown the line, and the cursor is below it.
            std::cout << "\033[1A\r\033[K\033[1A\r\033[K";
            prompted_ = false;
            say("> " + line);
        }
        execute(line);
        return true;
    }

    // For a tenth of a second at most: the progress line moves.
    void wait_for_input() {
        pollfd polled{watching_ ? -1 : STDIN_FILENO, POLLIN, 0};
        if (::poll(&polled, 1, 100) <= 0) return;
        std::array<char, 4096> buffer{};
        const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (got > 0) input_.append(buffer.data(), static_cast<std::size_t>(got));
        if (got == 0 || (got < 0 && errno != EINTR)) quit_ = true;
    }

    static constexpr std::uint64_t no_limit_set = UINT64_MAX;

    Game game_;
    const boost::filesystem::path backups_;
    AsyncBackupManager manager_;  // cancels what runs before the game's own layer is shut down
    std::vector<Running> running_;
    std::uint64_t rate_ = no_limit_set;  // MiB a second
    std::string input_;
    std::string drawn_;
    bool prompted_ = false;
    bool watching_ = false;
    bool quit_ = false;
    const bool terminal_ = ::isatty(STDOUT_FILENO) != 0;
};

}  // namespace
}  // namespace demo

int main(int argc, char **argv) {
    if (argc != 2) {
        std::cerr << "usage: lb_database_menu DIRECTORY\n";
        return EXIT_FAILURE;
    }
    std::signal(SIGINT, [](int) { demo::interrupted = 1; });
    std::signal(SIGTERM, [](int) { demo::interrupted = 1; });
    try {
        demo::Menu(argv[1]).run();
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::cerr << "lb_database_menu: " << error.what() << "\n";
        return EXIT_FAILURE;
    }
}
