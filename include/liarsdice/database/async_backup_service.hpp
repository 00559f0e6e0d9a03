// async_backup_service.hpp: asynchronous backups for Liar's Dice. Header-only, C++20, over lb_backup_asio.hpp and the
// game's own headers.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LIARSDICE_DATABASE_ASYNC_BACKUP_SERVICE_HPP
#define LIARSDICE_DATABASE_ASYNC_BACKUP_SERVICE_HPP

#include <lb_backup_asio.hpp>

#include <liarsdice/database/backup_manager.hpp>
#include <liarsdice/database/connection_manager.hpp>
#include <liarsdice/database/database_config.hpp>
#include <liarsdice/database/database_error.hpp>
#include <liarsdice/database/database_manager.hpp>

#include <boost/asio/compose.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/version.hpp>
#include <boost/filesystem/path.hpp>
#if BOOST_ASIO_VERSION >= 101900
#include <boost/asio/cancellation_state.hpp>
#endif

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

/// @file
/// The game's backups, on lb_backup: docs/INTEGRATION.md tells how they come into the game.
///
/// CAVEATS, before anything else: those of lb_backup.h hold here as well. On top of them:
///
/// - BackupManager has no virtual functions: call an AsyncBackupManager by its own name. Through a `BackupManager &`
///   the old code runs, which copies the live file. It also runs in import_sql_dump and schedule_automatic_backups,
///   which are BackupManager's own.
/// - Progress callbacks run on a thread of the library's, one at a time for all backups of the process: they must be
///   short, and must not wait for a backup. A synchronous call in one of them fails with InternalError. An exception in
///   one ends neither the program nor the backup.
/// - An AsyncBackupManager or AsyncBackupService that is destroyed cancels what it has started and waits until that has
///   ended (milliseconds): after it no callback of its operations runs, and their futures are ready. In a callback,
///   where waiting is impossible, it only cancels.
///
/// ERRORS
///
///   DatabaseErrorType   lb_status
///   InvalidParameter    INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS
///   Timeout             BUSY, TIMED_OUT
///   InternalError       INVALID_HANDLE, OUT_OF_MEMORY, WRONG_PROCESS, WOULD_DEADLOCK, INTERNAL
///   BackupFailed        all others
///
/// message() is the library's own: the operation, the path, the reason. error_code() has the status, in
/// lb::asio_category(): `error.error_code() == LB_STATUS_NO_SPACE`, or portably
/// `error.error_code() == boost::system::errc::no_space_on_device`. A cancelled operation has
/// `boost::asio::error::operation_aborted`, as everywhere in Asio. What the adapter itself refuses before the library is
/// asked (a name, a size, a directory) has a code of the same conditions.
///
/// NAMES
///
///   A backup that is given a name is `NAME.db`; without one it is `backup_manual_YYYYmmdd_HHMMSS.db`, and the next in
///   the same second has `_2` before the `.db`, also across processes. Where the policy says compress_backups, `.zst`
///   follows, and no plain copy is made on the way. Nothing is ever overwritten.
///
///   A name is 1 to 231 bytes of UTF-8 without `/`, `\` and control characters, does not begin with a dot, and is not
///   blank.

namespace liarsdice::database {

/// One look at a backup that runs.
struct BackupProgress {
    std::string backup_id;            ///< for cancel_backup; never used twice in a process
    std::string file_name;            ///< of the backup, without its directory
    std::size_t bytes_processed = 0;  ///< bytes of the database that are in the backup
    std::size_t total_bytes = 0;      ///< bytes of the database; 0 until they are known
    bool is_compressing = false;      ///< at this moment
    bool is_cancelled = false;        ///< that was asked for; it ends within milliseconds
    double percentage = 0;            ///< of the whole work, verification and all, from 0 to 100

    /// As percentage. It never goes backwards, and 100 is not reached before the backup has succeeded.
    double get_percentage() const noexcept { return percentage; }
};

/// Called with the bytes of the database that are in the backup, and how many there are, some ten times a second.
using BackupProgressCallback = std::function<void(std::size_t bytes_copied, std::size_t total_bytes)>;

/// An operation that was started: what cancels it, and what becomes of it.
template <typename T> struct AsyncBackup {
    std::string backup_id;                  ///< for cancel_backup; empty if the start was refused
    std::future<DatabaseResult<T>> result;  ///< always becomes ready; no thread waits behind it
};

/// @cond DETAIL
namespace backup_detail {

namespace fs = std::filesystem;

inline fs::path to_std(const boost::filesystem::path &path) { return fs::path(path.native()); }
inline boost::filesystem::path to_boost(const fs::path &path) { return boost::filesystem::path(path.native()); }

inline DatabaseErrorType error_type(lb_status status) noexcept {
    switch (status) {
    case LB_STATUS_INVALID_ARGUMENT:
    case LB_STATUS_NOT_FOUND:
    case LB_STATUS_ALREADY_EXISTS:
        return DatabaseErrorType::InvalidParameter;
    case LB_STATUS_BUSY:
    case LB_STATUS_TIMED_OUT:
        return DatabaseErrorType::Timeout;
    case LB_STATUS_INVALID_HANDLE:
    case LB_STATUS_OUT_OF_MEMORY:
    case LB_STATUS_WRONG_PROCESS:
    case LB_STATUS_WOULD_DEADLOCK:
    case LB_STATUS_INTERNAL:
        return DatabaseErrorType::InternalError;
    default:
        return DatabaseErrorType::BackupFailed;
    }
}

inline DatabaseError to_error(lb_status status, const std::string &message) {
    return DatabaseError(error_type(status), message, lb::make_asio_error_code(status));
}
inline DatabaseError to_error(const lb::Error &error) { return to_error(error.status(), error.what()); }
inline DatabaseError to_error(const std::exception &error) {
    boost::system::error_code code;
    // The only ones here are the operating system's.
    if (const auto *system = dynamic_cast<const std::system_error *>(&error))
        code.assign(system->code().value(), boost::system::system_category());
    return DatabaseError(DatabaseErrorType::InternalError, error.what(), code);
}
inline DatabaseError deadlock() {
    return to_error(LB_STATUS_WOULD_DEADLOCK, "a callback of a backup must not wait for a backup");
}

/// Runs what throws.
template <typename T, typename Function> DatabaseResult<T> attempt(const Function &function) {
    try {
        return function();
    } catch (const lb::Error &error) {
        return to_error(error);
    } catch (const std::exception &error) {
        return to_error(error);
    }
}

inline std::string hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        out += digits[static_cast<unsigned char>(c) >> 4];
        out += digits[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

/// For messages: what is not plain ASCII as `\xNN`.
inline std::string printable(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) out += c >= ' ' && c <= '~' ? std::string(1, c) : "\\x" + hex({&c, 1});
    return out + '"';
}

/// Bytes of the UTF-8 character at the beginning of `text`; 0 if there is none.
inline std::size_t utf8_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const unsigned first = byte(0), second = byte(1);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second > 0x9f;
    const bool beyond = first == 0xf4 && second > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

/// Leaves room for the longest that may follow, of 255 bytes in all: ours and then SQLite's, `.db.decompressed-journal`.
constexpr std::size_t longest_name = 231;

/// What is wrong with the name of a backup; null if nothing is.
inline const char *fault_of(std::string_view name) noexcept {
    if (name.find_first_not_of(' ') == std::string_view::npos) return "is blank";
    if (name.front() == '.') return "begins with a dot";
    if (name.size() > longest_name) return "is longer than 231 bytes";
    for (std::size_t i = 0, length = 0; i < name.size(); i += length) {
        const char c = name[i];
        length = utf8_length(name.substr(i));
        if (c == '\0') return "holds a NUL character";
        if (c == '/' || c == '\\') return "holds a path separator";
        if (length == 0) return "is not UTF-8";
        const bool c1 = c == '\xc2' && static_cast<unsigned char>(name[i + 1]) < 0xa0;
        if (static_cast<unsigned char>(c) < ' ' || c == '\x7f' || c1) return "holds a control character";
    }
    return nullptr;
}

inline std::string local_time(const std::string &pattern) {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::localtime_r(&now, &parts);
    std::array<char, 512> text{};
    return std::string(text.data(), std::strftime(text.data(), text.size(), pattern.c_str(), &parts));
}

/// A destination that somebody in this process is about to create.
class Reservation {
public:
    Reservation() noexcept = default;
    Reservation(Reservation &&other) noexcept : path_(std::exchange(other.path_, {})) {}
    Reservation &operator=(Reservation &&other) noexcept {
        std::swap(path_, other.path_);
        return *this;
    }
    ~Reservation() {
        if (path_.empty()) return;
        const std::lock_guard lock(mutex());
        all().erase(path_);
    }

