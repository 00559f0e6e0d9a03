#include "commands.hpp"

#include "exit_code.hpp"
#include "runner.hpp"
#include "text.hpp"

#include <algorithm>
#include <ctime>
#include <filesystem>

namespace lbbackup {
namespace {

namespace fs = std::filesystem;

bool is_named_compressed(const fs::path &path) { return path.extension() == ".zst"; }

// game-20260102T030405Z.db.zst: sorts by time, and no two hours of a year have the same name.
std::string name_with_time(const fs::path &source, std::uint32_t format) {
    const std::time_t now = std::time(nullptr);
    std::tm time{};
    gmtime_r(&now, &time);
    char stamp[32];
    std::strftime(stamp, sizeof stamp, "-%Y%m%dT%H%M%SZ", &time);
    const std::string extension = source.has_extension() ? source.extension().string() : ".db";
    return source.stem().string() + stamp + extension + (format == LB_FORMAT_IMAGE ? "" : ".zst");
}

std::string destination(const BackupArguments &arguments) {
    std::error_code unknown;  // the library says what is wrong with it
    if (!fs::is_directory(arguments.dest, unknown)) return arguments.dest;
    return (fs::path(arguments.dest) / name_with_time(arguments.source, arguments.format)).string();
}

std::string hint(const BackupArguments &arguments, lb_status status, bool compressed) {
    switch (status) {
    case LB_STATUS_ALREADY_EXISTS:
        return arguments.replace ? "" : "--replace puts the new backup in its place, once that is verified";
    case LB_STATUS_BUSY:
        return "another program holds a lock; --busy-timeout 1min waits longer for it";
    case LB_STATUS_NO_SPACE:
        if (arguments.verify == LB_VERIFY_FULL && compressed)
            return "--verify full takes as much room again as the database has; quick takes none";
        return compressed ? "" : "a DEST that ends in .zst is compressed";
    case LB_STATUS_WAL_LIMIT:
        return "the database is written faster than --wal-limit allows for";
    case LB_STATUS_SOURCE_CHANGED:
        return "somebody put another file in its place meanwhile; try again";
    default:
        return "";
    }
}

std::string summary(const Terminal &to, const std::string &dest, const Outcome &outcome, std::uint32_t verify) {
    const lb_result &result = outcome.result;
    std::string text = to.mark(true) + to.paint(Colour::bold, printable(dest)) + "\n  " + bytes(result.image_bytes);
    if (result.format == LB_FORMAT_ZSTD)
        text += std::string(" ") + to.arrow() + " " + bytes(result.archive_bytes) + " (" +
                ratio(result.image_bytes, result.archive_bytes) + to.times() + ")";
    if (result.bytes_reused > 0) text += ", " + bytes(result.bytes_reused) + " of it reused";
    text += verify == LB_VERIFY_FULL   ? ", verified in full"
            : verify == LB_VERIFY_NONE ? ", not verified"
                                       : ", verified";
    text += ", in " + duration(outcome.elapsed_ns) + "\n";
    if (result.has_sha256 != 0)
        text += "  SHA-256 " + to.paint(Colour::dim, hex(result.sha256, sizeof result.sha256)) + "\n";
    return text;
}

}  // namespace

int run(const BackupArguments &arguments, Output &output) {
    const std::string dest = destination(arguments);
    const bool compressed =
        arguments.format == LB_FORMAT_ZSTD || (arguments.format == LB_FORMAT_BY_NAME && is_named_compressed(dest));
    Json fields = {{"source", arguments.source}, {"archive", dest}};
    if (!compressed && (arguments.level != 0 || arguments.reuse)) {
        Failure failure;
        failure.status = LB_STATUS_INVALID_ARGUMENT;
        failure.message = "--level and --reuse are for compressed backups, and " + dest + " is a plain image";
        failure.hint = "a DEST that ends in .zst is compressed; --format zstd does it whatever the name";
        return output.fail(failure, fields);
    }

    auto options = sized<lb_backup_options>();
    options.format = arguments.format;
    options.compression_level = arguments.level;
    options.existing = arguments.replace ? LB_EXISTING_REPLACE : LB_EXISTING_REFUSE;
    options.verify = arguments.verify;
    options.digest = arguments.no_digest ? LB_DIGEST_NONE : LB_DIGEST_SHA256;
    options.chunk_size = arguments.chunk_size;
    options.max_bytes_per_second = arguments.rate;
    options.busy_timeout_ms = std::max(arguments.busy_timeout_ms, 1U);  // 0 would be the default
    options.wal_limit_bytes = arguments.wal_limit;
    options.reuse_path = arguments.reuse ? arguments.reuse->c_str() : nullptr;

    Runner runner(output);
    const Outcome outcome = runner.run(options, [&](const lb_backup_options &with, lb_job **job, lb_error *error) {
        return lb_backup_start(arguments.source.c_str(), dest.c_str(), &with, job, error);
    });
    if (!outcome.ok()) {
        Failure failure = runner.failure_of(outcome, "cancelled; nothing was left behind");
        failure.hint = hint(arguments, failure.status, compressed);
        fields["warnings"] = outcome.warnings;
        return output.fail(failure, fields);
    }
    add_outcome(fields, outcome.result, outcome.elapsed_ns);
    fields["warnings"] = outcome.warnings;
    output.tell(fields);
    output.say_after_bar([&](const Terminal &to) { return summary(to, dest, outcome, arguments.verify); });
    return kOk;
}

}  // namespace lbbackup
