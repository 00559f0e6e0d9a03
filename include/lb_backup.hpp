// lb_backup.hpp: lb_backup for C++17 and later. Header-only, over lb_backup.h.
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef LB_BACKUP_HPP
#define LB_BACKUP_HPP

#if !defined(__cpp_exceptions)
#error "lb_backup.hpp needs exceptions; without them, use lb_backup.h"
#endif

#include <lb_backup.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif
#if defined(__cpp_lib_jthread)
#include <stop_token>
#endif
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LB_HPP_TSAN
#endif
#elif defined(__SANITIZE_THREAD__)
#define LB_HPP_TSAN
#endif
#if defined(LB_HPP_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

/// @file
/// Backups of live SQLite databases, in C++.
///
/// CAVEATS, before anything else: those of lb_backup.h hold here as well. On top of them:
///
/// - A lb::Job that is destroyed while its job runs **cancels it and waits** until it has ended (milliseconds). Call
///   lb::Job::release to let it go on.
/// - Callbacks run on a thread of the library's, one at a time for all jobs of the process: they must be short. The first
///   may come before the start function has returned its lb::Job; lb::Progress::handle is there from the beginning. An
///   exception in one of them ends neither the program nor the job: it is kept in lb::Result::callback_exception.
/// - From a point of exit(3) on no callback is begun any more, and with that no future becomes ready; see ::lb_progress_fn.
/// - This header is compiled into your program; only lb_backup.h is a binary interface. Objects of namespace lb must
///   not cross between parts that were compiled against different versions of this header: they do not link.
///
/// Every function comes twice, as in std::filesystem: one throws lb::Error, the other sets a std::error_code, whose
/// value is an lb_status: `if (ec == LB_STATUS_BUSY)`, or portably `if (ec == std::errc::no_space_on_device)`. Memory
/// that cannot be allocated on the C++ side is std::bad_alloc in both.

/// The std::error_code of a status of lb_backup.
///
/// @return A code of lb::category(). Compares equal to the std::errc that means the same, where there is one.
inline std::error_code make_error_code(lb_status status) noexcept;

/// @cond
// An lb_status is a std::error_code.
template <> struct std::is_error_code_enum<lb_status> : std::true_type {};
/// @endcond

