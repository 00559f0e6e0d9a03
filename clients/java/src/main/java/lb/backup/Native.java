package lb.backup;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.util.List;
import java.util.Objects;

/**
 * The functions and structures of lb_backup.h. The library is loaded when this class is first used, for good: callbacks may
 * come until the process ends. Functions that few programs call are linked when they are first called, as linking takes
 * milliseconds.
 */
final class Native {
    static final Struct PROGRESS = new Struct("lb_progress", "i struct_size, i state, i phase, i retries, l bytes_done, "
            + "l bytes_total, l bytes_written, l bytes_reused, l elapsed_ns, l eta_ns, d percent");
    static final Struct RESULT = new Struct("lb_result", "i struct_size, i status, i sqlite_code, i sys_errno, 1024 message, "
            + "i format, i page_size, l pages, l image_bytes, l archive_bytes, l bytes_reused, i has_sha256, i retries, "
            + "32 sha256, l start_unix_ns, l end_unix_ns, l waiting_ns, l reading_ns, l compressing_ns, l writing_ns, "
            + "l syncing_ns, l verifying_ns, l source_lock_ns, l wal_growth_bytes, i failed_check, i reserved, "
            + "l failed_chunk, l failed_page");
    static final Struct ERROR = new Struct("lb_error", "i struct_size, i status, i sqlite_code, i sys_errno, 1024 message");
    static final Struct BACKUP_OPTIONS = new Struct("lb_backup_options", "i struct_size, i format, i compression_level, "
            + "i existing, i verify, i digest, l chunk_size, l max_bytes_per_second, i busy_timeout_ms, "
            + "i progress_interval_ms, l wal_limit_bytes, p user_data, p on_progress, p on_complete, p reuse_path");
    static final Struct RESTORE_OPTIONS = new Struct("lb_restore_options", "i struct_size, i existing, i verify, "
            + "i busy_timeout_ms, l max_bytes_per_second, i progress_interval_ms, i reserved, p keep_previous, p user_data, "
            + "p on_progress, p on_complete");
    static final Struct VERIFY_OPTIONS = new Struct("lb_verify_options", "i struct_size, i verify, l max_bytes_per_second, "
            + "i progress_interval_ms, i reserved, p user_data, p on_progress, p on_complete");
    static final Struct ARCHIVE_INFO = new Struct("lb_archive_info", "i struct_size, i kind, i format_version, i page_size, "
            + "l pages, l image_bytes, l archive_bytes, l chunk_size, l chunks, l created_unix_ns, i application_id, "
            + "i user_version, i compression_level, i has_parent, 16 archive_id, 16 parent_id, 32 library_version, "
            + "32 sqlite_version, 32 zstd_version");
    static final Struct JOB_INFO = new Struct("lb_job_info", "i struct_size, i state, p job, p user_data, l bytes_done, "
            + "l bytes_total, d percent, 256 dest_name");
    static final Struct CONFIG = new Struct("lb_config", "i struct_size, i flags, i workers, i max_concurrent_jobs, "
            + "i queue_length, i priority, p user_data, p on_log");
    static final List<Struct> STRUCTS = List.of(PROGRESS, RESULT, ERROR, BACKUP_OPTIONS, RESTORE_OPTIONS, VERIFY_OPTIONS,
            ARCHIVE_INFO, JOB_INFO, CONFIG);