    /// Empty where the path is somebody else's.
    static std::optional<Reservation> make(const fs::path &path) {
        Reservation out;
        std::string text = path.native();
        const std::lock_guard lock(mutex());
        if (!all().insert(text).second) return std::nullopt;
        out.path_ = std::move(text);
        return out;
    }

private:
    // Never destroyed: the library's threads may outlive the program's static objects.
    static std::unordered_set<std::string> &all() {
        static auto *paths = new std::unordered_set<std::string>;
        return *paths;
    }
    static std::mutex &mutex() {
        static auto *mutex = new std::mutex;
        return *mutex;
    }

    std::string path_;
};

/// A backup that is to be taken.
struct Order {
    enum class Name {
        given,     // by the caller: taken once
        numbered,  // by the time: another number where it is taken already
        period,    // one for a day, a week and so on: whoever comes first
    };

    fs::path source;
    std::string stem;
    Name name = Name::given;
    std::size_t number = 1;
    std::size_t tries = 0;
    bool compress = true;

    std::string file_name() const {
        return stem + (number > 1 ? "_" + std::to_string(number) : "") + (compress ? ".db.zst" : ".db");
    }
    /// Whether another name may be tried.
    bool next() noexcept {
        if (name != Name::numbered || ++tries >= 1000) return false;
        ++number;
        return true;
    }
};

/// The directory with the backups: what lies there, how it is named, and what is kept of it.
class Directory {
public:
    Directory(const fs::path &path, RetentionPolicy policy)
        : path_(fs::absolute(path).lexically_normal()), policy_(std::move(policy)) {}

    const fs::path &path() const noexcept { return path_; }

    void set_policy(const RetentionPolicy &policy) {
        const std::lock_guard lock(mutex_);
        policy_ = policy;
    }
    RetentionPolicy policy() const {
        const std::lock_guard lock(mutex_);
        return policy_;
    }

    /// A backup with a name, or one with the time in it.
    DatabaseResult<Order> order(const fs::path &source, const std::string &name) {
        Order out;
        out.stem = name;
        if (name.empty()) {
            out.name = Order::Name::numbered;
            out.stem = local_time("backup_manual_%Y%m%d_%H%M%S");
        }
        return check(std::move(out), source);
    }

    /// A backup for a day, a week, a month or a year; of any other type, a manual one.
    DatabaseResult<Order> order_scheduled(const fs::path &source, const std::string &type) {
        const RetentionPolicy policy = this->policy();
        const std::string *pattern = type == "daily"     ? &policy.daily_pattern
                                     : type == "weekly"  ? &policy.weekly_pattern
                                     : type == "monthly" ? &policy.monthly_pattern
                                     : type == "yearly"  ? &policy.yearly_pattern
                                                         : nullptr;
        if (!pattern) return order(source, "");
        Order out;
        out.name = Order::Name::period;
        out.stem = local_time(*pattern);
        if (out.stem.ends_with(".db")) out.stem.resize(out.stem.size() - 3);
        return check(std::move(out), source);
    }

    /// Where the next try of an order goes, and its reservation, which the order does not have if anybody may win.
    DatabaseResult<fs::path> destination(Order &order, Reservation &reservation) const {
        reservation = Reservation();
        do {
            fs::path out = path_ / order.file_name();
            if (order.name == Order::Name::period) return out;
            if (auto reserved = Reservation::make(out)) {
                reservation = std::move(*reserved);
                return out;
            }
        } while (order.next());
        return to_error(LB_STATUS_ALREADY_EXISTS,
                        "the backup " + printable(order.file_name()) + " is being taken already");
    }

    /// What became of an order: of its file, or why there is none.
    DatabaseResult<BackupInfo> outcome(const fs::path &dest, const lb::Result &result) {
        if (result.status != LB_STATUS_OK) return to_error(result.status, result.message);
        BackupInfo info;
        info.file_path = to_boost(dest);
        info.created_at = result.started;
        info.file_size = static_cast<std::size_t>(result.archive_bytes);
        info.backup_type = type_of(dest.filename().native());
        info.is_compressed = result.format == lb::Format::zstd;
        if (result.sha256)
            info.checksum = hex({reinterpret_cast<const char *>(result.sha256->data()), result.sha256->size()});
        struct stat file {};
        if (::stat(dest.c_str(), &file) == 0) remember(dest.filename().native(), file, info);
        return info;
    }