// The inline namespace keeps versions of this header apart that meet in one program. What must be one and the same in all
// of its shared libraries, also if they are compiled with -fvisibility=hidden, has its visibility beside it.
namespace lb {
inline namespace v0_1 {  // the version's first two numbers: a test compares

/// @name What options and results are made of
/// @{

/// What a backup file holds.
enum class Format : std::uint32_t {
    by_name = LB_FORMAT_BY_NAME,  ///< `.zst` compresses, any other name is a plain image
    image = LB_FORMAT_IMAGE,      ///< a plain database file
    zstd = LB_FORMAT_ZSTD,        ///< Zstandard; `zstd -d` gives the plain image
};

/// What to do where the destination exists.
enum class Existing : std::uint32_t {
    refuse = LB_EXISTING_REFUSE,    ///< LB_STATUS_ALREADY_EXISTS
    replace = LB_EXISTING_REPLACE,  ///< a backup replaces the file in one step, a restore changes it in one transaction
};

/// How to verify; what it costs stands at LB_VERIFY_QUICK and LB_VERIFY_FULL.
enum class Verify : std::uint32_t {
    quick = LB_VERIFY_QUICK,  ///< the hash of every piece
    full = LB_VERIFY_FULL,    ///< quick, and SQLite's own integrity checks
    none = LB_VERIFY_NONE,    ///< trust the file system
};

/// Whether a result has a digest of the archive file.
enum class Digest : std::uint32_t {
    sha256 = LB_DIGEST_SHA256,  ///< Result::sha256 is set
    none = LB_DIGEST_NONE,      ///< it is not
};

/// Kinds of backup files.
enum class Kind : std::uint32_t {
    image = LB_KIND_IMAGE,      ///< a plain database file
    archive = LB_KIND_ARCHIVE,  ///< an archive of this library
    zstd = LB_KIND_ZSTD,        ///< another tool's Zstandard file
    gzip = LB_KIND_GZIP,        ///< a gzip file
};

/// Which check an archive failed.
enum class Check : std::uint32_t {
    none = LB_CHECK_NONE,                  ///< none did
    structure = LB_CHECK_STRUCTURE,        ///< header, manifest, seek table, length; or it is no backup at all
    frame = LB_CHECK_FRAME,                ///< the hash of a frame
    content = LB_CHECK_CONTENT,            ///< the hash of what a frame decompresses to
    integrity = LB_CHECK_INTEGRITY,        ///< SQLite's `integrity_check`
    foreign_keys = LB_CHECK_FOREIGN_KEYS,  ///< SQLite's `foreign_key_check`
};

/// The life of a job. From `succeeded` on it has ended.
enum class JobState : std::uint32_t {
    queued = LB_JOB_STATE_QUEUED,        ///< waits for its turn
    running = LB_JOB_STATE_RUNNING,      ///< at work
    succeeded = LB_JOB_STATE_SUCCEEDED,  ///< done, and proven
    failed = LB_JOB_STATE_FAILED,        ///< the result says why
    cancelled = LB_JOB_STATE_CANCELLED,  ///< because that was asked for
};

/// What a running job is doing. A later phase has a greater value.
enum class Phase : std::uint32_t {
    waiting = LB_PHASE_WAITING,          ///< for its turn, or for a lock
    copying = LB_PHASE_COPYING,          ///< bytes of the source to a file
    compressing = LB_PHASE_COMPRESSING,  ///< chunks of the image to frames of the archive
    syncing = LB_PHASE_SYNCING,          ///< waiting for the disk to confirm
    verifying = LB_PHASE_VERIFYING,      ///< reading back and comparing
    restoring = LB_PHASE_RESTORING,      ///< the archive's content to its destination
    done = LB_PHASE_DONE,                ///< the job has ended
};

/// Who goes first, the library's threads or the host's.
enum class Priority : std::uint32_t {
    background = LB_PRIORITY_BACKGROUND,  ///< the library's threads yield to everything else
    normal = LB_PRIORITY_NORMAL,          ///< they run like the host's own
};

/// Weight of a line for the log.
enum class LogLevel : std::uint32_t {
    warning = LB_LOG_WARNING,  ///< something the operator should look at; the job went on
    info = LB_LOG_INFO,        ///< worth a line, nothing to do
};

/// One look at a job. Values never go backwards from one look to the next.
struct Progress {
    lb_job *handle = nullptr;             ///< the job: `lb_backup_cancel(progress.handle)` cancels in a callback
    JobState state = JobState::queued;    ///< where in its life the job is
    Phase phase = Phase::waiting;         ///< what it is doing
    std::uint32_t retries = 0;            ///< transient errors that were waited out
    std::uint64_t bytes_done = 0;         ///< bytes of the image that are done
    std::uint64_t bytes_total = 0;        ///< bytes of the image; 0 until they are known
    std::uint64_t bytes_written = 0;      ///< bytes written to the file
    std::uint64_t bytes_reused = 0;       ///< bytes taken over; see lb_progress::bytes_reused
    std::chrono::nanoseconds elapsed{0};  ///< since the job was accepted; stands still once it has ended
    std::optional<std::chrono::nanoseconds> eta;  ///< estimated time to the end; empty while there is no estimate
    double percent = 0;                           ///< 0 to 100; 100 only with success
};

/// What became of a job, of any kind; the aliases BackupResult, RestoreResult and VerifyResult say which.
///
/// Of a job that failed, the fields after the message hold what was known by then.
struct Result {
    lb_status status = LB_STATUS_OK;  ///< LB_STATUS_OK, or why the job did not do what it was started for
    int sqlite_code = 0;              ///< SQLite's extended result code, or 0
    int sys_errno = 0;                ///< errno, or 0
    std::string message;              ///< UTF-8: operation, path, reason; empty on success, or without memory for it

    Format format = Format::image;    ///< never by_name
    std::uint32_t page_size = 0;      ///< bytes of a database page; 0 for the archive of an empty database
    std::uint64_t pages = 0;          ///< pages of the image
    std::uint64_t image_bytes = 0;    ///< bytes of the image
    std::uint64_t archive_bytes = 0;  ///< bytes of the archive file
    std::uint64_t bytes_reused = 0;   ///< as in Progress
    std::uint32_t retries = 0;        ///< as in Progress

    std::optional<std::array<std::uint8_t, 32>> sha256;  ///< SHA-256 (FIPS 180-4) of the archive file

    std::chrono::system_clock::time_point started;   ///< when the job was accepted, by the wall clock
    std::chrono::system_clock::time_point finished;  ///< when it ended, by the wall clock
    std::chrono::nanoseconds waiting{0};             ///< in the queue, in lock waits, in the throttle
    std::chrono::nanoseconds reading{0};             ///< reading the source
    std::chrono::nanoseconds compressing{0};         ///< processor time, all threads added up
    std::chrono::nanoseconds writing{0};             ///< writing the archive
    std::chrono::nanoseconds syncing{0};             ///< waiting for the disk, all threads added up
    std::chrono::nanoseconds verifying{0};           ///< reading back and verifying, all threads added up
    std::chrono::nanoseconds source_lock{0};         ///< writers of a rollback-journal source waited; 0 in WAL mode
    std::uint64_t wal_growth_bytes = 0;              ///< growth of the source's -wal file while the snapshot stood

    Check failed_check = Check::none;           ///< which check an archive failed
    std::optional<std::uint64_t> failed_chunk;  ///< index of the chunk that failed, from 0 on
    std::optional<std::uint64_t> failed_page;   ///< number of the database page that failed, from 1 on

    /// The first exception that one of the job's callbacks threw, or null. The job did not care.
    std::exception_ptr callback_exception;
};

using BackupResult = Result;   ///< The result of start_backup.
using RestoreResult = Result;  ///< The result of start_restore.
using VerifyResult = Result;   ///< The result of start_verify.

/// Called with a job's progress, at most once per interval and once with its last state, before the completion.
///
/// Runs on a thread of the library's; never two callbacks of one job at once. What waits for an unfinished job throws
/// LB_STATUS_WOULD_DEADLOCK in here; only a std::future would wait for ever.
using ProgressFunction = std::function<void(const Progress &)>;

/// Called once, last, with a job's result, under the rules of ProgressFunction; also when the Job was released.
///
/// Both functions of the job are destroyed right after this call, before anybody who waits for the job is woken.
using CompleteFunction = std::function<void(const Result &)>;

/// How to take a backup. What is left empty has its default.
///
/// Numbers that are zero, and durations that are negative, are LB_STATUS_INVALID_ARGUMENT: leave the field empty
/// instead.
struct BackupOptions {
    Format format = Format::by_name;       ///< compressed or plain
    int compression_level = 0;             ///< Zstandard level, -7 to 19; 0 is 3
    Existing existing = Existing::refuse;  ///< may the destination exist?
    Verify verify = Verify::quick;         ///< how to verify what was written
    Digest digest = Digest::sha256;        ///< whether to compute the archive's digest

    std::optional<std::uint64_t> chunk_size{};                ///< bytes, 65536 to 8388608; empty adapts
    std::optional<std::uint64_t> max_bytes_per_second{};      ///< throttle, bytes of the image; empty: none
    std::optional<std::chrono::milliseconds> busy_timeout{};  ///< for a locked source; empty: 5 s; 0 ms: hardly at all
    std::optional<std::uint64_t> wal_limit_bytes{};           ///< most growth of the source's -wal; empty: no limit
    std::optional<std::filesystem::path> reuse{};             ///< an earlier archive; see lb_backup_options::reuse_path
    std::optional<std::chrono::milliseconds> progress_interval{};  ///< least time between two calls; empty: 100 ms

    ProgressFunction on_progress{};  ///< may be empty
    CompleteFunction on_complete{};  ///< may be empty
};

/// How to restore. What is left empty has its default; what was said of BackupOptions holds.
struct RestoreOptions {
    Existing existing = Existing::refuse;  ///< may the destination exist?
    Verify verify = Verify::quick;         ///< how to verify the archive before the destination is touched

    std::optional<std::chrono::milliseconds> busy_timeout{};  ///< for a locked destination; empty: 5 s
    std::optional<std::uint64_t> max_bytes_per_second{};      ///< throttle, bytes of the image; empty: none
    std::optional<std::filesystem::path> keep_previous{};     ///< where a backup of the present destination goes first
    std::optional<std::chrono::milliseconds> progress_interval{};  ///< least time between two calls; empty: 100 ms

    ProgressFunction on_progress{};  ///< may be empty
    CompleteFunction on_complete{};  ///< may be empty
};

/// How to verify. What is left empty has its default; what was said of BackupOptions holds.
struct VerifyOptions {
    Verify verify = Verify::quick;                                 ///< quick or full
    std::optional<std::uint64_t> max_bytes_per_second{};           ///< throttle, bytes of the image; empty: none
    std::optional<std::chrono::milliseconds> progress_interval{};  ///< least time between two calls; empty: 100 ms

    ProgressFunction on_progress{};  ///< may be empty
    CompleteFunction on_complete{};  ///< may be empty
};

/// What a backup file says about itself. What a kind does not tell is empty or zero.
struct ArchiveInfo {
    Kind kind = Kind::image;                                 ///< what the file is
    std::uint32_t format_version = 0;                        ///< of an archive of this library
    std::uint32_t page_size = 0;                             ///< bytes of a database page
    std::uint64_t pages = 0;                                 ///< pages of the image
    std::uint64_t image_bytes = 0;                           ///< bytes of the image
    std::uint64_t archive_bytes = 0;                         ///< bytes of the file
    std::uint64_t chunk_size = 0;                            ///< bytes of every chunk but the last
    std::uint64_t chunks = 0;                                ///< number of chunks
    std::chrono::system_clock::time_point created;           ///< begin of the backup; of a plain file, last change
    std::uint32_t application_id = 0;                        ///< `PRAGMA application_id`
    std::int32_t user_version = 0;                           ///< `PRAGMA user_version`
    int compression_level = 0;                               ///< Zstandard level
    std::optional<std::array<std::uint8_t, 16>> archive_id;  ///< random: no other archive has it
    std::optional<std::array<std::uint8_t, 16>> parent_id;   ///< archive_id of the one that was reused
    std::string library_version;                             ///< of the library that wrote it
    std::string sqlite_version;                              ///< of its SQLite
    std::string zstd_version;                                ///< of its Zstandard
};

/// One job whose handle is open, whoever started it.
struct JobInfo {
    JobState state = JobState::queued;  ///< where in its life the job is
    lb_job *handle = nullptr;           ///< the property of whoever started the job
    std::uint64_t bytes_done = 0;       ///< as in Progress
    std::uint64_t bytes_total = 0;      ///< as in Progress
    double percent = 0;                 ///< as in Progress
    std::string dest_name;              ///< file name of the destination, without its directory
};

/// Called with a line for the host's own log, under the rules of ProgressFunction. The text dies with the call.
using LogFunction = std::function<void(LogLevel, std::string_view)>;

/// Settings of the whole library. What is left empty has its default.
struct Config {
    /// LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS; read the CAVEATS of lb_backup.h first.
    bool source_not_open_in_process = false;
    std::optional<std::uint32_t> workers{};              ///< threads that compress, 1 to 64; empty: one per processor
    std::optional<std::uint32_t> max_concurrent_jobs{};  ///< 1 to 64; empty: see lb_config
    std::optional<std::uint32_t> queue_length{};         ///< jobs that may wait, 1 to 65536; empty: 4096
    Priority priority = Priority::background;            ///< of the library's threads
    LogFunction on_log{};                                ///< may be empty; an exception in it is dropped with the line
};

/// @}

/// @name Errors
/// @{

/// The category of error codes whose values are lb_status. One object, in all shared libraries of a program.
///
/// What a code is equal to, beside its lb_status:
///
/// | LB_STATUS_…       | std::errc                        | LB_STATUS_…    | std::errc                     |
/// | ----------------- | -------------------------------- | -------------- | ----------------------------- |
/// | INVALID_ARGUMENT  | invalid_argument                 | CANCELLED      | operation_canceled            |
/// | INVALID_HANDLE    | bad_file_descriptor              | TIMED_OUT      | timed_out                     |
/// | NOT_FOUND         | no_such_file_or_directory        | QUEUE_FULL     | resource_unavailable_try_again |
/// | ALREADY_EXISTS    | file_exists                      | WAL_LIMIT      | file_too_large                |
/// | PERMISSION_DENIED | permission_denied                | UNSUPPORTED    | not_supported                 |
/// | CORRUPT           | bad_message                      | OUT_OF_MEMORY  | not_enough_memory             |
/// | BUSY              | device_or_resource_busy          | WRONG_PROCESS  | operation_not_permitted       |
/// | NO_SPACE          | no_space_on_device               | WOULD_DEADLOCK | resource_deadlock_would_occur |
/// | IO                | io_error                         | all others     | none                          |
__attribute__((visibility("default"))) inline const std::error_category &category() noexcept;

/// A call that failed, or a job that did not succeed.
///
/// code() has the lb_status, what() the library's message: the operation, the path, the reason; if there is none, what the
/// status means.
class __attribute__((visibility("default"))) Error : public std::system_error {
public:
    /// Of a call that failed. `error` is what the C interface told.
    explicit Error(const lb_error &error)
        : Error(error.status, error.sqlite_code, error.sys_errno, error.message, nullptr) {}

    /// Of a job that did not succeed.
    explicit Error(Result result)
        : Error(result.status, result.sqlite_code, result.sys_errno, result.message,
                std::make_shared<const Result>(result)) {}

    /// Of a call that has no message of its own; `what` names it.
    Error(lb_status status, std::string_view what)
        : Error(status, 0, 0, std::string(what) + ": " + lb_status_message(status), nullptr) {}

    /// Never LB_STATUS_OK.
    lb_status status() const noexcept { return static_cast<lb_status>(code().value()); }
    /// SQLite's extended result code, or 0 where SQLite was not the cause.
    int sqlite_code() const noexcept { return sqlite_code_; }
    /// errno, or 0 where the operating system was not the cause.
    int sys_errno() const noexcept { return sys_errno_; }
    /// The whole result of the job that failed; null if no job ran. Lives as long as this exception or a copy of it.
    const Result *result() const noexcept { return result_.get(); }
    /// The library's message, UTF-8. Never empty.
    const char *what() const noexcept override { return message_.what(); }

private:
    Error(lb_status status, int sqlite_code, int sys_errno, const std::string &message,
          std::shared_ptr<const Result> result)
        : std::system_error(::make_error_code(status)),
          message_(message.empty() ? lb_status_message(status) : message.c_str()), sqlite_code_(sqlite_code),
          sys_errno_(sys_errno), result_(std::move(result)) {}

    std::runtime_error message_;  // not a std::string: exceptions are copied without throwing
    int sqlite_code_;
    int sys_errno_;
    std::shared_ptr<const Result> result_;
};

/// @}

/// @cond DETAIL
namespace detail {

class __attribute__((visibility("default"))) Category : public std::error_category {
public:
    const char *name() const noexcept override { return "lb_backup"; }

    std::string message(int value) const override { return lb_status_message(static_cast<lb_status>(value)); }

    std::error_condition default_error_condition(int value) const noexcept override {
        switch (static_cast<lb_status>(value)) {
        case LB_STATUS_INVALID_ARGUMENT:
            return std::errc::invalid_argument;
        case LB_STATUS_INVALID_HANDLE:
            return std::errc::bad_file_descriptor;
        case LB_STATUS_NOT_FOUND:
            return std::errc::no_such_file_or_directory;
        case LB_STATUS_ALREADY_EXISTS:
            return std::errc::file_exists;
        case LB_STATUS_PERMISSION_DENIED:
            return std::errc::permission_denied;
        case LB_STATUS_CORRUPT:
            return std::errc::bad_message;  // as file systems with checksums have it
        case LB_STATUS_BUSY:
            return std::errc::device_or_resource_busy;
        case LB_STATUS_NO_SPACE:
            return std::errc::no_space_on_device;
        case LB_STATUS_IO:
            return std::errc::io_error;
        case LB_STATUS_CANCELLED:
            return std::errc::operation_canceled;
        case LB_STATUS_TIMED_OUT:
            return std::errc::timed_out;
        case LB_STATUS_QUEUE_FULL:
            return std::errc::resource_unavailable_try_again;
        case LB_STATUS_WAL_LIMIT:
            return std::errc::file_too_large;
        case LB_STATUS_UNSUPPORTED:
            return std::errc::not_supported;
        case LB_STATUS_OUT_OF_MEMORY:
            return std::errc::not_enough_memory;
        case LB_STATUS_WRONG_PROCESS:
            return std::errc::operation_not_permitted;
        case LB_STATUS_WOULD_DEADLOCK:
            return std::errc::resource_deadlock_would_occur;
        case LB_STATUS_OK:
        case LB_STATUS_NOT_A_DATABASE:
        case LB_STATUS_SOURCE_CHANGED:
        case LB_STATUS_SHUT_DOWN:
        case LB_STATUS_INTERNAL:
            break;
        }
        return std::error_condition(value, *this);  // also of a later library's
    }
};

template <typename T> T sized() noexcept {
    T out{};
    out.struct_size = sizeof out;
    return out;
}

// A callback's structure has the size that the library knows: an older library's is smaller than this header's.
template <typename T> T from_callback(const T &in) noexcept {
    T out{};
    std::memcpy(&out, &in, std::min<std::size_t>(in.struct_size, sizeof out));
    return out;
}

inline std::chrono::system_clock::time_point wall_clock(std::int64_t unix_ns) noexcept {
    using clock = std::chrono::system_clock;
    return clock::time_point(std::chrono::duration_cast<clock::duration>(std::chrono::nanoseconds(unix_ns)));
}

inline std::chrono::nanoseconds nanoseconds(std::uint64_t count) noexcept {
    constexpr auto most = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
    return std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(count, most)));
}

template <std::size_t N> std::array<std::uint8_t, N> bytes(const std::uint8_t (&in)[N]) noexcept {
    std::array<std::uint8_t, N> out{};
    std::copy(std::begin(in), std::end(in), out.begin());
    return out;
}

// A timeout of the C interface that is not UINT32_MAX, which would be for ever. By way of a floating-point unit, so that no
// duration can overflow.
template <typename Rep, typename Period> std::uint32_t timeout_ms(std::chrono::duration<Rep, Period> timeout) noexcept {
    const std::chrono::duration<double, std::milli> wanted = timeout;
    const double most = UINT32_MAX - 1.0;
    return wanted.count() > 0 ? static_cast<std::uint32_t>(std::min(std::ceil(wanted.count()), most)) : 0;
}

inline Progress to_progress(lb_job *handle, const lb_progress &in) noexcept {
    Progress out;
    out.handle = handle;
    out.state = static_cast<JobState>(in.state);
    out.phase = static_cast<Phase>(in.phase);
    out.retries = in.retries;
    out.bytes_done = in.bytes_done;
    out.bytes_total = in.bytes_total;
    out.bytes_written = in.bytes_written;
    out.bytes_reused = in.bytes_reused;
    out.elapsed = nanoseconds(in.elapsed_ns);
    if (in.eta_ns != std::numeric_limits<std::uint64_t>::max()) out.eta = nanoseconds(in.eta_ns);
    out.percent = in.percent;
    return out;
}

inline Result to_result(const lb_result &in) noexcept {
    Result out;
    out.status = in.status;
    out.sqlite_code = in.sqlite_code;
    out.sys_errno = in.sys_errno;
    try {
        out.message = in.message;
    } catch (const std::bad_alloc &) {
        // A failure must not be taken for a success because there is no memory to say more.
    }
    out.format = static_cast<Format>(in.format);
    out.page_size = in.page_size;
    out.pages = in.pages;
    out.image_bytes = in.image_bytes;
    out.archive_bytes = in.archive_bytes;
    out.bytes_reused = in.bytes_reused;
    out.retries = in.retries;
    if (in.has_sha256 != 0) out.sha256 = bytes(in.sha256);
    out.started = wall_clock(in.start_unix_ns);
    out.finished = wall_clock(in.end_unix_ns);
    out.waiting = nanoseconds(in.waiting_ns);
    out.reading = nanoseconds(in.reading_ns);
    out.compressing = nanoseconds(in.compressing_ns);
    out.writing = nanoseconds(in.writing_ns);
    out.syncing = nanoseconds(in.syncing_ns);
    out.verifying = nanoseconds(in.verifying_ns);
    out.source_lock = nanoseconds(in.source_lock_ns);
    out.wal_growth_bytes = in.wal_growth_bytes;
    out.failed_check = static_cast<Check>(in.failed_check);
    if (out.failed_check != Check::none && in.failed_chunk != LB_NO_CHUNK) out.failed_chunk = in.failed_chunk;
    if (in.failed_page != 0) out.failed_page = in.failed_page;
    return out;
}

// What one thread did before the release, another sees after the acquire. The library sees to that, but ThreadSanitizer
// cannot see into it, and would suspect every callback of the host's.
inline void tsan_release([[maybe_unused]] void *between) noexcept {
#if defined(LB_HPP_TSAN)
    __tsan_release(between);
#endif
}
inline void tsan_acquire([[maybe_unused]] void *between) noexcept {
#if defined(LB_HPP_TSAN)
    __tsan_acquire(between);
#endif
}

// What a job's callbacks need, and what is kept of it for its Job.
struct State {
    State(ProgressFunction progress, CompleteFunction complete)
        : on_progress(std::move(progress)), on_complete(std::move(complete)) {}

