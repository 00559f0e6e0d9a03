#include "commands.hpp"

#include "exit_code.hpp"
#include "library.hpp"
#include "text.hpp"

#include <utility>
#include <vector>

namespace lbbackup {
namespace {

std::string kind(const lb_archive_info &info) {
    switch (info.kind) {
    case LB_KIND_IMAGE:
        return "plain database";
    case LB_KIND_ARCHIVE:
        return "archive, format " + std::to_string(info.format_version);
    case LB_KIND_ZSTD:
        return "Zstandard file of another tool; what it holds is not known before it is decompressed";
    case LB_KIND_GZIP:
        return "gzip file; what it holds is not known before it is decompressed";
    default:
        return "of a kind unknown to this tool";
    }
}

std::string writers(const lb_archive_info &info) {
    std::string text;
    const auto add = [&](const char *name, const char *version) {
        if (*version != '\0') text += (text.empty() ? "" : ", ") + std::string(name) + " " + printable(version);
    };
    add("lb_backup", info.library_version);
    add("SQLite", info.sqlite_version);
    add("Zstandard", info.zstd_version);
    return text;
}

std::string description(const Terminal &to, const std::string &path, const lb_archive_info &info) {
    std::string text = to.paint(Colour::bold, printable(path)) + "\n";
    const auto row = [&](const char *name, const std::string &value) {
        if (!value.empty()) text += "  " + padded(name, 16) + value + "\n";
    };
    const bool archive = info.kind == LB_KIND_ARCHIVE;
    row("kind", kind(info));
    row(archive ? "created" : "modified", local(info.created_unix_ns));
    if (archive || info.image_bytes != 0)
        row("image", bytes(info.image_bytes) + ", " + thousands(info.pages) + " pages of " + bytes(info.page_size));
    row("file", bytes(info.archive_bytes) +
                    (archive ? " (" + ratio(info.image_bytes, info.archive_bytes) + to.times() + ")" : ""));
    if (archive) {
        row("chunks", thousands(info.chunks) + " of " + bytes(info.chunk_size));
        row("level", std::to_string(info.compression_level));
    }
    if (archive || info.kind == LB_KIND_IMAGE) {
        row("application_id", std::to_string(info.application_id));
        row("user_version", std::to_string(info.user_version));
    }
    if (archive) row("id", hex(info.archive_id, sizeof info.archive_id));
    if (info.has_parent != 0) row("parent", hex(info.parent_id, sizeof info.parent_id));
    row("written by", writers(info));
    return text;
}

}  // namespace

int run(const InspectArguments &arguments, Output &output) {
    configure();
    int worst = kOk;
    for (const std::string &path : arguments.archives) {
        auto info = sized<lb_archive_info>();
        auto error = sized<lb_error>();
        Json fields = {{"path", path}};
        if (lb_backup_inspect(path.c_str(), &info, &error) != LB_STATUS_OK) {
            worst = worse(worst, output.fail(failure_of(error), fields));
            continue;
        }
        add(fields, info);
        output.tell(fields);
        output.say([&](const Terminal &to) { return description(to, path, info); });
    }
    return worst;
}

}  // namespace lbbackup