    /// The backup of this order's period, if there is one. What is visibly damaged is none: a full disk has left partial
    /// files of the game's old code. Throws where that cannot be told.
    std::optional<BackupInfo> existing(const Order &order) {
        for (const std::string &suffix : suffixes()) {
            const std::string name = order.stem + suffix;
            struct stat file {};
            if (::stat((path_ / name).c_str(), &file) != 0 || !S_ISREG(file.st_mode)) continue;
            if (!visible_damage(path_ / name)) return describe(name, file);
        }
        return std::nullopt;
    }

    /// Why there is no backup of this order's period, although its name is taken.
    DatabaseError taken(const Order &order) const {
        const fs::path path = path_ / order.file_name();
        return to_error(LB_STATUS_ALREADY_EXISTS,
                        visible_damage(path).value_or(printable(path.native()) + " is no backup") +
                            "; a new backup would have its name");
    }

    /// All backups, the newest first; none where there is no such directory. Throws where it cannot be read.
    std::vector<BackupInfo> list(const fs::path &live) {
        std::vector<BackupInfo> out;
        struct stat source {};
        const bool exists = ::stat(live.c_str(), &source) == 0;
        const auto suffixes = this->suffixes();
        std::uint64_t listing = 0;
        {
            const std::lock_guard lock(mutex_);
            listing = ++listings_;
        }
        std::error_code ec;
        for (fs::directory_iterator entry(path_, ec), end; !ec && entry != end; entry.increment(ec)) {
            const std::string name = entry->path().filename().native();
            const auto ends = [&](const std::string &suffix) { return name.ends_with(suffix); };
            if (name.front() == '.' || std::none_of(suffixes.begin(), suffixes.end(), ends)) continue;
            struct stat file {};
            if (::stat(entry->path().c_str(), &file) != 0) {
                // A link to nowhere is no backup; where the entry itself cannot be looked at, there may be one.
                if (::lstat(entry->path().c_str(), &file) != 0) check_read({errno, std::system_category()});
                continue;
            }
            if (!S_ISREG(file.st_mode)) continue;
            if (exists && file.st_dev == source.st_dev && file.st_ino == source.st_ino) continue;
            out.push_back(describe(name, file));
        }
        check_read(ec);
        {
            const std::lock_guard lock(mutex_);
            std::erase_if(known_, [&](const auto &entry) { return entry.second.listing < listing; });
        }
        std::sort(out.begin(), out.end(), [](const BackupInfo &a, const BackupInfo &b) {
            return a.created_at != b.created_at ? a.created_at > b.created_at
                                                : a.file_path.native() > b.file_path.native();
        });
        return out;
    }

    /// Removes what is older than the policy wants it. A name of the user's own choice is the user's to remove.
    DatabaseResult<void> apply_policy(const fs::path &live) {
        const RetentionPolicy policy = this->policy();
        const auto now = std::chrono::system_clock::now();
        std::optional<DatabaseError> failed;
        for (const BackupInfo &backup : list(live)) {
            const fs::path path = to_std(backup.file_path);
            if (!path.filename().native().starts_with("backup_")) continue;
            const long long days = backup.backup_type == "weekly"    ? policy.weekly_keep_weeks * 7LL
                                   : backup.backup_type == "monthly" ? policy.monthly_keep_months * 30LL
                                   : backup.backup_type == "yearly"  ? policy.yearly_keep_years * 365LL
                                                                     : policy.daily_keep_days;
            if (std::chrono::duration_cast<std::chrono::hours>(now - backup.created_at).count() < days * 24) continue;
            std::error_code ec;
            fs::remove(path, ec);
            if (ec && !failed) {
                failed = DatabaseError(DatabaseErrorType::InternalError,
                                       "cannot remove " + printable(path.native()) + ": " + ec.message(),
                                       {ec.value(), boost::system::system_category()});
            }
        }
        return failed ? DatabaseResult<void>(*failed) : DatabaseResult<void>();
    }

    std::map<std::string, std::size_t> statistics(const fs::path &live) {
        std::map<std::string, std::size_t> out = {
            {"total_backups", 0},   {"total_size_bytes", 0}, {"daily_backups", 0},  {"weekly_backups", 0},
            {"monthly_backups", 0}, {"yearly_backups", 0},   {"manual_backups", 0}, {"directory_size_bytes", 0}};
        for (const BackupInfo &backup : list(live)) {
            ++out["total_backups"];
            ++out[backup.backup_type + "_backups"];
            out["total_size_bytes"] += backup.file_size;
        }
        std::error_code ec;
        constexpr auto options = fs::directory_options::skip_permission_denied;
        for (fs::recursive_directory_iterator entry(path_, options, ec), end; !ec && entry != end;
             entry.increment(ec)) {
            std::error_code gone;
            const auto size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0;
            if (!gone) out["directory_size_bytes"] += static_cast<std::size_t>(size);
        }
        check_read(ec);
        return out;
    }