    void keep_exception() noexcept {
        if (!outcome.callback_exception) outcome.callback_exception = std::current_exception();
    }

    // The outcome, as a value or as the exception that it is for those who asked for success.
    void fulfil() noexcept {
        if (outcome.status == LB_STATUS_OK) {
            promise->set_value(outcome);  // its message is empty: nothing is allocated
            return;
        }
        std::exception_ptr failure;
        try {
            failure = std::make_exception_ptr(Error(outcome));
        } catch (...) {
            failure = std::current_exception();
        }
        promise->set_exception(std::move(failure));
    }

    std::shared_ptr<State> self;  // the library's reference, from the start to on_complete

    // Of the callback thread until `ended`; after that it does not change any more.
    ProgressFunction on_progress;
    CompleteFunction on_complete;
    Result outcome;

    std::mutex mutex;  // guards the two below
    bool ended = false;
    std::optional<std::promise<Result>> promise;
};

extern "C" inline void lb_hpp_v0_1_on_progress(lb_job *job, const lb_progress *progress, void *user_data) noexcept {
    tsan_acquire(user_data);
    State &state = *static_cast<State *>(user_data);
    try {
        state.on_progress(to_progress(job, from_callback(*progress)));
    } catch (...) {
        state.keep_exception();
    }
}

extern "C" inline void lb_hpp_v0_1_on_complete(lb_job *, const lb_result *result, void *user_data) noexcept {
    tsan_acquire(user_data);
    State &state = *static_cast<State *>(user_data);
    const std::shared_ptr<State> reference = std::move(state.self);
    Result outcome = to_result(from_callback(*result));
    outcome.callback_exception = std::move(state.outcome.callback_exception);
    state.outcome = std::move(outcome);
    try {
        if (state.on_complete) state.on_complete(state.outcome);
    } catch (...) {
        state.keep_exception();
    }
    // What they captured may own the Job itself.
    state.on_progress = nullptr;
    state.on_complete = nullptr;
    const std::lock_guard<std::mutex> lock(state.mutex);
    state.ended = true;
    if (state.promise) state.fulfil();
    tsan_release(user_data);
}

// Options in C++ to options in C. What is wrong is an lb_error, as if the library had said it.
class Conversion {
public:
    explicit Conversion(lb_error &error, const char *call) : error_(error), call_(call) {}

