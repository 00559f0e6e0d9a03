#include "commands.hpp"

#include "exit_code.hpp"
#include "library.hpp"
#include "text.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <tuple>
#include <vector>

namespace lbbackup {
namespace {

namespace fs = std::filesystem;

// A file of the directory, and what it says about itself or why it does not.
struct Entry {
    std::string name;
    std::string path;
    lb_archive_info info;  // of other files, the size and the time that the file system knows
    std::optional<Failure> failure;
    bool looked_at = true;  // false: not even the file system tells
};

bool is_backup(const Entry &entry) { return !entry.failure; }
// No trace of a backup in it, which is no trouble in a directory; damaged ones are.
bool is_other_file(const Entry &entry) { return entry.failure && entry.failure->status == LB_STATUS_NOT_A_DATABASE; }

Failure failure_to(const char *what, const fs::path &path, const std::error_code &code) {
    Failure failure;
    const int number = code.value();
    failure.status = number == ENOENT || number == ENOTDIR ? LB_STATUS_NOT_FOUND
                     : number == EACCES || number == EPERM ? LB_STATUS_PERMISSION_DENIED
                                                           : LB_STATUS_IO;
    failure.sys_errno = number;
    failure.message = std::string("cannot ") + what + " \"" + path.string() + "\": " + code.message();
    return failure;
}

std::optional<Entry> look_at(const fs::path &path) {
    Entry entry{path.filename().string(), path.string(), sized<lb_archive_info>(), std::nullopt};
    struct stat file {};
    if (::stat(path.c_str(), &file) != 0) {
        const std::error_code code(errno, std::generic_category());
        if (code == std::errc::no_such_file_or_directory) return std::nullopt;  // what is gone by now was not there
        entry.failure = failure_to("look at", path, code);
        entry.looked_at = false;
        return entry;
    }
    // Only regular files, of which opening has no effect and reading an end.
    if (!S_ISREG(file.st_mode)) return std::nullopt;
    auto error = sized<lb_error>();
    lb_status status = LB_STATUS_NOT_A_DATABASE;  // what cannot be named to the library
    if (is_utf8(entry.name)) status = lb_backup_inspect(path.c_str(), &entry.info, &error);
    if (status == LB_STATUS_NOT_FOUND) return std::nullopt;
    if (status != LB_STATUS_OK) {
        entry.failure = failure_of(error);
        entry.failure->status = status;
        entry.info.archive_bytes = static_cast<std::uint64_t>(file.st_size);
        entry.info.created_unix_ns = std::int64_t{file.st_mtim.tv_sec} * 1'000'000'000 + file.st_mtim.tv_nsec;
    }
    return entry;
}

std::vector<Entry> entries_of(const std::string &directory, bool all) {
    std::vector<Entry> entries;
    for (const auto &file : fs::directory_iterator(directory)) {
        if (!all && file.path().filename().string().front() == '.') continue;
        auto entry = look_at(file.path());
        if (entry && (all || !is_other_file(*entry))) entries.push_back(std::move(*entry));
    }
    const auto key = [](const Entry &entry) { return std::tie(entry.info.created_unix_ns, entry.name); };
    std::sort(entries.begin(), entries.end(), [&](const Entry &a, const Entry &b) { return key(a) < key(b); });
    return entries;
}

constexpr std::size_t kColumns = 8;
using Row = std::array<std::string, kColumns>;

std::string kind(const Entry &entry) {
    if (is_backup(entry)) return name_of_kind(entry.info.kind);
    switch (entry.failure->status) {
    case LB_STATUS_NOT_A_DATABASE:
        return "other";
    case LB_STATUS_CORRUPT:
        return "damaged";
    case LB_STATUS_UNSUPPORTED:
        return "newer";
    default:
        return "unread";
    }
}

Row row(const Entry &entry) {
    const lb_archive_info &info = entry.info;
    const bool archive = is_backup(entry) && info.kind == LB_KIND_ARCHIVE;
    const bool has_header = archive || (is_backup(entry) && info.kind == LB_KIND_IMAGE);
    const bool has_size = archive || info.image_bytes != 0;
    return {printable(entry.name),
            kind(entry),
            entry.looked_at ? local(info.created_unix_ns) : "-",
            has_size ? bytes(info.image_bytes) : "-",
            entry.looked_at ? bytes(info.archive_bytes) : "-",
            archive ? ratio(info.image_bytes, info.archive_bytes) : "-",
            has_size ? thousands(info.pages) : "-",
            has_header ? std::to_string(info.user_version) : "-"};
}

std::string table(const Terminal &to, const std::vector<Entry> &entries) {
    const Row heading = {"NAME", "KIND", "CREATED", "IMAGE", "FILE", "RATIO", "PAGES", "VERSION"};
    std::vector<Row> rows = {heading};
    for (const Entry &entry : entries) rows.push_back(row(entry));
    std::array<std::size_t, kColumns> widths{};
    for (const Row &cells : rows)
        for (std::size_t i = 0; i < kColumns; ++i) widths.at(i) = std::max(widths.at(i), width(cells.at(i)));

    constexpr std::size_t kFirstNumber = 3;
    std::string text;
    for (std::size_t n = 0; n < rows.size(); ++n) {
        std::string line;
        for (std::size_t i = 0; i < kColumns; ++i) {
            line += i == 0 ? "" : "  ";
            line += i < kFirstNumber ? padded(rows[n].at(i), widths.at(i)) : padded_before(rows[n].at(i), widths.at(i));
        }
        const bool trouble = n > 0 && !is_backup(entries[n - 1]) && !is_other_file(entries[n - 1]);
        text += to.paint(n == 0 ? Colour::bold : trouble ? Colour::red : Colour::none, line) + "\n";
    }
    return text;
}

}  // namespace

int run(const ListArguments &arguments, Output &output) {
    configure();
    std::vector<Entry> entries;
    try {
        entries = entries_of(arguments.directory, arguments.all);
    } catch (const fs::filesystem_error &error) {
        return output.fail(failure_to("list", error.path1(), error.code()), {{"path", arguments.directory}});
    }
    if (entries.empty())
        output.remark("no backups in " + arguments.directory);
    else
        output.say([&](const Terminal &to) { return table(to, entries); });
    int worst = kOk;
    for (const Entry &entry : entries) {
        Json fields = {{"path", entry.path}};
        if (is_backup(entry)) {
            add(fields, entry.info);
            output.tell(fields);
        } else if (is_other_file(entry)) {
            fields["kind"] = "other";
            fields["archive_bytes"] = entry.info.archive_bytes;
            output.tell(fields);
        } else {
            worst = worse(worst, output.fail(*entry.failure, fields));
        }
    }
    return worst;
}

}  // namespace lbbackup