    /// `path` without the suffix of a compressed file.
    fs::path decompressed(const fs::path &path) const {
        const std::string &name = path.native();
        for (const std::string &suffix : {std::string(".zst"), std::string(".gz"), policy().compression_suffix})
            if (!suffix.empty() && name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
        return name + ".decompressed";
    }

private:
    struct Known {
        std::uint64_t listing = 0;
        struct stat file {};
        BackupInfo info;
    };
    static constexpr std::size_t most_known = 16384;

    static bool same(const struct stat &a, const struct stat &b) noexcept {
        return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
               a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
    }

    /// Throws unless the directory was read to its end, or is not there.
    void check_read(const std::error_code &ec) const {
        if (!ec || ec == std::errc::no_such_file_or_directory) return;
        throw std::system_error(ec, "cannot read the backup directory " + printable(path_.native()));
    }

    /// What is wrong with a file, as far as a few kilobytes of it tell; empty if nothing is.
    static std::optional<std::string> visible_damage(const fs::path &path) {
        try {
            const lb::ArchiveInfo archive = lb::inspect(path);
            if (archive.kind != lb::Kind::image || archive.image_bytes <= archive.archive_bytes) return std::nullopt;
            return printable(path.native()) + " is damaged: it is shorter than its database";
        } catch (const lb::Error &error) {
            // Gone meanwhile is none, too.
            if (error.code() == LB_STATUS_CORRUPT || error.code() == LB_STATUS_NOT_A_DATABASE ||
                error.code() == LB_STATUS_NOT_FOUND)
                return error.what();
            throw;
        }
    }

    static std::string type_of(const std::string &file_name) {
        if (!file_name.starts_with("backup_")) return "manual";
        for (const char *type : {"daily", "weekly", "monthly", "yearly"})
            if (file_name.find("_" + std::string(type) + "_") != std::string::npos) return type;
        return "manual";
    }

    static std::optional<DatabaseError> oversize(std::uint64_t bytes, std::size_t limit_mb) {
        constexpr std::uint64_t mebibyte = 1024 * 1024;
        if (bytes / mebibyte <= limit_mb) return std::nullopt;
        return DatabaseError(DatabaseErrorType::BackupFailed,
                             "the database has " + std::to_string(bytes / mebibyte) + " MB, and the policy allows " +
                                 std::to_string(limit_mb) + " MB (max_backup_size_mb)",
                             make_error_code(boost::system::errc::file_too_large));
    }

    std::vector<std::string> suffixes() const {
        std::vector<std::string> out = {".db", ".db.zst", ".db.gz"};
        if (const std::string suffix = policy().compression_suffix; !suffix.empty()) out.push_back(".db" + suffix);
        return out;
    }

    // All that can be said before the library is asked.
    DatabaseResult<Order> check(Order order, const fs::path &source) {
        if (const char *fault = fault_of(order.stem))
            return to_error(LB_STATUS_INVALID_ARGUMENT, "the backup name " + printable(order.stem) + ' ' + fault);
        std::size_t limit_mb = 0;
        {
            const std::lock_guard lock(mutex_);
            order.compress = policy_.compress_backups;
            limit_mb = policy_.max_backup_size_mb;
            // Many in one second need not try all the numbers that those before them have taken.
            if (order.name == Order::Name::numbered) {
                number_ = order.stem == numbered_ ? number_ + 1 : 1;
                numbered_ = order.stem;
                order.number = number_;
            }
        }
        order.source = source;
        struct stat file {};
        if (::stat(source.c_str(), &file) == 0) {
            if (auto fault = oversize(static_cast<std::uint64_t>(file.st_size), limit_mb)) return *fault;
        }
        std::error_code ec;
        fs::create_directories(path_, ec);
        if (ec) {
            return DatabaseError(DatabaseErrorType::InternalError,
                                 "cannot create the backup directory " + printable(path_.native()) + ": " +
                                     ec.message(),
                                 {ec.value(), boost::system::system_category()});
        }
        const std::string file_name = order.file_name();
        if (source.filename() == file_name && fs::equivalent(source.parent_path(), path_, ec))
            return to_error(LB_STATUS_INVALID_ARGUMENT, printable(file_name) + " is the live database");
        return order;
    }

    BackupInfo describe(const std::string &name, const struct stat &file) {
        {
            const std::lock_guard lock(mutex_);
            const auto known = known_.find(name);
            if (known != known_.end() && same(known->second.file, file)) {
                known->second.listing = listings_;
                return known->second.info;
            }
        }
        BackupInfo info;
        info.file_path = to_boost(path_ / name);
        info.created_at =
            std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
                std::chrono::seconds(file.st_mtim.tv_sec) + std::chrono::nanoseconds(file.st_mtim.tv_nsec)));
        info.file_size = static_cast<std::size_t>(file.st_size);
        info.backup_type = type_of(name);
        info.is_compressed = !name.ends_with(".db");
        if (name.ends_with(".zst")) {
            // Of a file that is damaged, this is all that can be told. It may be repaired: nothing is remembered of it.
            std::error_code ec;
            const lb::ArchiveInfo archive = lb::inspect(path_ / name, ec);
            if (ec) return info;
            info.created_at = archive.created;
        }
        remember(name, file, info);
        return info;
    }

    void remember(const std::string &name, const struct stat &file, const BackupInfo &info) {
        const std::lock_guard lock(mutex_);
        if (known_.size() >= most_known && !known_.contains(name)) return;
        known_.insert_or_assign(name, Known{listings_, file, info});
    }

    const fs::path path_;
    mutable std::mutex mutex_;  // guards all below
    RetentionPolicy policy_;
    std::string numbered_;  // the last stem that was given a number, and that number
    std::size_t number_ = 0;
    std::uint64_t listings_ = 0;
    std::unordered_map<std::string, Known> known_;
};

/// An operation that others may look at, cancel, and wait for.
class Operation {
public:
    enum class Kind { backup, restore };

    Operation(Kind kind, std::string file_name) : kind_(kind), file_name_(std::move(file_name)) {}

    Kind kind() const noexcept { return kind_; }
    const std::string &id() const noexcept { return id_; }

    /// From now on this job does the work. One that was cancelled too early to know of its job cancels it now.
    void run(std::shared_ptr<lb::Job> job, const std::string &file_name) {
        std::shared_ptr<lb::Job> old = job;  // outlives the lock
        const std::lock_guard lock(mutex_);
        if (cancelled_) job->cancel();
        file_name_ = file_name;
        job_.swap(old);
    }

    void cancel() {
        const std::lock_guard lock(mutex_);
        cancelled_ = true;
        if (job_) job_->cancel();
    }

    bool cancelled() const {
        const std::lock_guard lock(mutex_);
        return cancelled_;
    }

    /// Its outcome is known.
    void end() noexcept { ended_ = true; }
    bool ended() const noexcept { return ended_; }

    /// Waits until the operation has ended; false in a callback, where that is impossible.
    bool wait() const {
        for (std::shared_ptr<lb::Job> last;;) {
            const std::shared_ptr<lb::Job> now = job();
            if (now == last) return true;
            std::error_code ec;
            now->wait(ec);
            if (ec == LB_STATUS_WOULD_DEADLOCK) return false;
            last = now;
        }
    }

    BackupProgress progress() const {
        BackupProgress out;
        std::shared_ptr<lb::Job> job;
        {
            const std::lock_guard lock(mutex_);
            out.backup_id = id_;
            out.file_name = file_name_;
            out.is_cancelled = cancelled_;
            job = job_;
        }
        if (!job) return out;
        std::error_code ended;
        const lb::Progress progress = job->progress(ended);
        out.bytes_processed = static_cast<std::size_t>(progress.bytes_done);
        out.total_bytes = static_cast<std::size_t>(progress.bytes_total);
        out.is_compressing = progress.phase == lb::Phase::compressing;
        out.percentage = progress.percent;
        return out;
    }

private:
    static std::string next_id() {
        static std::atomic<std::uint64_t> last{0};
        return std::to_string(++last);
    }