    const char *path(const char *name, const std::filesystem::path &path) {
        if (path.native().find('\0') != std::string::npos) refuse(name, "holds a NUL character");
        return path.c_str();
    }
    const char *path(const char *name, const std::optional<std::filesystem::path> &path) {
        return path ? this->path(name, *path) : nullptr;
    }
    template <typename T> T number(const char *name, std::optional<T> value) {
        if (value && *value == 0) refuse(name, "is 0; leave it empty for the default");
        return value.value_or(0);
    }
    std::uint32_t milliseconds(const char *name, std::optional<std::chrono::milliseconds> value) {
        if (!value) return 0;
        if (value->count() < 0) refuse(name, "is negative");
        constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
        // 0 would be the default: the next best is the least that there is.
        return static_cast<std::uint32_t>(std::clamp<std::chrono::milliseconds::rep>(value->count(), 1, most));
    }
    bool failed() const noexcept { return error_.status != LB_STATUS_OK; }

private:
    void refuse(const char *name, const char *why) {
        if (failed()) return;
        error_.status = LB_STATUS_INVALID_ARGUMENT;
        const std::string message = std::string(call_) + ": " + name + " " + why;
        message.copy(error_.message, sizeof error_.message - 1);
    }

    lb_error &error_;
    const char *call_;
};

inline lb_backup_options to_c(Conversion &convert, const BackupOptions &in) {
    auto out = sized<lb_backup_options>();
    out.format = static_cast<std::uint32_t>(in.format);
    out.compression_level = in.compression_level;
    out.existing = static_cast<std::uint32_t>(in.existing);
    out.verify = static_cast<std::uint32_t>(in.verify);
    out.digest = static_cast<std::uint32_t>(in.digest);
    out.chunk_size = convert.number("options.chunk_size", in.chunk_size);
    out.max_bytes_per_second = convert.number("options.max_bytes_per_second", in.max_bytes_per_second);
    out.busy_timeout_ms = convert.milliseconds("options.busy_timeout", in.busy_timeout);
    out.wal_limit_bytes = convert.number("options.wal_limit_bytes", in.wal_limit_bytes);
    out.reuse_path = convert.path("options.reuse", in.reuse);
    return out;
}

inline lb_restore_options to_c(Conversion &convert, const RestoreOptions &in) {
    auto out = sized<lb_restore_options>();
    out.existing = static_cast<std::uint32_t>(in.existing);
    out.verify = static_cast<std::uint32_t>(in.verify);
    out.busy_timeout_ms = convert.milliseconds("options.busy_timeout", in.busy_timeout);
    out.max_bytes_per_second = convert.number("options.max_bytes_per_second", in.max_bytes_per_second);
    out.keep_previous = convert.path("options.keep_previous", in.keep_previous);
    return out;
}

inline lb_verify_options to_c(Conversion &convert, const VerifyOptions &in) {
    auto out = sized<lb_verify_options>();
    out.verify = static_cast<std::uint32_t>(in.verify);
    out.max_bytes_per_second = convert.number("options.max_bytes_per_second", in.max_bytes_per_second);
    return out;
}

}  // namespace detail
/// @endcond

