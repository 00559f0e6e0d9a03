/*
 * The ABI, frozen: where every field lies and what every constant is. Compiled, never run.
 *
 * A change here breaks programs that are already built. A field may only be added at the end of a structure (its new size
 * is then added below), a constant only with a new value.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <lb_backup.h>

/* C99 has no static assertion; an array of a negative size is one. */
#if defined(__cplusplus)
#define SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#define FIELD(type, field, offset) static_assert(offsetof(type, field) == (offset), #type "." #field)
#define VALUE(name, value) static_assert((name) == (value), #name)
#elif __STDC_VERSION__ >= 201112L
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#define FIELD(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
#define VALUE(name, value) _Static_assert((name) == (value), #name)
#else
#define SIZE(type, size) extern char lbt_size_##type[sizeof(type) == (size) ? 1 : -1]
#define FIELD(type, field, offset) extern char lbt_##type##_##field[offsetof(type, field) == (offset) ? 1 : -1]
#define VALUE(name, value) extern char lbt_value_##name[(name) == (value) ? 1 : -1]
#endif

SIZE(lb_status, 4);
SIZE(lb_job_state, 4);
SIZE(lb_phase, 4);

SIZE(lb_progress, 72);
FIELD(lb_progress, struct_size, 0);
FIELD(lb_progress, state, 4);
FIELD(lb_progress, phase, 8);
FIELD(lb_progress, retries, 12);
FIELD(lb_progress, bytes_done, 16);
FIELD(lb_progress, bytes_total, 24);
FIELD(lb_progress, bytes_written, 32);
FIELD(lb_progress, bytes_reused, 40);
FIELD(lb_progress, elapsed_ns, 48);
FIELD(lb_progress, eta_ns, 56);
FIELD(lb_progress, percent, 64);

SIZE(lb_result, 1224);
FIELD(lb_result, struct_size, 0);
FIELD(lb_result, status, 4);
FIELD(lb_result, sqlite_code, 8);
FIELD(lb_result, sys_errno, 12);
FIELD(lb_result, message, 16);
FIELD(lb_result, format, 1040);
FIELD(lb_result, page_size, 1044);
FIELD(lb_result, pages, 1048);
FIELD(lb_result, image_bytes, 1056);
FIELD(lb_result, archive_bytes, 1064);
FIELD(lb_result, bytes_reused, 1072);
FIELD(lb_result, has_sha256, 1080);
FIELD(lb_result, retries, 1084);
FIELD(lb_result, sha256, 1088);
FIELD(lb_result, start_unix_ns, 1120);
FIELD(lb_result, end_unix_ns, 1128);
FIELD(lb_result, waiting_ns, 1136);
FIELD(lb_result, reading_ns, 1144);
FIELD(lb_result, compressing_ns, 1152);
FIELD(lb_result, writing_ns, 1160);
FIELD(lb_result, syncing_ns, 1168);
FIELD(lb_result, verifying_ns, 1176);
FIELD(lb_result, source_lock_ns, 1184);
FIELD(lb_result, wal_growth_bytes, 1192);
FIELD(lb_result, failed_check, 1200);
FIELD(lb_result, reserved, 1204);
FIELD(lb_result, failed_chunk, 1208);
FIELD(lb_result, failed_page, 1216);

SIZE(lb_backup_options, 88);
FIELD(lb_backup_options, struct_size, 0);
FIELD(lb_backup_options, format, 4);
FIELD(lb_backup_options, compression_level, 8);
FIELD(lb_backup_options, existing, 12);
FIELD(lb_backup_options, verify, 16);
FIELD(lb_backup_options, digest, 20);
FIELD(lb_backup_options, chunk_size, 24);
FIELD(lb_backup_options, max_bytes_per_second, 32);
FIELD(lb_backup_options, busy_timeout_ms, 40);
FIELD(lb_backup_options, progress_interval_ms, 44);
FIELD(lb_backup_options, wal_limit_bytes, 48);
FIELD(lb_backup_options, user_data, 56);
FIELD(lb_backup_options, on_progress, 64);
FIELD(lb_backup_options, on_complete, 72);
FIELD(lb_backup_options, reuse_path, 80);

SIZE(lb_restore_options, 64);
FIELD(lb_restore_options, struct_size, 0);
FIELD(lb_restore_options, existing, 4);
FIELD(lb_restore_options, verify, 8);
FIELD(lb_restore_options, busy_timeout_ms, 12);
FIELD(lb_restore_options, max_bytes_per_second, 16);
FIELD(lb_restore_options, progress_interval_ms, 24);
FIELD(lb_restore_options, reserved, 28);
FIELD(lb_restore_options, keep_previous, 32);
FIELD(lb_restore_options, user_data, 40);
FIELD(lb_restore_options, on_progress, 48);
FIELD(lb_restore_options, on_complete, 56);

SIZE(lb_verify_options, 48);
FIELD(lb_verify_options, struct_size, 0);
FIELD(lb_verify_options, verify, 4);
FIELD(lb_verify_options, max_bytes_per_second, 8);
FIELD(lb_verify_options, progress_interval_ms, 16);
FIELD(lb_verify_options, reserved, 20);
FIELD(lb_verify_options, user_data, 24);
FIELD(lb_verify_options, on_progress, 32);
FIELD(lb_verify_options, on_complete, 40);

