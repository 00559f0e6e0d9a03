package lb.backup;

import java.lang.foreign.MemorySegment;
import java.time.Duration;

/**
 * Options of what writes: backups and restores.
 *
 * @param <T> the kind of options
 */
public abstract sealed class WriteOptions<T extends WriteOptions<T>> extends JobOptions<T>
        permits BackupOptions, RestoreOptions {
    private boolean replace;
    private int busyTimeoutMillis;

    WriteOptions() {
    }

    /**
     * The destination may exist: a backup replaces the file in one step, a restore changes the database, which may be in
     * use, in one transaction. Without this it is ALREADY_EXISTS.
     */
    public T replace() {
        replace = true;
        return self();
    }

    /** For how long a locked database is tried again, in milliseconds, rounded up; then BUSY. 5 s without this. */
    public T busyTimeout(Duration timeout) {
        busyTimeoutMillis = milliseconds("busyTimeout", timeout);
        return self();
    }

    final void writeOwn(Struct struct, MemorySegment to) {
        struct.set(to, "existing", replace ? 1 : 0);
        struct.set(to, "busy_timeout_ms", busyTimeoutMillis);
    }
}
