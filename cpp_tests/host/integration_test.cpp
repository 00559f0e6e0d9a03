// The code of docs/INTEGRATION.md, compiled and run: each piece of C++ there is a piece of this file.
// SPDX-License-Identifier: MIT OR Apache-2.0

#include "fixture.hpp"

#include <liarsdice/database/async_backup_service.hpp>

#include <iostream>
#include <sstream>

using namespace lbtest;
using namespace liarsdice::database;

bool second_unit_lists(AsyncBackupManager &backups);

namespace {

// ------------------------------------------------------------------------------------------ what the game has

void print(const DatabaseResult<BackupInfo> &backup) {
    if (backup) {
        std::cout << "Created " << backup->file_path << ", " << backup->file_size << " bytes\n";
    } else {
        std::cout << "No backup: " << backup.error().full_message() << '\n';
    }
}

void synchronous(AsyncBackupManager &backups) {
    auto backup = backups.create_backup("before_update");
    print(backup);
}

// --------------------------------------------------------------------------------------- what the game gains

class BackupMenu {
public:
    explicit BackupMenu(AsyncBackupManager &backups) : backups_(backups) {}

    void start() { backup_ = backups_.start_backup(); }

    void cancel() { backups_.cancel_backup(backup_.backup_id); }

    // Once per frame.
    void draw() {
        for (const BackupProgress &running : backups_.get_running_backups())
            std::cout << '\r' << running.file_name << ' ' << static_cast<int>(running.get_percentage()) << " %";
        if (!backup_.result.valid() || backup_.result.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
            return;
        print(backup_.result.get());
    }

    bool busy() const { return backup_.result.valid(); }

private:
    AsyncBackupManager &backups_;
    AsyncBackup<BackupInfo> backup_;
};

void on_the_pool(std::promise<void> &done) {
    execute_backup_async(ConnectionManager::instance(), "autosave", [&](DatabaseResult<BackupInfo> backup) {
        print(backup);  // on a thread of the io_context
        done.set_value();
    });
}

std::vector<std::string> damaged(AsyncBackupManager &backups) {
    std::vector<std::string> out;
    const auto all = backups.list_backups();
    if (!all) return out;
    for (const BackupInfo &backup : *all) {
        const auto sound = backups.check_backup(backup.file_path);
        if (!sound) out.push_back(sound.error().message());  // which file, what is wrong, and where
    }
    return out;
}

bool out_of_space(const DatabaseError &error) { return error.error_code() == boost::system::errc::no_space_on_device; }

void configure_logging() {
    lb::Config config;
    config.on_log = [](lb::LogLevel level, std::string_view line) {
        if (level == lb::LogLevel::warning) std::clog << "backup: " << line << '\n';
    };
    lb::configure(config);  // before the first backup
}

void configure_pool() {
    ConnectionPool::PoolConfig config;
    config.enable_health_checks = false;
    ConnectionManager::instance().configure(config);
}

class Integration : public GameTest {};

TEST_F(Integration, code_works) {
    configure_logging();
    configure_pool();
    db.emplace();
    DatabaseManager &database = *db;
    const boost::filesystem::path backup_dir = backups.string();
    {
        // was: BackupManager backups(database, backup_dir);
        AsyncBackupManager backups(database, backup_dir);
        synchronous(backups);
        BackupMenu menu(backups);
        menu.start();
        ASSERT_TRUE(wait_until([&] {
            menu.draw();
            return !menu.busy();
        }));
        menu.start();
        menu.cancel();
        ASSERT_TRUE(wait_until([&] {
            menu.draw();
            return !menu.busy();
        }));
        std::promise<void> done;
        on_the_pool(done);
        done.get_future().get();
        EXPECT_TRUE(damaged(backups).empty());
        EXPECT_TRUE(second_unit_lists(backups));
        write_file(this->backups / "damaged.db", "certainly not a database");
        EXPECT_EQ(damaged(backups).size(), 1U);
    }
    EXPECT_FALSE(out_of_space(DatabaseError(DatabaseErrorType::BackupFailed, "")));
    EXPECT_TRUE(fs::exists(backups / "before_update.db.zst"));
    EXPECT_TRUE(fs::exists(backups / "autosave.db.zst"));
}

/// The lines of a text without the space around them, the empty ones left out.
std::string lines_of(std::istream &text) {
    std::string out;
    for (std::string line; std::getline(text, line);) {
        const auto first = line.find_first_not_of(' ');
        if (first != std::string::npos) out += line.substr(first) + '\n';
    }
    return out;
}

TEST(IntegrationGuide, shows_what_is_compiled_here) {
    std::ifstream source(__FILE__);
    const std::string compiled = '\n' + lines_of(source);
    std::ifstream guide(LB_INTEGRATION_GUIDE);
    int pieces = 0;
    for (std::string line; std::getline(guide, line);) {
        if (line != "```cpp") continue;
        std::stringstream piece;
        while (std::getline(guide, line) && line != "```") piece << line << '\n';
        const std::string wanted = '\n' + lines_of(piece);
        EXPECT_NE(compiled.find(wanted), std::string::npos) << "not compiled:" << wanted;
        ++pieces;
    }
    EXPECT_GE(pieces, 5);
}

}  // namespace