inline const std::error_category &category() noexcept {
    static const detail::Category category;
    return category;
}

/// @cond DETAIL
namespace detail {
class Start;
}
/// @endcond

/// @name Jobs
/// @{

/// A backup, restore or verification that runs on the library's threads. Move-only.
///
/// progress(), cancel(), set_rate(), wait() and wait_for() may be called by several threads at a time, also while one of
/// them joins or releases; all else belongs to one thread, as for any object. An empty Job answers
/// LB_STATUS_INVALID_HANDLE, and so does one that was joined or released.
class [[nodiscard]] Job {
public:
    /// Empty: no job.
    Job() noexcept = default;

    /// @cond
    Job(Job &&other) noexcept { swap(other); }
    /// @endcond

    /// Cancels and joins the job that was here before.
    Job &operator=(Job &&other) noexcept {
        Job taken(std::move(other));
        swap(taken);
        return *this;
    }

    /// Cancels the job and waits until it has ended, if it was neither joined nor released. In a callback, where
    /// waiting is impossible, it is cancelled and let go.
    ~Job() {
        if (!open_) return;
        cancel();
        std::error_code ec;
        if (!end(ec)) lb_backup_release(handle_);
    }

    /// Whether there is a job that was neither joined nor released.
    explicit operator bool() const noexcept { return open_; }

