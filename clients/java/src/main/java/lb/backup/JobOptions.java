package lb.backup;

import java.time.Duration;
import java.util.function.Consumer;

/** Options of every kind of job. What is not set has the library's default. Changed in place; each setter returns this. */
public abstract sealed class JobOptions<T extends JobOptions<T>> permits BackupOptions, RestoreOptions, VerifyOptions {
    /** How what was written is checked; the order is the library's. */
    public enum Verify { QUICK, FULL, NONE }

    Consumer<? super Progress> listener;
    int intervalMillis;
    long rate;
    int verify;

    @SuppressWarnings("unchecked")
    private T self() {
        return (T) this;
    }

    /** Called on the library's one thread for callbacks: a slow listener delays other jobs' callbacks, never the jobs. */
    public T onProgress(Consumer<? super Progress> listener) {
        this.listener = listener;
        return self();
    }

    public T progressEvery(Duration interval) {
        intervalMillis = milliseconds("progressEvery", interval);
        return self();
    }

    /** Bytes of the image per second; 0 for no limit. */
    public T rate(long bytesPerSecond) {
        rate = bytesPerSecond;
        return self();
    }

    public T verify(Verify mode) {
        verify = mode.ordinal();
        return self();
    }

    /** Rounded up to whole milliseconds, at least 1: 0 would be the library's default. */
    static int milliseconds(String option, Duration duration) {
        if (duration.isNegative()) {
            throw new IllegalArgumentException(option + ": " + duration + " is negative");
        }
        if (duration.compareTo(Duration.ofMillis(0xffffffffL)) >= 0) {
            return -1;
        }
        return (int) Math.max(1, duration.plusNanos(999_999).toMillis());
    }
}
