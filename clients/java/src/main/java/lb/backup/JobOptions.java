package lb.backup;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.ProviderMismatchException;
import java.time.Duration;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * Options of every kind of job. What is not set has the library's default. Setters change the object and return it; it is
 * read when a job is started, and may be used for many. Not for several threads at once.
 *
 * @param <T> the kind of options
 */
public abstract sealed class JobOptions<T extends JobOptions<T>> permits WriteOptions, VerifyOptions {
    Consumer<? super Progress> listener;
    private int intervalMillis;
    private long rate;
    private Verification verification = Verification.QUICK;

    JobOptions() {
    }

    @SuppressWarnings("unchecked")
    final T self() {
        return (T) this;
    }

    /**
     * Has a listener told the job's progress while it runs, and its last state. It is called on the library's one thread for
     * callbacks: a slow one delays other jobs' callbacks, never the jobs. What waits for an unfinished job in there is
     * WOULD_DEADLOCK. One that throws is not called again; see {@link ListenerException}.
     */
    public T onProgress(Consumer<? super Progress> listener) {
        this.listener = listener;
        return self();
    }

    /** Least time between two calls of the listener, in milliseconds, rounded up; 100 ms without this. */
    public T progressEvery(Duration interval) {
        intervalMillis = milliseconds("progressEvery", interval);
        return self();
    }

    /** Bytes of the image per second; 0, as without this, for no limit. See {@link Job#setRate}. */
    public T rate(long bytesPerSecond) {
        rate = notNegative("rate", bytesPerSecond);
        return self();
    }

    /** A backup: what was written; a restore: the archive, before the destination is touched. QUICK without this. */
    public T verify(Verification how) {
        verification = Objects.requireNonNull(how);
        return self();
    }

    final void write(Struct struct, MemorySegment to, MemorySegment token) {
        struct.set(to, "verify", verification.ordinal());
        struct.set(to, "max_bytes_per_second", rate);
        struct.set(to, "progress_interval_ms", intervalMillis);
        struct.set(to, "user_data", token);
        if (listener != null) {
            struct.set(to, "on_progress", Native.ON_PROGRESS);
        }
        struct.set(to, "on_complete", Native.ON_COMPLETE);
    }

    static MemorySegment path(Arena arena, Path path) {
        if (path == null) {
            return MemorySegment.NULL;
        }
        if (path.getFileSystem() != FileSystems.getDefault()) {
            throw new ProviderMismatchException(path + " is not in the default file system");
        }
        return arena.allocateFrom(path.toString());
    }

    static long notNegative(String option, long value) {
        if (value < 0) {
            throw new IllegalArgumentException(option + ": " + value + " is negative");
        }
        return value;
    }

    /** Rounded up, and at least 1, as 0 would be the library's default. */
    static int milliseconds(String option, Duration duration) {
        if (duration.isNegative()) {
            throw new IllegalArgumentException(option + ": " + duration + " is negative");
        }
        long most = 0xffffffffL;
        return (int) (duration.compareTo(Duration.ofMillis(most)) >= 0 ? most
                : Math.max(1, duration.plusNanos(999_999).toMillis()));
    }
}
