package lb.backup;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Verified backups of live SQLite databases. What lb_backup.h says under CAVEATS holds here as well. Every function may be
 * called from any thread.
 *
 * <p>{@link #backup}, {@link #restore} and {@link #verify} wait, and in a virtual thread hold no other; an interrupt cancels
 * the job, leaves nothing and is an InterruptedException. In a callback they are WOULD_DEADLOCK, and start nothing.
 *
 * <p>If the library cannot be loaded, every function throws a LinkageError: first an UnsatisfiedLinkError that says why, later
 * a NoClassDefFoundError that has it as its cause.
 */
public final class LbBackup {
    private LbBackup() {
    }

    /** {@link #backup(Path, Path, BackupOptions)} with the defaults. */
    public static Result backup(Path source, Path dest) throws LbException, InterruptedException {
        return backup(source, dest, new BackupOptions());
    }

    /** {@link #startBackup}, and waits. */
    public static Result backup(Path source, Path dest, BackupOptions options) throws LbException, InterruptedException {
        mayWait();
        return startBackup(source, dest, options).awaitOrCancel();
    }

    /** {@link #restore(Path, Path, RestoreOptions)} with the defaults. */
    public static Result restore(Path archive, Path dest) throws LbException, InterruptedException {
        return restore(archive, dest, new RestoreOptions());
    }

    /** {@link #startRestore}, and waits. */
    public static Result restore(Path archive, Path dest, RestoreOptions options) throws LbException, InterruptedException {
        mayWait();
        return startRestore(archive, dest, options).awaitOrCancel();
    }

    /** {@link #verify(Path, VerifyOptions)} with the defaults. */
    public static Result verify(Path archive) throws LbException, InterruptedException {
        return verify(archive, new VerifyOptions());
    }

    /** {@link #startVerify}, and waits. */
    public static Result verify(Path archive, VerifyOptions options) throws LbException, InterruptedException {
        mayWait();
        return startVerify(archive, options).awaitOrCancel();
    }

    private static void mayWait() throws LbException, InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
        Job.refuseInCallback();
    }

    /**
     * Starts a backup of a live SQLite database into a new file, and returns at once. The file appears when it is complete,
     * durable and verified; on failure and on cancel nothing is left. The database may be open and being written, in this
     * process or another; the backup has every transaction that was committed before this call.
     */
    public static Job startBackup(Path source, Path dest, BackupOptions options) throws LbException {
        return Job.start(Native.BACKUP_OPTIONS, options, (arena, in, job, error) -> {
            options.write(in, arena);
            return Native.backupStart(JobOptions.path(arena, source), JobOptions.path(arena, dest), in, job, error);
        });
    }

    /**
     * Starts restoring a backup of any kind, and returns at once: to a new file, or, with {@link RestoreOptions#replace}, into
     * a database that may be in use, in one transaction.
     */
    public static Job startRestore(Path archive, Path dest, RestoreOptions options) throws LbException {
        return Job.start(Native.RESTORE_OPTIONS, options, (arena, in, job, error) -> {
            options.write(in, arena);
            return Native.restoreStart(JobOptions.path(arena, archive), JobOptions.path(arena, dest), in, job, error);
        });
    }

    /**
     * Starts verifying a backup of any kind, and returns at once. Its content stays as it is. A damaged one is CORRUPT (or
     * NOT_A_DATABASE, UNSUPPORTED); {@link LbException#result} says which check it failed, and where.
     */
    public static Job startVerify(Path archive, VerifyOptions options) throws LbException {
        return Job.start(Native.VERIFY_OPTIONS, options,
                (arena, in, job, error) -> Native.verifyStart(JobOptions.path(arena, archive), in, job, error));
    }

    /** What a backup file says about itself, from a few kilobytes of it; waits for them, well under a millisecond. */
    public static ArchiveInfo inspect(Path archive) throws LbException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = Native.ARCHIVE_INFO.allocate(arena);
            MemorySegment error = Native.ERROR.allocate(arena);
            Status status = Status.of(Native.inspect(JobOptions.path(arena, archive), info, error));
            if (status != Status.OK) {
                throw LbException.of(status, error);
            }
            return ArchiveInfo.of(info);
        }
    }

    /** The unfinished jobs of this process, in no particular order. */
    public static List<JobInfo> jobs() throws LbException {
        Struct struct = Native.JOB_INFO;
        for (long capacity = 16;; capacity *= 2) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment array = arena.allocate(struct.size * capacity, 8);
                struct.set(array, "struct_size", (int) struct.size);
                MemorySegment count = arena.allocate(JAVA_LONG);
                int status = Native.jobs(array, capacity, count);
                if (status != 0) {
                    throw LbException.of(status, "the jobs cannot be listed");
                }
                long jobs = count.get(JAVA_LONG, 0);
                if (jobs <= capacity) {
                    List<JobInfo> list = new ArrayList<>();
                    for (long i = 0; i < jobs; i++) {
                        list.add(JobInfo.of(array.asSlice(i * struct.size, struct.size)));
                    }
                    return list;
                }
            }
        }
    }

    /** Sets up the library: before its first job, or after {@link #shutdown}. Otherwise it is BUSY. */
    public static void configure(Config config) throws LbException {
        config.apply();
    }

    /**
     * Cancels every job and ends the library's threads; a later start begins afresh. A program need not call this. Waits in
     * native code: a virtual thread holds its carrier meanwhile.
     *
     * @param timeout how long to wait, in milliseconds, rounded up; 49 days and more wait for ever
     * @return false if that was not long enough: the shutdown goes on, and another call waits again
     * @throws LbException WOULD_DEADLOCK in a callback
     */
    public static boolean shutdown(Duration timeout) throws LbException {
        int status = Native.shutdown(JobOptions.milliseconds("shutdown", timeout));
        return switch (Status.of(status)) {
            case OK -> true;
            case TIMED_OUT -> false;
            default -> throw LbException.of(status, "the library cannot be shut down");
        };
    }

    /**
     * Loads the library, and links what a backup needs; without this the first use does. A program that does not want to wait
     * for that in its first backup calls it early, in a thread of its own.
     *
     * @throws UnsatisfiedLinkError the library cannot be loaded
     */
    public static void load() {
        Native.load();
    }

    /** The versions of the library, its SQLite and its Zstandard: "0.1.0 (sqlite 3.x.y, zstd 1.x.y)". */
    public static String version() {
        return Native.version();
    }
}
