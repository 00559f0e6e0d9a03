package lb.backup;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/**
 * Verified backups of live SQLite databases. What waits may be called in virtual threads: it holds no other thread, and an
 * interrupt cancels the job.
 */
public final class LbBackup {
    private LbBackup() {
    }

    public static Result backup(Path source, Path dest) throws LbException, InterruptedException {
        return backup(source, dest, new BackupOptions());
    }

    public static Result backup(Path source, Path dest, BackupOptions options) throws LbException, InterruptedException {
        return startBackup(source, dest, options).awaitOrCancel();
    }

    public static Result restore(Path archive, Path dest, RestoreOptions options) throws LbException, InterruptedException {
        return startRestore(archive, dest, options).awaitOrCancel();
    }

    public static Result verify(Path archive, VerifyOptions options) throws LbException, InterruptedException {
        return startVerify(archive, options).awaitOrCancel();
    }

    public static Job startBackup(Path source, Path dest, BackupOptions o) throws LbException {
        return Job.start("backup", Native.BACKUP_START, Native.BACKUP, o, List.of(source, dest), "reuse_path", o.reuse, s -> {
            Native.set(Native.BACKUP, s, "format", o.format);
            Native.set(Native.BACKUP, s, "compression_level", o.level);
            Native.set(Native.BACKUP, s, "existing", o.existing);
            Native.set(Native.BACKUP, s, "digest", o.digest);
            Native.set(Native.BACKUP, s, "chunk_size", o.chunkSize);
            Native.set(Native.BACKUP, s, "busy_timeout_ms", o.busyTimeoutMillis);
            Native.set(Native.BACKUP, s, "wal_limit_bytes", o.walLimit);
        });
    }

    public static Job startRestore(Path archive, Path dest, RestoreOptions o) throws LbException {
        return Job.start("restore", Native.RESTORE_START, Native.RESTORE, o, List.of(archive, dest), "keep_previous",
                o.keepPrevious, s -> {
                    Native.set(Native.RESTORE, s, "existing", o.existing);
                    Native.set(Native.RESTORE, s, "busy_timeout_ms", o.busyTimeoutMillis);
                });
    }

    public static Job startVerify(Path archive, VerifyOptions options) throws LbException {
        return Job.start("verify", Native.VERIFY_START, Native.VERIFY, options, List.of(archive), null, null, s -> { });
    }

    /** What a backup file says about itself, from a few kilobytes of it. */
    public static ArchiveInfo inspect(Path archive) throws LbException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = Native.allocate(arena, Native.INFO);
            MemorySegment error = Native.allocate(arena, Native.ERROR);
            Status status = Native.call(Native.INSPECT, arena.allocateFrom(archive.toString()), info, error);
            if (status != Status.OK) {
                throw Job.error("inspect " + archive, status, error);
            }
            var l = Native.INFO;
            return new ArchiveInfo(Native.i(l, info, "kind"), Native.i(l, info, "format_version"),
                    Native.i(l, info, "page_size"), Native.l(l, info, "pages"), Native.l(l, info, "image_bytes"),
                    Native.l(l, info, "archive_bytes"), Native.l(l, info, "chunk_size"), Native.l(l, info, "chunks"),
                    Native.instant(Native.l(l, info, "created_unix_ns")), Native.i(l, info, "has_parent") != 0);
        }
    }

    /** Jobs whose handles are open in the library. */
    static long openJobs() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocate(8);
            Native.call(Native.JOBS, MemorySegment.NULL, 0L, count);
            return count.get(java.lang.foreign.ValueLayout.JAVA_LONG, 0);
        }
    }

    /** Cancels every job and ends the library's threads; waits up to the given time. A later start begins afresh. */
    public static Status shutdown(int timeoutMillis) {
        return Native.call(Native.SHUTDOWN, timeoutMillis);
    }

    public static String version() {
        try {
            return ((MemorySegment) Native.VERSION.invokeExact()).reinterpret(Long.MAX_VALUE).getString(0);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
