// Stand-in for the game's header of this name: what the adapter meets, written anew. It takes no backups: what the
// adapter does not do itself, a test will notice.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LIARSDICE_DATABASE_BACKUP_MANAGER_HPP
#define LIARSDICE_DATABASE_BACKUP_MANAGER_HPP

#include <liarsdice/database/database_error.hpp>
#include <liarsdice/database/database_manager.hpp>

#include <boost/filesystem.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace liarsdice::database {

struct RetentionPolicy {
    int daily_keep_days = 7;
    int weekly_keep_weeks = 4;
    int monthly_keep_months = 6;
    int yearly_keep_years = 2;
    std::size_t max_backup_size_mb = 1000;
    std::size_t max_total_size_gb = 10;
    std::string daily_pattern = "backup_daily_%Y%m%d_%H%M%S.db";
    std::string weekly_pattern = "backup_weekly_%Y_W%W.db";
    std::string monthly_pattern = "backup_monthly_%Y_%m.db";
    std::string yearly_pattern = "backup_yearly_%Y.db";
    bool compress_backups = true;
    std::string compression_suffix = ".gz";
};

struct BackupInfo {
    boost::filesystem::path file_path;
    std::chrono::system_clock::time_point created_at;
    std::size_t file_size;
    std::string backup_type;
    bool is_compressed;
    std::string checksum;
};

class BackupManager {
public:
    explicit BackupManager(DatabaseManager &, const boost::filesystem::path &backup_dir) {
        boost::filesystem::create_directories(backup_dir);
    }

    void set_retention_policy(const RetentionPolicy &) {}
    DatabaseResult<BackupInfo> create_backup(const std::string & = "") { return none(); }
    DatabaseResult<BackupInfo> create_scheduled_backup(const std::string &) { return none(); }
    DatabaseResult<void> restore_from_backup(const boost::filesystem::path &) { return none(); }
    DatabaseResult<std::vector<BackupInfo>> list_backups() { return none(); }
    DatabaseResult<void> apply_retention_policy() { return none(); }
    DatabaseResult<bool> verify_backup(const boost::filesystem::path &) { return none(); }
    DatabaseResult<std::map<std::string, std::size_t>> get_storage_statistics() { return none(); }
    DatabaseResult<boost::filesystem::path> compress_backup(const boost::filesystem::path &) { return none(); }
    DatabaseResult<boost::filesystem::path> decompress_backup(const boost::filesystem::path &) { return none(); }
    DatabaseResult<BackupInfo> create_sql_dump(const std::string & = "") { return none(); }
    DatabaseResult<void> import_sql_dump(const boost::filesystem::path &) { return none(); }
    DatabaseResult<void> schedule_automatic_backups(bool = true) { return none(); }

private:
    static DatabaseError none() {
        return DatabaseError(DatabaseErrorType::InternalError, "the stand-in's BackupManager was called");
    }
};

}  // namespace liarsdice::database

#endif