    std::shared_ptr<lb::Job> job() const {
        const std::lock_guard lock(mutex_);
        return job_;
    }

    const Kind kind_;
    const std::string id_ = next_id();
    std::atomic<bool> ended_{false};
    mutable std::mutex mutex_;  // guards all below
    std::string file_name_;
    std::shared_ptr<lb::Job> job_;
    bool cancelled_ = false;
};

/// The operations of one manager or service that have not ended.
class Operations {
public:
    void add(const std::shared_ptr<Operation> &operation) {
        const std::lock_guard lock(mutex_);
        running_.emplace(operation->id(), operation);
    }
    void remove(const std::string &id) {
        const std::lock_guard lock(mutex_);
        running_.erase(id);
    }

    bool cancel(const std::string &id) const {
        const auto operation = find(id);
        if (operation) operation->cancel();
        return operation != nullptr;
    }

    std::vector<BackupProgress> backups() const {
        std::vector<BackupProgress> out;
        for (const auto &operation : all())
            if (operation->kind() == Operation::Kind::backup && !operation->ended())
                out.push_back(operation->progress());
        std::sort(out.begin(), out.end(), [](const BackupProgress &a, const BackupProgress &b) {
            return std::strtoull(a.backup_id.c_str(), nullptr, 10) < std::strtoull(b.backup_id.c_str(), nullptr, 10);
        });
        return out;
    }

    std::optional<BackupProgress> progress(const std::string &id) const {
        const auto operation = find(id);
        return operation ? std::optional(operation->progress()) : std::nullopt;
    }

    void cancel_all_and_wait() const {
        const auto operations = all();
        for (const auto &operation : operations) operation->cancel();
        for (const auto &operation : operations)
            if (!operation->wait()) return;
    }

private:
    std::shared_ptr<Operation> find(const std::string &id) const {
        const std::lock_guard lock(mutex_);
        const auto found = running_.find(id);
        return found == running_.end() || found->second->ended() ? nullptr : found->second;
    }

    std::vector<std::shared_ptr<Operation>> all() const {
        std::vector<std::shared_ptr<Operation>> out;
        const std::lock_guard lock(mutex_);
        out.reserve(running_.size());
        for (const auto &[id, operation] : running_) out.push_back(operation);
        return out;
    }

    mutable std::mutex mutex_;
    std::unordered_map<std::string, std::shared_ptr<Operation>> running_;
};

/// What started has: the same as AsyncBackup, and whom to wait for.
template <typename T> struct Started {
    std::shared_ptr<Operation> operation;  // null if the start was refused
    std::future<DatabaseResult<T>> result;

    static Started refused(DatabaseError error) {
        std::promise<DatabaseResult<T>> promise;
        promise.set_value(std::move(error));
        return {nullptr, promise.get_future()};
    }

    DatabaseResult<T> get() {
        if (operation && !operation->wait()) {
            operation->cancel();
            return deadlock();
        }
        return result.get();
    }

    AsyncBackup<T> hand_over() && { return {operation ? operation->id() : std::string(), std::move(result)}; }
};

template <typename T> class Task : public std::enable_shared_from_this<Task<T>> {
public:
    Task(std::shared_ptr<Operations> operations, std::shared_ptr<Operation> operation)
        : operation_(std::move(operation)), operations_(std::move(operations)) {}
    virtual ~Task() = default;

    static Started<T> start(const std::shared_ptr<Task> &task) {
        Started<T> out{task->operation_, task->promise_.get_future()};
        task->operations_->add(task->operation_);
        task->attempt();
        return out;
    }

protected:
    virtual void attempt() = 0;

    // Once, as the last thing. Whoever sees the future ready does not see the operation any more; whoever waits for the
    // operation finds the future ready.
    void settle(DatabaseResult<T> result) {
        operation_->end();
        promise_.set_value(std::move(result));
        operations_->remove(operation_->id());
    }

    static lb::ProgressFunction forward(BackupProgressCallback callback) {
        if (!callback) return nullptr;
        return [callback = std::move(callback)](const lb::Progress &progress) {
            callback(static_cast<std::size_t>(progress.bytes_done), static_cast<std::size_t>(progress.bytes_total));
        };
    }

    const std::shared_ptr<Operation> operation_;

private:
    const std::shared_ptr<Operations> operations_;
    std::promise<DatabaseResult<T>> promise_;
};

class BackupTask final : public Task<BackupInfo> {
public:
    BackupTask(std::shared_ptr<Operations> operations, std::shared_ptr<Directory> directory, Order order,
               BackupProgressCallback progress)
        : Task(std::move(operations), std::make_shared<Operation>(Operation::Kind::backup, order.file_name())),
          directory_(std::move(directory)), progress_(forward(std::move(progress))), order_(std::move(order)) {}

private:
    void attempt() override {
        // The job may have ended, and the next attempt have begun, before this one has told of it.
        const std::lock_guard lock(starting_);
        for (;;) {
            auto dest = directory_->destination(order_, reservation_);
            if (!dest) return finish(dest.error());
            dest_ = *dest;
            try {
                const auto job = std::make_shared<lb::Job>();
                lb::BackupOptions options;
                options.on_progress = progress_;
                options.on_complete = [task = shared_from_this(), this](const lb::Result &result) { ended(result); };
                *job = lb::start_backup(order_.source, dest_, std::move(options));
                return operation_->run(job, order_.file_name());
            } catch (const lb::Error &error) {
                if (error.status() != LB_STATUS_ALREADY_EXISTS || !order_.next()) return finish(to_error(error));
            } catch (const std::exception &error) {
                return finish(to_error(error));
            }
        }
    }

    // On the library's thread.
    void ended(const lb::Result &result) {
        // Another process took the name while this backup was at work.
        if (result.status == LB_STATUS_ALREADY_EXISTS && !operation_->cancelled() && may_try_another())
            return attempt();
        finish(backup_detail::attempt<BackupInfo>([&] { return directory_->outcome(dest_, result); }));
    }

    bool may_try_another() {
        const std::lock_guard lock(starting_);
        return order_.next();
    }

