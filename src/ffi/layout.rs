//! The ABI, frozen on this side: where every field of the C interface lies. `cpp_tests/header/layout.c` says the same to C
//! and C++; sizes, past and present, are in `sized.rs`. A field may only be added at the end of a structure.

use super::types::*;

macro_rules! layout {
    ($($name:ident { $($field:ident: $offset:literal,)* })*) => { $(
        const _: () = { $(assert!(
            std::mem::offset_of!($name, $field) == $offset,
            concat!(stringify!($name), ".", stringify!($field), " has moved"),
        );)* };
        // Without `..`: a field that is not listed does not compile.
        const _: fn(&$name) = |&$name { $($field: _,)* }| ();
    )* };
}

layout! {
    lb_progress {
        struct_size: 0, state: 4, phase: 8, retries: 12, bytes_done: 16, bytes_total: 24, bytes_written: 32,
        bytes_reused: 40, elapsed_ns: 48, eta_ns: 56, percent: 64,
    }
    lb_result {
        struct_size: 0, status: 4, sqlite_code: 8, sys_errno: 12, message: 16, format: 1040, page_size: 1044,
        pages: 1048, image_bytes: 1056, archive_bytes: 1064, bytes_reused: 1072, has_sha256: 1080, retries: 1084,
        sha256: 1088, start_unix_ns: 1120, end_unix_ns: 1128, waiting_ns: 1136, reading_ns: 1144,
        compressing_ns: 1152, writing_ns: 1160, syncing_ns: 1168, verifying_ns: 1176, source_lock_ns: 1184,
        wal_growth_bytes: 1192, failed_check: 1200, reserved: 1204, failed_chunk: 1208, failed_page: 1216,
    }
    lb_backup_options {
        struct_size: 0, format: 4, compression_level: 8, existing: 12, verify: 16, digest: 20, chunk_size: 24,
        max_bytes_per_second: 32, busy_timeout_ms: 40, progress_interval_ms: 44, wal_limit_bytes: 48, user_data: 56,
        on_progress: 64, on_complete: 72, reuse_path: 80,
    }
    lb_restore_options {
        struct_size: 0, existing: 4, verify: 8, busy_timeout_ms: 12, max_bytes_per_second: 16,
        progress_interval_ms: 24, reserved: 28, keep_previous: 32, user_data: 40, on_progress: 48, on_complete: 56,
    }
    lb_verify_options {
        struct_size: 0, verify: 4, max_bytes_per_second: 8, progress_interval_ms: 16, reserved: 20, user_data: 24,
        on_progress: 32, on_complete: 40,
    }
    lb_archive_info {
        struct_size: 0, kind: 4, format_version: 8, page_size: 12, pages: 16, image_bytes: 24, archive_bytes: 32,
        chunk_size: 40, chunks: 48, created_unix_ns: 56, application_id: 64, user_version: 68, compression_level: 72,
        has_parent: 76, archive_id: 80, parent_id: 96, library_version: 112, sqlite_version: 144, zstd_version: 176,
    }
    lb_error {
        struct_size: 0, status: 4, sqlite_code: 8, sys_errno: 12, message: 16,
    }
    lb_job_info {
        struct_size: 0, state: 4, job: 8, user_data: 16, bytes_done: 24, bytes_total: 32, percent: 40, dest_name: 48,
    }
    lb_config {
        struct_size: 0, flags: 4, workers: 8, max_concurrent_jobs: 12, queue_length: 16, priority: 20, user_data: 24,
        on_log: 32,
    }
}