    /// The token for functions of lb_backup.h; null if empty. It stays this object's property, and is harmless after
    /// it.
    lb_job *handle() const noexcept { return handle_; }

    /// One look at the job. Wait-free, well under a microsecond: made for a frame loop.
    Progress progress() const {
        return throwing("progress", [this](std::error_code &ec) { return progress(ec); });
    }
    /// @copydoc progress() const
    Progress progress(std::error_code &ec) const noexcept {
        auto out = detail::sized<lb_progress>();
        ec = lb_backup_progress(handle_, &out);
        return ec ? Progress() : detail::to_progress(handle_, out);
    }

    /// Asks the job to end as LB_STATUS_CANCELLED. Returns at once; idempotent; from any thread, in callbacks too.
    ///
    /// @return Whether there was still a handle to ask; the job may have ended already.
    bool cancel() const noexcept { return lb_backup_cancel(handle_) == LB_STATUS_OK; }

    /// Changes the throttle of the queued or running job, at once: bytes of the image per second, 0 for no limit.
    void set_rate(std::uint64_t max_bytes_per_second) {
        throwing("set_rate", [&](std::error_code &ec) { set_rate(max_bytes_per_second, ec); });
    }
    /// @copydoc set_rate(std::uint64_t)
    void set_rate(std::uint64_t max_bytes_per_second, std::error_code &ec) noexcept {
        ec = lb_backup_set_rate(handle_, max_bytes_per_second);
    }

    /// Waits until the job has ended, well or not, and its callbacks have returned.
    void wait() const {
        throwing("wait", [this](std::error_code &ec) { wait(ec); });
    }
    /// @copydoc wait() const
    void wait(std::error_code &ec) const noexcept { ec = wait_ms(UINT32_MAX); }

    /// Waits as wait() does, but not for longer than `timeout`, rounded up to milliseconds; 49 days are the longest.
    ///
    /// @return Whether the job has ended.
    template <typename Rep, typename Period> bool wait_for(std::chrono::duration<Rep, Period> timeout) const {
        return throwing("wait_for", [&](std::error_code &ec) { return wait_for(timeout, ec); });
    }
    /// @copydoc wait_for(std::chrono::duration<Rep, Period>) const
    template <typename Rep, typename Period>
    bool wait_for(std::chrono::duration<Rep, Period> timeout, std::error_code &ec) const noexcept {
        const lb_status status = wait_ms(detail::timeout_ms(timeout));
        ec = status == LB_STATUS_TIMED_OUT ? LB_STATUS_OK : status;
        return status == LB_STATUS_OK;
    }

    /// Waits until the job has ended, and ends the handle.
    ///
    /// @return The result of a job that succeeded.
    /// @throws Error The job did not succeed; Error::result has it all. Or the job could not be waited for
    ///               (LB_STATUS_WOULD_DEADLOCK in a callback): then it goes on, and is still this object's.
    Result join() {
        std::error_code ec;
        std::optional<Result> result = end(ec);
        if (!result) throw Error(static_cast<lb_status>(ec.value()), "join");
        if (result->status != LB_STATUS_OK) throw Error(*std::move(result));
        return *std::move(result);
    }

    /// As join(), but the result is returned whatever the outcome, which is also in `ec`.
    Result join(std::error_code &ec) {
        if (std::optional<Result> result = end(ec)) return *std::move(result);
        Result none;
        none.status = static_cast<lb_status>(ec.value());
        none.message = ec.message();
        return none;
    }

    /// Lets the job go on without this object. Its callbacks are still called, and its future becomes ready.
    void release() noexcept {
        if (std::exchange(open_, false)) lb_backup_release(handle_);
        stop_callback_ = nullptr;
    }

    /// A future of the result; once per job, as for std::promise. No thread waits behind it.
    ///
    /// The future holds the result, or the Error of a job that did not succeed. It does not keep the job alive: call
    /// release() to let the job outlive this object. In a callback, never wait for it.
    /// @throws std::future_error No job is here, or its future was taken before.
    /// @throws Error LB_STATUS_WRONG_PROCESS.
    std::future<Result> get_future() {
        if (!state_) throw std::future_error(std::future_errc::no_state);
        if (lb_backup_wait(handle_, 0) == LB_STATUS_WRONG_PROCESS) throw Error(LB_STATUS_WRONG_PROCESS, "get_future");
        const std::lock_guard<std::mutex> lock(state_->mutex);
        if (state_->promise) throw std::future_error(std::future_errc::future_already_retrieved);
        state_->promise.emplace();
        auto future = state_->promise->get_future();
        if (state_->ended) state_->fulfil();
        return future;
    }

#if defined(__cpp_lib_jthread)
    /// Cancels the job when stop is requested of `token`; at once if it has been. Replaces an earlier token. C++20.
    ///
    /// It holds until the job is joined or released, or this object destroyed.
    void cancel_on(std::stop_token token) {
        if (!open_) return;
        auto cancel = [handle = handle_] { lb_backup_cancel(handle); };
        stop_callback_ = std::make_shared<std::stop_callback<decltype(cancel)>>(std::move(token), cancel);
    }
#endif

private:
    friend class detail::Start;

    static void raise(std::error_code ec, const char *name) {
        if (ec) throw Error(static_cast<lb_status>(ec.value()), name);
    }

    template <typename Function>
    static auto throwing(const char *name, const Function &function)
        -> decltype(function(std::declval<std::error_code &>())) {
        std::error_code ec;
        if constexpr (std::is_void_v<decltype(function(ec))>) {
            function(ec);
            raise(ec, name);
        } else {
            auto out = function(ec);
            raise(ec, name);
            return out;
        }
    }

    void swap(Job &other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(open_, other.open_);
        state_.swap(other.state_);
        stop_callback_.swap(other.stop_callback_);
    }

    lb_status wait_ms(std::uint32_t timeout) const noexcept {
        const lb_status status = lb_backup_wait(handle_, timeout);
        if (status == LB_STATUS_OK) detail::tsan_acquire(state_.get());
        return status;
    }

    // Waits for the end and ends the handle; or tells why the job cannot be waited for.
    std::optional<Result> end(std::error_code &ec) noexcept {
        auto result = detail::sized<lb_result>();
        const lb_status status = open_ ? lb_backup_join(handle_, &result) : LB_STATUS_INVALID_HANDLE;
        ec = status;
        // No job ends as one of these.
        if (status == LB_STATUS_INVALID_HANDLE || status == LB_STATUS_WOULD_DEADLOCK ||
            status == LB_STATUS_WRONG_PROCESS)
            return std::nullopt;
        open_ = false;
        stop_callback_ = nullptr;
        Result out = detail::to_result(result);
        out.status = status;
        detail::tsan_acquire(state_.get());
        out.callback_exception = state_->outcome.callback_exception;
        return out;
    }