    void finish(DatabaseResult<BackupInfo> result) {
        reservation_ = Reservation();  // who sees the future ready may have the name
        settle(std::move(result));
    }

    const std::shared_ptr<Directory> directory_;
    const lb::ProgressFunction progress_;
    std::mutex starting_;  // guards the rest while a job is started
    Order order_;
    Reservation reservation_;
    fs::path dest_;
};

class RestoreTask final : public Task<void> {
public:
    RestoreTask(std::shared_ptr<Operations> operations, const fs::path &archive, fs::path dest,
                BackupProgressCallback progress)
        : Task(std::move(operations),
               std::make_shared<Operation>(Operation::Kind::restore, archive.filename().native())),
          archive_(archive), dest_(std::move(dest)), progress_(forward(std::move(progress))) {}

private:
    void attempt() override {
        try {
            const auto job = std::make_shared<lb::Job>();
            lb::RestoreOptions options;
            options.existing = lb::Existing::replace;
            options.on_progress = progress_;
            options.on_complete = [task = shared_from_this(), this](const lb::Result &result) { ended(result); };
            *job = lb::start_restore(archive_, dest_, std::move(options));
            operation_->run(job, archive_.filename().native());
        } catch (const lb::Error &error) {
            settle(to_error(error));
        } catch (const std::exception &error) {
            settle(to_error(error));
        }
    }

    void ended(const lb::Result &result) {
        settle(result.status == LB_STATUS_OK ? DatabaseResult<void>()
                                             : DatabaseResult<void>(to_error(result.status, result.message)));
    }

    const fs::path archive_;
    const fs::path dest_;
    lb::ProgressFunction progress_;
};

/// What a manager and a service have in common. Its destructor ends what it has started.
class Engine {
public:
    Engine(const boost::filesystem::path &directory, RetentionPolicy policy)
        : directory_(std::make_shared<Directory>(to_std(directory), std::move(policy))) {}
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;
    ~Engine() { operations_->cancel_all_and_wait(); }

    Directory &directory() const noexcept { return *directory_; }
    Operations &operations() const noexcept { return *operations_; }

    Started<BackupInfo> start(DatabaseResult<Order> order, BackupProgressCallback progress) {
        if (!order) return Started<BackupInfo>::refused(order.error());
        return BackupTask::start(std::make_shared<BackupTask>(operations_, directory_, *order, std::move(progress)));
    }
    Started<BackupInfo> start(const fs::path &source, const std::string &name, BackupProgressCallback progress) {
        return start(directory_->order(source, name), std::move(progress));
    }
    Started<void> start_restore(const fs::path &archive, const fs::path &dest, BackupProgressCallback progress) {
        return RestoreTask::start(std::make_shared<RestoreTask>(operations_, archive, dest, std::move(progress)));
    }

private:
    const std::shared_ptr<Directory> directory_;
    const std::shared_ptr<Operations> operations_ = std::make_shared<Operations>();
};

/// A job from its start to its end, for calls that wait. Throws lb::Error if it did not succeed.
inline void finish(lb::Job job) { job.join(); }

/// A new directory beside a file, removed with all that is in it.
class Scratch {
public:
    explicit Scratch(const fs::path &beside) {
        std::string pattern = (beside.parent_path() / ".lb_backup-XXXXXX").native();
        if (!::mkdtemp(pattern.data()))
            throw std::system_error(errno, std::system_category(), "cannot create " + printable(pattern));
        path_ = pattern;
    }
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    fs::path operator/(const char *name) const { return path_ / name; }

private:
    fs::path path_;
};

/// A plain backup to an archive beside it.
inline fs::path compress(const fs::path &file) {
    const fs::path out = file.native() + ".zst";
    if (lb::inspect(file).kind != lb::Kind::image)
        throw lb::Error(LB_STATUS_INVALID_ARGUMENT, printable(file.native()) + " is compressed already");
    // Not from the file itself: whoever reads a database in WAL mode leaves a -wal and a -shm beside it.
    const Scratch scratch(file);
    finish(lb::start_restore(file, scratch / "image.db"));
    finish(lb::start_backup(scratch / "image.db", out));
    return out;
}

/// Succeeds if the file is a sound backup. The error of one that is not tells what is wrong, and where.
inline DatabaseResult<void> check(const fs::path &file) {
    try {
        lb::VerifyOptions options;
        // An archive was judged when it was written, and its hashes tell that it is the same. Others have no hashes.
        if (lb::inspect(file).kind != lb::Kind::archive) options.verify = lb::Verify::full;
        finish(lb::start_verify(file, std::move(options)));
        return {};
    } catch (const lb::Error &error) {
        return to_error(error);
    } catch (const std::exception &error) {
        return to_error(error);
    }
}

inline bool is_damage(const boost::system::error_code &ec) noexcept {
    return ec == LB_STATUS_CORRUPT || ec == LB_STATUS_NOT_A_DATABASE;
}

}  // namespace backup_detail
/// @endcond

/// Asynchronous backups of one database into one directory.
///
/// Every function may be called from any thread at any time, constructing and destroying excepted. Those that start
/// something return at once; the work is done by the library's threads, of which there are few: see lb::Config for
/// how many, and for the length of their queue (4096 unless told; one more start is refused with LB_STATUS_QUEUE_FULL).
class AsyncBackupService {
public:
    /// See BackupProgressCallback.
    using ProgressCallback = BackupProgressCallback;

    /// @param source      The database; it may be open and being written.
    /// @param backup_dir  Created with the first backup if it does not exist.
    /// @param policy      compress_backups and max_backup_size_mb are what counts here.
    AsyncBackupService(const boost::filesystem::path &source, const boost::filesystem::path &backup_dir,
                       RetentionPolicy policy = {})
        : source_(std::filesystem::absolute(backup_detail::to_std(source))), engine_(backup_dir, std::move(policy)) {}

    /// Starts a backup that holds every transaction that was committed before this call.
    ///
    /// @param name               See NAMES above; empty for one with the time in it.
    /// @param progress_callback  May be empty. See the CAVEATS above.
    /// @return What will be known of the backup, or why there is none. What is refused at once is ready at once.
    std::future<DatabaseResult<BackupInfo>> create_backup_async(const std::string &name = "",
                                                                ProgressCallback progress_callback = {}) {
        return start_backup(name, std::move(progress_callback)).result;
    }