SIZE(lb_archive_info, 208);
FIELD(lb_archive_info, struct_size, 0);
FIELD(lb_archive_info, kind, 4);
FIELD(lb_archive_info, format_version, 8);
FIELD(lb_archive_info, page_size, 12);
FIELD(lb_archive_info, pages, 16);
FIELD(lb_archive_info, image_bytes, 24);
FIELD(lb_archive_info, archive_bytes, 32);
FIELD(lb_archive_info, chunk_size, 40);
FIELD(lb_archive_info, chunks, 48);
FIELD(lb_archive_info, created_unix_ns, 56);
FIELD(lb_archive_info, application_id, 64);
FIELD(lb_archive_info, user_version, 68);
FIELD(lb_archive_info, compression_level, 72);
FIELD(lb_archive_info, has_parent, 76);
FIELD(lb_archive_info, archive_id, 80);
FIELD(lb_archive_info, parent_id, 96);
FIELD(lb_archive_info, library_version, 112);
FIELD(lb_archive_info, sqlite_version, 144);
FIELD(lb_archive_info, zstd_version, 176);

SIZE(lb_error, 1040);
FIELD(lb_error, struct_size, 0);
FIELD(lb_error, status, 4);
FIELD(lb_error, sqlite_code, 8);
FIELD(lb_error, sys_errno, 12);
FIELD(lb_error, message, 16);

SIZE(lb_job_info, 304);
FIELD(lb_job_info, struct_size, 0);
FIELD(lb_job_info, state, 4);
FIELD(lb_job_info, job, 8);
FIELD(lb_job_info, user_data, 16);
FIELD(lb_job_info, bytes_done, 24);
FIELD(lb_job_info, bytes_total, 32);
FIELD(lb_job_info, percent, 40);
FIELD(lb_job_info, dest_name, 48);

SIZE(lb_config, 40);
FIELD(lb_config, struct_size, 0);
FIELD(lb_config, flags, 4);
FIELD(lb_config, workers, 8);
FIELD(lb_config, max_concurrent_jobs, 12);
FIELD(lb_config, queue_length, 16);
FIELD(lb_config, priority, 20);
FIELD(lb_config, user_data, 24);
FIELD(lb_config, on_log, 32);

VALUE(LB_STATUS_OK, 0);
VALUE(LB_STATUS_INVALID_ARGUMENT, 1);
VALUE(LB_STATUS_INVALID_HANDLE, 2);
VALUE(LB_STATUS_NOT_FOUND, 3);
VALUE(LB_STATUS_ALREADY_EXISTS, 4);
VALUE(LB_STATUS_PERMISSION_DENIED, 5);
VALUE(LB_STATUS_NOT_A_DATABASE, 6);
VALUE(LB_STATUS_CORRUPT, 7);
VALUE(LB_STATUS_BUSY, 8);
VALUE(LB_STATUS_NO_SPACE, 9);
VALUE(LB_STATUS_IO, 10);
VALUE(LB_STATUS_CANCELLED, 11);
VALUE(LB_STATUS_TIMED_OUT, 12);
VALUE(LB_STATUS_QUEUE_FULL, 13);
VALUE(LB_STATUS_SOURCE_CHANGED, 14);
VALUE(LB_STATUS_WAL_LIMIT, 15);
VALUE(LB_STATUS_UNSUPPORTED, 16);
VALUE(LB_STATUS_OUT_OF_MEMORY, 17);
VALUE(LB_STATUS_WRONG_PROCESS, 18);
VALUE(LB_STATUS_WOULD_DEADLOCK, 19);
VALUE(LB_STATUS_SHUT_DOWN, 20);
VALUE(LB_STATUS_INTERNAL, 21);

VALUE(LB_JOB_STATE_QUEUED, 0);
VALUE(LB_JOB_STATE_RUNNING, 1);
VALUE(LB_JOB_STATE_SUCCEEDED, 2);
VALUE(LB_JOB_STATE_FAILED, 3);
VALUE(LB_JOB_STATE_CANCELLED, 4);

VALUE(LB_PHASE_WAITING, 0);
VALUE(LB_PHASE_COPYING, 1);
VALUE(LB_PHASE_COMPRESSING, 2);
VALUE(LB_PHASE_SYNCING, 3);
VALUE(LB_PHASE_VERIFYING, 4);
VALUE(LB_PHASE_RESTORING, 5);
VALUE(LB_PHASE_DONE, 6);

VALUE(LB_ABI_VERSION, 0);
VALUE(LB_MESSAGE_SIZE, 1024);
VALUE(LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS, 1);
VALUE(LB_PRIORITY_BACKGROUND, 0);
VALUE(LB_PRIORITY_NORMAL, 1);
VALUE(LB_FORMAT_BY_NAME, 0);
VALUE(LB_FORMAT_IMAGE, 1);
VALUE(LB_FORMAT_ZSTD, 2);
VALUE(LB_EXISTING_REFUSE, 0);
VALUE(LB_EXISTING_REPLACE, 1);
VALUE(LB_VERIFY_QUICK, 0);
VALUE(LB_VERIFY_FULL, 1);
VALUE(LB_VERIFY_NONE, 2);
VALUE(LB_DIGEST_SHA256, 0);
VALUE(LB_DIGEST_NONE, 1);
VALUE(LB_KIND_IMAGE, 1);
VALUE(LB_KIND_ARCHIVE, 2);
VALUE(LB_KIND_ZSTD, 3);
VALUE(LB_KIND_GZIP, 4);
VALUE(LB_CHECK_NONE, 0);
VALUE(LB_CHECK_STRUCTURE, 1);
VALUE(LB_CHECK_FRAME, 2);
VALUE(LB_CHECK_CONTENT, 3);
VALUE(LB_CHECK_INTEGRITY, 4);
VALUE(LB_CHECK_FOREIGN_KEYS, 5);
VALUE(LB_NO_CHUNK, UINT64_MAX);
VALUE(LB_LOG_WARNING, 1);
VALUE(LB_LOG_INFO, 2);