    lb_job *handle_ = nullptr;  // kept after the end: a stale token is harmless, and cancel() may come at any time
    bool open_ = false;
    std::shared_ptr<detail::State> state_;  // never null where handle_ is not
    std::shared_ptr<void> stop_callback_;   // of no type of C++20: the layout is the same in every standard
};

/// @cond DETAIL
namespace detail {

// The way into the three start functions of the C interface.
class Start {
public:
    // `call` names the function; `start` calls it, with paths that were looked at by `convert`.
    template <typename Options, typename Call>
    static Job job(Conversion &convert, Options &options, lb_error &error, const Call &start) {
        auto c_options = to_c(convert, options);
        c_options.progress_interval_ms = convert.milliseconds("options.progress_interval", options.progress_interval);
        if (convert.failed()) return Job();
        const auto state = std::make_shared<State>(std::move(options.on_progress), std::move(options.on_complete));
        c_options.user_data = state.get();
        if (state->on_progress) c_options.on_progress = lb_hpp_v0_1_on_progress;
        c_options.on_complete = lb_hpp_v0_1_on_complete;
        state->self = state;
        tsan_release(state.get());
        Job job;
        if (start(&c_options, &job.handle_, &error) != LB_STATUS_OK) {
            state->self = nullptr;
            return Job();
        }
        job.open_ = true;
        job.state_ = state;
        return job;
    }
};

inline Job start_backup(const std::filesystem::path &source, const std::filesystem::path &dest, BackupOptions &options,
                        lb_error &error) {
    Conversion convert(error, "lb::start_backup");
    const char *from = convert.path("source", source);
    const char *to = convert.path("dest", dest);
    return Start::job(convert, options, error, [&](auto... out) { return lb_backup_start(from, to, out...); });
}

inline Job start_restore(const std::filesystem::path &archive, const std::filesystem::path &dest,
                         RestoreOptions &options, lb_error &error) {
    Conversion convert(error, "lb::start_restore");
    const char *from = convert.path("archive", archive);
    const char *to = convert.path("dest", dest);
    return Start::job(convert, options, error, [&](auto... out) { return lb_restore_start(from, to, out...); });
}

inline Job start_verify(const std::filesystem::path &archive, VerifyOptions &options, lb_error &error) {
    Conversion convert(error, "lb::start_verify");
    const char *file = convert.path("archive", archive);
    return Start::job(convert, options, error, [&](auto... out) { return lb_verify_start(file, out...); });
}

inline ArchiveInfo inspect(const std::filesystem::path &archive, lb_error &error) {
    Conversion convert(error, "lb::inspect");
    const char *file = convert.path("archive", archive);
    auto in = sized<lb_archive_info>();
    if (convert.failed() || lb_backup_inspect(file, &in, &error) != LB_STATUS_OK) return ArchiveInfo();
    ArchiveInfo out;
    out.kind = static_cast<Kind>(in.kind);
    out.format_version = in.format_version;
    out.page_size = in.page_size;
    out.pages = in.pages;
    out.image_bytes = in.image_bytes;
    out.archive_bytes = in.archive_bytes;
    out.chunk_size = in.chunk_size;
    out.chunks = in.chunks;
    out.created = wall_clock(in.created_unix_ns);
    out.application_id = in.application_id;
    out.user_version = in.user_version;
    out.compression_level = in.compression_level;
    if (out.kind == Kind::archive) out.archive_id = bytes(in.archive_id);
    if (in.has_parent != 0) out.parent_id = bytes(in.parent_id);
    out.library_version = in.library_version;
    out.sqlite_version = in.sqlite_version;
    out.zstd_version = in.zstd_version;
    return out;
}

// The function that the library logs to. Never destroyed: its threads may outlive the program's static objects.
struct __attribute__((visibility("default"))) Log {
    std::mutex mutex;
    std::unique_ptr<LogFunction> function;

    static Log &instance() {
        static auto *log = new Log;
        return *log;
    }
};

extern "C" inline void lb_hpp_v0_1_on_log(std::uint32_t level, const char *message, void *user_data) noexcept {
    try {
        (*static_cast<LogFunction *>(user_data))(static_cast<LogLevel>(level), message);
    } catch (...) {
        // There is nobody to tell: the log is where one tells.
    }
}

inline void configure(const Config &config, lb_error &error) {
    Conversion convert(error, "lb::configure");
    auto out = sized<lb_config>();
    out.flags = config.source_not_open_in_process ? LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS : 0;
    out.workers = convert.number("config.workers", config.workers);
    out.max_concurrent_jobs = convert.number("config.max_concurrent_jobs", config.max_concurrent_jobs);
    out.queue_length = convert.number("config.queue_length", config.queue_length);
    out.priority = static_cast<std::uint32_t>(config.priority);
    if (convert.failed()) return;
    auto function = config.on_log ? std::make_unique<LogFunction>(config.on_log) : nullptr;
    if (function) {
        out.on_log = lb_hpp_v0_1_on_log;
        out.user_data = function.get();
    }
    Log &log = Log::instance();
    const std::lock_guard<std::mutex> lock(log.mutex);
    // The library takes a configuration only while none of its threads runs: nobody uses the earlier function any more.
    if (lb_configure(&out, &error) == LB_STATUS_OK) log.function.swap(function);
}

// Runs `function(error)` for a function that throws, and for one that sets an error code.
template <typename Function> auto call(const Function &function) {
    auto error = sized<lb_error>();
    if constexpr (std::is_void_v<decltype(function(error))>) {
        function(error);
        if (error.status != LB_STATUS_OK) throw Error(error);
    } else {
        auto out = function(error);
        if (error.status != LB_STATUS_OK) throw Error(error);
        return out;
    }
}

template <typename Function> auto call(std::error_code &ec, const Function &function) {
    auto error = sized<lb_error>();
    struct Tell {
        std::error_code &ec;
        const lb_error &error;
        ~Tell() { ec = error.status; }
    } tell{ec, error};
    return function(error);
}

}  // namespace detail
/// @endcond