    /// As create_backup_async, for those who want to cancel this very backup, or to look at it.
    AsyncBackup<BackupInfo> start_backup(const std::string &name = "", ProgressCallback progress_callback = {}) {
        return engine_.start(source_, name, std::move(progress_callback)).hand_over();
    }

    /// Cancels a backup. It ends within milliseconds, its future has an error with operation_aborted, and nothing is
    /// left of it. One that had been published a moment before succeeds all the same.
    ///
    /// @return Whether there was such a backup, and it had not ended.
    bool cancel_backup(const std::string &backup_id) { return engine_.operations().cancel(backup_id); }

    /// The backups that wait or run, the oldest first.
    std::vector<BackupProgress> get_running_backups() const { return engine_.operations().backups(); }

    /// One look at one of them; empty once it has ended.
    std::optional<BackupProgress> get_progress(const std::string &backup_id) const {
        return engine_.operations().progress(backup_id);
    }

private:
    const backup_detail::fs::path source_;
    backup_detail::Engine engine_;
};

/// BackupManager with its calls on lb_backup, and asynchronous ones on top; all but two: import_sql_dump and
/// schedule_automatic_backups are BackupManager's own, and do what they did.
///
/// The database is the one that DatabaseConfig names at the time of the call. Every function may be called from any
/// thread at any time, constructing and destroying excepted. Synchronous calls keep their signatures and wait for the
/// work; they appear among the running backups, too. Never delete one through a pointer to BackupManager.
class AsyncBackupManager : public BackupManager {
public:
    /// See BackupProgressCallback.
    using ProgressCallback = BackupProgressCallback;

    /// As BackupManager's.
    explicit AsyncBackupManager(DatabaseManager &db, const boost::filesystem::path &backup_dir,
                                const RetentionPolicy &policy = {})
        : BackupManager(db, backup_dir), engine_(backup_dir, policy) {}

    /// As BackupManager's. Backups that run keep the policy with which they were started.
    ///
    /// max_backup_size_mb counts the database's size, for compressed backups as well, as it always did; but what is too
    /// large is refused before anything is written. max_total_size_gb is not enforced, as it never was. Compressed
    /// backups end in `.zst`, whatever compression_suffix says; files with that suffix are known as backups.
    void set_retention_policy(const RetentionPolicy &policy) { engine_.directory().set_policy(policy); }

    /// @name Synchronous
    /// @{

    /// Takes a backup and waits for it. See NAMES above.
    DatabaseResult<BackupInfo> create_backup(const std::string &backup_name = "") {
        return engine_.start(source(), backup_name, {}).get();
    }

    /// The backup of this day, week, month or year, by the policy's pattern: the one that exists, or a new one.
    ///
    /// An existing file counts unless a few kilobytes of it tell that it is damaged: it is empty, cut off, or no backup at
    /// all. Where the new backup would have the name of such a file, that is an error, which says so; the file stays.
    /// Damage that is not found in this way verify_backup finds.
    DatabaseResult<BackupInfo> create_scheduled_backup(const std::string &backup_type) {
        return backup_detail::attempt<BackupInfo>([&]() -> DatabaseResult<BackupInfo> {
            const auto order = engine_.directory().order_scheduled(source(), backup_type);
            if (!order) return order.error();
            const bool is_period = order->name == backup_detail::Order::Name::period;
            if (is_period) {
                if (auto existing = engine_.directory().existing(*order)) return *existing;
            }
            auto result = engine_.start(order, {}).get();
            if (is_period && !result && result.error().error_code() == LB_STATUS_ALREADY_EXISTS) {
                // Somebody else was faster, unless the file in the way is none.
                if (auto existing = engine_.directory().existing(*order)) return *existing;
                return engine_.directory().taken(*order);
            }
            return result;
        });
    }

    /// Changes the database to what the backup holds, in one transaction, while it is in use. Of a file that is damaged
    /// or no backup, nothing is restored.
    DatabaseResult<void> restore_from_backup(const boost::filesystem::path &backup_file) {
        return engine_.start_restore(backup_detail::to_std(backup_file), source(), {}).get();
    }

    /// The backups in the directory, the newest first, those with a name of their own included (as "manual"); not the
    /// database itself. Damaged ones are listed, too.
    ///
    /// Takes some 30 microseconds for each file that is new, and one or two for those that are known. created_at is the
    /// begin of the backup where the file tells it (`.zst`), else its last change. checksum is the SHA-256 of the file
    /// where this object has taken the backup and it is unchanged, else empty: computing it means reading the whole
    /// file. Whether a file is sound, verify_backup tells. There are none where the directory does not exist; one that
    /// cannot be read is an error.
    DatabaseResult<std::vector<BackupInfo>> list_backups() {
        return backup_detail::attempt<std::vector<BackupInfo>>([&] { return engine_.directory().list(source()); });
    }

    /// Removes backups that are older than the policy keeps them; never one whose name does not begin with `backup_`,
    /// and never the database. Goes on where one cannot be removed, and returns the first such error.
    DatabaseResult<void> apply_retention_policy() {
        try {
            return engine_.directory().apply_policy(source());
        } catch (const std::exception &error) {
            return backup_detail::to_error(error);
        }
    }

    /// Whether the file is a sound backup: false if it is damaged or none, an error if that cannot be told (no such
    /// file, no access). The hashes of a `.zst` of ours are compared, others get SQLite's integrity_check.
    DatabaseResult<bool> verify_backup(const boost::filesystem::path &backup_file) {
        const auto sound = check_backup(backup_file);
        if (sound) return true;
        if (backup_detail::is_damage(sound.error().error_code())) return false;
        return sound.error();
    }

    /// As verify_backup, but the error tells what is wrong with the file, and where.
    DatabaseResult<void> check_backup(const boost::filesystem::path &backup_file) {
        return backup_detail::check(backup_detail::to_std(backup_file));
    }

    /// As BackupManager's, with the backups that list_backups tells of.
    DatabaseResult<std::map<std::string, std::size_t>> get_storage_statistics() {
        return backup_detail::attempt<std::map<std::string, std::size_t>>(
            [&] { return engine_.directory().statistics(source()); });
    }

    /// Makes `FILE.zst` of a plain backup, which stays.
    DatabaseResult<boost::filesystem::path> compress_backup(const boost::filesystem::path &backup_file) {
        return backup_detail::attempt<boost::filesystem::path>(
            [&] { return backup_detail::to_boost(backup_detail::compress(backup_detail::to_std(backup_file))); });
    }