    /** LB_ABI_VERSION of the header that this was written after. */
    private static final int ABI_VERSION = 0;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final SymbolLookup LIBRARY = open();
    private static final MethodHandle CANCEL = link("lb_backup_cancel", JAVA_INT, ADDRESS);
    private static final MethodHandle RELEASE = link("lb_backup_release", JAVA_INT, ADDRESS);
    private static final MethodHandle LOOK = link("lb_backup_progress", JAVA_INT, ADDRESS, ADDRESS);
    private static final FunctionDescriptor JOB_CALLBACK = FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, ADDRESS);
    static final MemorySegment ON_PROGRESS = callback(Job.class, "onProgress", JOB_CALLBACK);
    static final MemorySegment ON_COMPLETE = callback(Job.class, "onComplete", JOB_CALLBACK);

    private Native() {
    }

    private static SymbolLookup open() {
        String name = System.getProperty("lb.backup.library", System.getenv("LB_BACKUP_LIBRARY"));
        if (name == null) {
            name = "liblb_backup.so.0";
        }
        SymbolLookup library;
        try {
            library = SymbolLookup.libraryLookup(name, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new UnsatisfiedLinkError(name + " cannot be loaded; -Dlb.backup.library or LB_BACKUP_LIBRARY names another");
        }
        MemorySegment function = library.find("lb_abi_version").orElse(null);
        if (function == null) {
            throw new UnsatisfiedLinkError(name + " is not lb_backup");
        }
        int version;
        try {
            version = (int) LINKER.downcallHandle(function, FunctionDescriptor.of(JAVA_INT)).invokeExact();
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
        if (version != ABI_VERSION) {
            throw new UnsatisfiedLinkError(name + " has ABI version " + version + ", not " + ABI_VERSION);
        }
        return library;
    }

    private static MethodHandle link(String name, MemoryLayout returns, MemoryLayout... takes) {
        MemorySegment function = LIBRARY.find(name).orElse(null);
        if (function == null) {
            throw new UnsatisfiedLinkError("the library has no " + name);
        }
        return LINKER.downcallHandle(function, FunctionDescriptor.of(returns, takes));
    }

    private static MemorySegment callback(Class<?> where, String method, FunctionDescriptor takes) {
        try {
            MethodHandle target = MethodHandles.lookup().findStatic(where, method, takes.toMethodType());
            return LINKER.upcallStub(target, takes, Arena.global());
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    /** No function of the library throws: this is the virtual machine's (an error) or a defect of this client. */
    private static RuntimeException unexpected(Throwable thrown) {
        if (thrown instanceof Error error) {
            throw error;
        }
        return new IllegalStateException(thrown);
    }

    private static final class Backup {
        static final MethodHandle START = link("lb_backup_start", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    }

    /** All that a backup needs. */
    static void load() {
        Objects.requireNonNull(Backup.START);
    }

    static int backupStart(MemorySegment source, MemorySegment dest, MemorySegment options, MemorySegment job,
            MemorySegment error) {
        try {
            return (int) Backup.START.invokeExact(source, dest, options, job, error);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    private static final class Restore {
        static final MethodHandle START = link("lb_restore_start", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    }

    static int restoreStart(MemorySegment archive, MemorySegment dest, MemorySegment options, MemorySegment job,
            MemorySegment error) {
        try {
            return (int) Restore.START.invokeExact(archive, dest, options, job, error);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    private static final class Verify {
        static final MethodHandle START = link("lb_verify_start", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    }

    static int verifyStart(MemorySegment archive, MemorySegment options, MemorySegment job, MemorySegment error) {
        try {
            return (int) Verify.START.invokeExact(archive, options, job, error);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    private static final class Inspect {
        static final MethodHandle FUNCTION = link("lb_backup_inspect", JAVA_INT, ADDRESS, ADDRESS, ADDRESS);
    }

    static int inspect(MemorySegment archive, MemorySegment info, MemorySegment error) {
        try {
            return (int) Inspect.FUNCTION.invokeExact(archive, info, error);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    static int look(MemorySegment job, MemorySegment progress) {
        try {
            return (int) LOOK.invokeExact(job, progress);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    static int cancel(MemorySegment job) {
        try {
            return (int) CANCEL.invokeExact(job);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    static int release(MemorySegment job) {
        try {
            return (int) RELEASE.invokeExact(job);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    private static final class SetRate {
        static final MethodHandle FUNCTION = link("lb_backup_set_rate", JAVA_INT, ADDRESS, JAVA_LONG);
    }

    static int setRate(MemorySegment job, long bytesPerSecond) {
        try {
            return (int) SetRate.FUNCTION.invokeExact(job, bytesPerSecond);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    private static final class Jobs {
        static final MethodHandle FUNCTION = link("lb_backup_jobs", JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS);
    }

    static int jobs(MemorySegment jobs, long capacity, MemorySegment count) {
        try {
            return (int) Jobs.FUNCTION.invokeExact(jobs, capacity, count);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    private static final class Configure {
        static final MethodHandle FUNCTION = link("lb_configure", JAVA_INT, ADDRESS, ADDRESS);
        static final MemorySegment ON_LOG =
                callback(Config.class, "onLog", FunctionDescriptor.ofVoid(JAVA_INT, ADDRESS, ADDRESS));
    }

    static MemorySegment onLog() {
        return Configure.ON_LOG;
    }

    static int configure(MemorySegment config, MemorySegment error) {
        try {
            return (int) Configure.FUNCTION.invokeExact(config, error);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    private static final class Shutdown {
        static final MethodHandle FUNCTION = link("lb_shutdown", JAVA_INT, JAVA_INT);
    }

    static int shutdown(int timeoutMillis) {
        try {
            return (int) Shutdown.FUNCTION.invokeExact(timeoutMillis);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    private static final class StatusMessage {
        static final MethodHandle FUNCTION = link("lb_status_message", ADDRESS, JAVA_INT);
    }

    static String statusMessage(int status) {
        try {
            return text((MemorySegment) StatusMessage.FUNCTION.invokeExact(status));
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    private static final class Version {
        static final MethodHandle FUNCTION = link("lb_version", ADDRESS);
    }

    static String version() {
        try {
            return text((MemorySegment) Version.FUNCTION.invokeExact());
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    /** What a static text of the library says. */
    private static String text(MemorySegment text) {
        return text.reinterpret(Long.MAX_VALUE).getString(0);
    }
}