/// Starts a backup of the SQLite database at `source` into the new file `dest`; see lb_backup_start.
///
/// @param source   The database; a symbolic link is followed.
/// @param dest     Where the archive appears, complete, durable and verified. Its directory must exist.
/// @param options  Empty fields have their defaults.
/// @return The running job.
/// @throws Error Whatever lb_backup_start returns.
inline Job start_backup(const std::filesystem::path &source, const std::filesystem::path &dest,
                        BackupOptions options = {}) {
    return detail::call([&](lb_error &error) { return detail::start_backup(source, dest, options, error); });
}
/// As above; an empty Job where `ec` is set.
inline Job start_backup(const std::filesystem::path &source, const std::filesystem::path &dest, BackupOptions options,
                        std::error_code &ec) {
    return detail::call(ec, [&](lb_error &error) { return detail::start_backup(source, dest, options, error); });
}

/// Starts restoring a backup to a new file, or onto an existing database while it is in use; see lb_restore_start.
///
/// @param archive  The backup: a plain database, an archive of this library, another tool's Zstandard or gzip file.
/// @param dest     The database. Its directory must exist.
/// @param options  Empty fields have their defaults: the destination must not exist.
/// @return The running job.
/// @throws Error Whatever lb_restore_start returns.
inline Job start_restore(const std::filesystem::path &archive, const std::filesystem::path &dest,
                         RestoreOptions options = {}) {
    return detail::call([&](lb_error &error) { return detail::start_restore(archive, dest, options, error); });
}
/// As above; an empty Job where `ec` is set.
inline Job start_restore(const std::filesystem::path &archive, const std::filesystem::path &dest,
                         RestoreOptions options, std::error_code &ec) {
    return detail::call(ec, [&](lb_error &error) { return detail::start_restore(archive, dest, options, error); });
}

/// Starts verifying a backup file of any kind that start_restore reads; see lb_verify_start. Its content stays as it is.
///
/// @param archive  The file.
/// @param options  Empty fields have their defaults.
/// @return The running job. A file that fails is the outcome LB_STATUS_CORRUPT; Result::failed_check says which check.
/// @throws Error Whatever lb_verify_start returns.
inline Job start_verify(const std::filesystem::path &archive, VerifyOptions options = {}) {
    return detail::call([&](lb_error &error) { return detail::start_verify(archive, options, error); });
}
/// As above; an empty Job where `ec` is set.
inline Job start_verify(const std::filesystem::path &archive, VerifyOptions options, std::error_code &ec) {
    return detail::call(ec, [&](lb_error &error) { return detail::start_verify(archive, options, error); });
}

/// @}

/// @name The library
/// @{

/// What a backup file says about itself, from a few kilobytes of it; see lb_backup_inspect. Verifies no more than that.
///
/// @throws Error Whatever lb_backup_inspect returns.
inline ArchiveInfo inspect(const std::filesystem::path &archive) {
    return detail::call([&](lb_error &error) { return detail::inspect(archive, error); });
}
/// @copydoc inspect(const std::filesystem::path &)
inline ArchiveInfo inspect(const std::filesystem::path &archive, std::error_code &ec) {
    return detail::call(ec, [&](lb_error &error) { return detail::inspect(archive, error); });
}

/// The jobs whose handles are open, in no particular order, whoever started them.
inline std::vector<JobInfo> jobs(std::error_code &ec) {
    std::vector<lb_job_info> found;
    std::size_t count = 0;
    do {
        // Jobs may be started meanwhile: some room for them, and again if it was not enough.
        found.assign(count + 16, lb_job_info{});
        found.front().struct_size = sizeof(lb_job_info);
        ec = lb_backup_jobs(found.data(), found.size(), &count);
        if (ec) return {};
    } while (count > found.size());
    std::vector<JobInfo> out(count);
    std::transform(
        found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), out.begin(), [](const lb_job_info &in) {
            return JobInfo{
                static_cast<JobState>(in.state), in.job, in.bytes_done, in.bytes_total, in.percent, in.dest_name};
        });
    return out;
}
/// @copydoc jobs(std::error_code &)
inline std::vector<JobInfo> jobs() {
    std::error_code ec;
    auto out = jobs(ec);
    if (ec) throw Error(static_cast<lb_status>(ec.value()), "lb::jobs");
    return out;
}

/// Sets up the library until the next shutdown(), before its first job or after shutdown(); see lb_configure.
///
/// @throws Error LB_STATUS_BUSY: the library already runs. LB_STATUS_INVALID_ARGUMENT: the message names the field.
inline void configure(const Config &config) {
    detail::call([&](lb_error &error) { detail::configure(config, error); });
}
/// @copydoc configure(const Config &)
inline void configure(const Config &config, std::error_code &ec) {
    detail::call(ec, [&](lb_error &error) { detail::configure(config, error); });
}

/// Cancels every job of the process, waits for their callbacks, joins every thread of the library, and forgets what
/// configure() has set; a later start begins afresh. See lb_shutdown.
inline void shutdown(std::error_code &ec) noexcept { ec = lb_shutdown(UINT32_MAX); }
/// @copydoc shutdown(std::error_code &)
inline void shutdown() {
    std::error_code ec;
    shutdown(ec);
    if (ec) throw Error(static_cast<lb_status>(ec.value()), "lb::shutdown");
}

/// Asks for a shutdown() and waits for it as Job::wait_for does. It goes on after the timeout: starts give
/// LB_STATUS_SHUT_DOWN, and another call waits again.
///
/// @return Whether the library has shut down.
template <typename Rep, typename Period>
bool shutdown_for(std::chrono::duration<Rep, Period> timeout, std::error_code &ec) noexcept {
    const lb_status status = lb_shutdown(detail::timeout_ms(timeout));
    ec = status == LB_STATUS_TIMED_OUT ? LB_STATUS_OK : status;
    return status == LB_STATUS_OK;
}
/// @copydoc shutdown_for(std::chrono::duration<Rep, Period>, std::error_code &)
template <typename Rep, typename Period> bool shutdown_for(std::chrono::duration<Rep, Period> timeout) {
    std::error_code ec;
    const bool done = shutdown_for(timeout, ec);
    if (ec) throw Error(static_cast<lb_status>(ec.value()), "lb::shutdown_for");
    return done;
}

/// The versions of the library, its SQLite and its Zstandard: "0.1.0 (sqlite 3.x.y, zstd 1.x.y)". Static.
inline std::string_view version() noexcept { return lb_version(); }

/// @}

}  // namespace v0_1
}  // namespace lb

inline std::error_code make_error_code(lb_status status) noexcept {
    if (status == LB_STATUS_OK) return {};  // as a cleared code, of whatever category
    return {static_cast<int>(status), lb::category()};
}

#endif