    /// Makes the plain database of a compressed backup, which stays: without its suffix, in the same directory. Refused
    /// where there is such a file already.
    DatabaseResult<boost::filesystem::path> decompress_backup(const boost::filesystem::path &compressed_file) {
        return backup_detail::attempt<boost::filesystem::path>([&] {
            const auto file = backup_detail::to_std(compressed_file);
            const auto out = engine_.directory().decompressed(file);
            backup_detail::finish(lb::start_restore(file, out));
            return backup_detail::to_boost(out);
        });
    }

    /// As BackupManager's, which is a backup and no dump: `NAME_dump.db`.
    DatabaseResult<BackupInfo> create_sql_dump(const std::string &dump_name = "") {
        return create_backup(dump_name.empty() ? "" : dump_name + "_dump");
    }

    /// @}

    /// @name Asynchronous
    /// @{

    /// As AsyncBackupService::create_backup_async.
    std::future<DatabaseResult<BackupInfo>> create_backup_async(const std::string &name = "",
                                                                ProgressCallback progress_callback = {}) {
        return start_backup(name, std::move(progress_callback)).result;
    }

    /// As create_backup_async, for those who want to cancel this very backup, or to look at it.
    AsyncBackup<BackupInfo> start_backup(const std::string &name = "", ProgressCallback progress_callback = {}) {
        return engine_.start(source(), name, std::move(progress_callback)).hand_over();
    }

    /// As restore_from_backup, but returns at once.
    std::future<DatabaseResult<void>> restore_from_backup_async(const boost::filesystem::path &backup_file,
                                                                ProgressCallback progress_callback = {}) {
        return start_restore(backup_file, std::move(progress_callback)).result;
    }

    /// As restore_from_backup_async, for those who want to cancel this very restore, or to look at it.
    AsyncBackup<void> start_restore(const boost::filesystem::path &backup_file,
                                    ProgressCallback progress_callback = {}) {
        return engine_.start_restore(backup_detail::to_std(backup_file), source(), std::move(progress_callback))
            .hand_over();
    }

    /// As AsyncBackupService::get_running_backups.
    std::vector<BackupProgress> get_running_backups() const { return engine_.operations().backups(); }

    /// One look at a backup or a restore; empty once it has ended.
    std::optional<BackupProgress> get_progress(const std::string &backup_id) const {
        return engine_.operations().progress(backup_id);
    }

    /// As AsyncBackupService::cancel_backup; for restores, too: the database is then as it was.
    bool cancel_backup(const std::string &backup_id) { return engine_.operations().cancel(backup_id); }

    /// @}

private:
    static backup_detail::fs::path source() {
        return backup_detail::to_std(DatabaseConfig::instance().get_database_file_path());
    }

    backup_detail::Engine engine_;
};

/// @cond DETAIL
namespace backup_detail {

// The stages of execute_backup_async, as async_compose wants them.
struct ExecuteBackup {
    boost::asio::io_context &context;
    std::shared_ptr<Directory> directory;
    DatabaseResult<Order> order;
    Reservation reservation{};
    fs::path dest{};
    bool posted = false;

    template <typename Self> void operator()(Self &self) {
#if BOOST_ASIO_VERSION >= 101900
        // All types of cancellation do the same to a backup; a composed operation by itself passes on only one.
        if (dest.empty()) self.reset_cancellation_state(boost::asio::enable_total_cancellation());
#endif
        if (!order) {
            // Never from within the call that starts the operation.
            if (!std::exchange(posted, true)) return boost::asio::post(context, std::move(self));
            return self.complete(DatabaseResult<BackupInfo>(order.error()));
        }
        auto next = directory->destination(*order, reservation);
        if (!next) {
            order = next.error();
            return (*this)(self);
        }
        dest = *next;
        lb::async_backup(context, order->source, dest, {}, std::move(self));
    }

    template <typename Self> void operator()(Self &self, const boost::system::error_code &, const lb::Result &result) {
        if (result.status == LB_STATUS_ALREADY_EXISTS && order->next()) return (*this)(self);
        auto outcome = attempt<BackupInfo>([&] { return directory->outcome(dest, result); });
        reservation = Reservation();
        self.complete(std::move(outcome));
    }
};

template <typename Handler>
auto execute(boost::asio::io_context &context, const fs::path &source, const fs::path &backup_dir,
             const RetentionPolicy &policy, const std::string &name, Handler &&handler) {
    auto directory = std::make_shared<Directory>(backup_dir, policy);
    auto order = directory->order(source, name);
    return boost::asio::async_compose<Handler, void(DatabaseResult<BackupInfo>)>(
        ExecuteBackup{context, std::move(directory), std::move(order)}, handler, context);
}

}  // namespace backup_detail
/// @endcond

/// Takes a backup of the game's database, and calls the handler on the connection manager's io_context.
///
/// Returns at once; neither the caller nor a thread of the pool waits. Until the handler is called there is outstanding
/// work, so that `run` does not return. Where the io_context is stopped, the handler is called when it runs again; where
/// it is destroyed (ConnectionManager::shutdown does that), the backup is cancelled and the handler destroyed without
/// being called. An exception in the handler leaves `run`, as that of any handler.
///
/// @param manager     Must be initialised, and is not kept.
/// @param backup_dir  Created if it does not exist.
/// @param policy      compress_backups and max_backup_size_mb are what counts here.
/// @param name        As for AsyncBackupService::create_backup_async.
/// @param handler     Any completion token of Asio for `void(DatabaseResult<BackupInfo>)`; a function, say. With Boost
///                    1.77 or newer its cancellation slot cancels the backup.
/// @return What the token makes of it; nothing for a function.
template <typename Handler>
auto execute_backup_async(ConnectionManager &manager, const boost::filesystem::path &backup_dir,
                          const RetentionPolicy &policy, const std::string &name, Handler &&handler) {
    return backup_detail::execute(manager.get_io_context(),
                                  backup_detail::to_std(DatabaseConfig::instance().get_database_file_path()),
                                  backup_detail::to_std(backup_dir), policy, name, std::forward<Handler>(handler));
}

/// As above, with the default policy, into the directory `backups` beside the database.
template <typename Handler>
auto execute_backup_async(ConnectionManager &manager, const std::string &name, Handler &&handler) {
    return execute_backup_async(manager, DatabaseConfig::instance().get_database_file_path().parent_path() / "backups",
                                RetentionPolicy{}, name, std::forward<Handler>(handler));
}

}  // namespace liarsdice::database

#endif
