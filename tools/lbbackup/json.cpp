#include "json.hpp"

#include "text.hpp"

namespace lbbackup {
namespace {

Json known(std::uint64_t value) { return value != 0 ? Json(value) : Json(nullptr); }
Json known(const char *text) { return *text != '\0' ? Json(text) : Json(nullptr); }

}  // namespace

std::string line(const Json &object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

const char *name_of(lb_phase phase) {
    switch (phase) {
    case LB_PHASE_WAITING:
        return "waiting";
    case LB_PHASE_COPYING:
        return "copying";
    case LB_PHASE_COMPRESSING:
        return "compressing";
    case LB_PHASE_SYNCING:
        return "syncing";
    case LB_PHASE_VERIFYING:
        return "verifying";
    case LB_PHASE_RESTORING:
        return "restoring";
    case LB_PHASE_DONE:
        return "done";
    }
    return "working";
}

const char *name_of_kind(std::uint32_t kind) {
    switch (kind) {
    case LB_KIND_IMAGE:
        return "image";
    case LB_KIND_ARCHIVE:
        return "archive";
    case LB_KIND_ZSTD:
        return "zstd";
    case LB_KIND_GZIP:
        return "gzip";
    default:
        return "unknown";
    }
}

const char *name_of_check(std::uint32_t check) {
    switch (check) {
    case LB_CHECK_NONE:
        return "none";
    case LB_CHECK_STRUCTURE:
        return "structure";
    case LB_CHECK_FRAME:
        return "frame";
    case LB_CHECK_CONTENT:
        return "content";
    case LB_CHECK_INTEGRITY:
        return "integrity";
    case LB_CHECK_FOREIGN_KEYS:
        return "foreign_keys";
    default:
        return "unknown";
    }
}

void add(Json &to, const lb_progress &progress) {
    to["phase"] = name_of(progress.phase);
    to["percent"] = progress.percent;
    to["bytes_done"] = progress.bytes_done;
    to["bytes_total"] = progress.bytes_total;
    to["bytes_written"] = progress.bytes_written;
    to["bytes_reused"] = progress.bytes_reused;
    to["retries"] = progress.retries;
    to["elapsed_ns"] = progress.elapsed_ns;
    to["eta_ns"] = progress.eta_ns == UINT64_MAX ? Json(nullptr) : Json(progress.eta_ns);
}

void add(Json &to, const lb_archive_info &info) {
    const bool archive = info.kind == LB_KIND_ARCHIVE;
    const bool has_header = archive || info.kind == LB_KIND_IMAGE;
    // An archive may well hold an empty database; an image whose header does not tell has zeros.
    const auto size = [&](std::uint64_t value) { return archive ? Json(value) : known(value); };
    to["kind"] = name_of_kind(info.kind);
    to["format_version"] = known(info.format_version);
    to["created"] = utc(info.created_unix_ns);
    to["page_size"] = known(info.page_size);
    to["pages"] = size(info.pages);
    to["image_bytes"] = size(info.image_bytes);
    to["archive_bytes"] = info.archive_bytes;
    to["chunk_size"] = known(info.chunk_size);
    to["chunks"] = known(info.chunks);
    to["compression_level"] = archive ? Json(info.compression_level) : Json(nullptr);
    to["application_id"] = has_header ? Json(info.application_id) : Json(nullptr);
    to["user_version"] = has_header ? Json(info.user_version) : Json(nullptr);
    to["archive_id"] = archive ? Json(hex(info.archive_id, sizeof info.archive_id)) : Json(nullptr);
    to["parent_id"] = info.has_parent != 0 ? Json(hex(info.parent_id, sizeof info.parent_id)) : Json(nullptr);
    to["library_version"] = known(info.library_version);
    to["sqlite_version"] = known(info.sqlite_version);
    to["zstd_version"] = known(info.zstd_version);
}

void add_outcome(Json &to, const lb_result &result, std::uint64_t elapsed_ns) {
    to["format"] = result.format == LB_FORMAT_ZSTD ? "zstd" : "image";
    to["page_size"] = result.page_size;
    to["pages"] = result.pages;
    to["image_bytes"] = result.image_bytes;
    to["archive_bytes"] = result.archive_bytes;
    to["bytes_reused"] = result.bytes_reused;
    to["sha256"] = result.has_sha256 != 0 ? Json(hex(result.sha256, sizeof result.sha256)) : Json(nullptr);
    to["start"] = utc(result.start_unix_ns);
    to["end"] = utc(result.end_unix_ns);
    to["elapsed_ns"] = elapsed_ns;
    to["waiting_ns"] = result.waiting_ns;
    to["reading_ns"] = result.reading_ns;
    to["compressing_ns"] = result.compressing_ns;
    to["writing_ns"] = result.writing_ns;
    to["syncing_ns"] = result.syncing_ns;
    to["verifying_ns"] = result.verifying_ns;
    to["source_lock_ns"] = result.source_lock_ns;
    to["wal_growth_bytes"] = result.wal_growth_bytes;
    to["retries"] = result.retries;
}

void add_finding(Json &to, const lb_result &result) {
    to["failed_check"] =
        result.failed_check == LB_CHECK_NONE ? Json(nullptr) : Json(name_of_check(result.failed_check));
    to["failed_chunk"] = result.failed_chunk == LB_NO_CHUNK ? Json(nullptr) : Json(result.failed_chunk);
    to["failed_page"] = known(result.failed_page);
}

}  // namespace lbbackup
