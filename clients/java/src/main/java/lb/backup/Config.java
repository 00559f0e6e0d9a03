package lb.backup;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.BiConsumer;

/** Settings of the whole library, for {@link LbBackup#configure}. What is not set has the library's default. */
public final class Config {
    /** The weight of a line for the log. */
    public enum Level {
        /** A level that only a newer library has. */
        UNKNOWN,
        /** Something the operator should look at; the job went on. */
        WARNING,
        /** Worth a line, nothing to do. */
        INFO
    }

    /** Of the configuration that is in force: the library has one for the process. */
    private static volatile BiConsumer<? super Level, ? super String> logger;

    private boolean sourceNotOpenInProcess;
    private int workers;
    private int maxConcurrentJobs;
    private int queueLength;
    private boolean normalPriority;
    private BiConsumer<? super Level, ? super String> log;

    /**
     * Goes on even if the library cannot keep its file locks apart from this process's own (see CAVEATS in
     * {@code lb_backup.h}), because nothing else in it has any of the source databases open.
     */
    public Config sourceNotOpenInProcess() {
        sourceNotOpenInProcess = true;
        return this;
    }

    /** Threads that compress, 1 to 64; one per processor without this, or with 0. */
    public Config workers(int threads) {
        workers = threads;
        return this;
    }

    /** Jobs that run at the same time, 1 to 64; by the number of processors without this, or with 0. */
    public Config maxConcurrentJobs(int jobs) {
        maxConcurrentJobs = jobs;
        return this;
    }

    /** Jobs that may wait, 1 to 65536; one more is QUEUE_FULL. 4096 without this, or with 0. */
    public Config queueLength(int jobs) {
        queueLength = jobs;
        return this;
    }

    /** The library's threads run like the program's own; without this they yield to everything else. */
    public Config normalPriority() {
        normalPriority = true;
        return this;
    }

    /** Has lines for the program's log told, on the library's thread for callbacks, as {@link JobOptions#onProgress}. */
    public Config onLog(BiConsumer<? super Level, ? super String> log) {
        this.log = Objects.requireNonNull(log);
        return this;
    }

    void apply() throws LbException {
        try (Arena arena = Arena.ofConfined()) {
            Struct struct = Native.CONFIG;
            MemorySegment config = struct.allocate(arena);
            struct.set(config, "flags", sourceNotOpenInProcess ? 1 : 0);
            struct.set(config, "workers", workers);
            struct.set(config, "max_concurrent_jobs", maxConcurrentJobs);
            struct.set(config, "queue_length", queueLength);
            struct.set(config, "priority", normalPriority ? 1 : 0);
            if (log != null) {
                struct.set(config, "on_log", Native.onLog());
            }
            MemorySegment error = Native.ERROR.allocate(arena);
            Status status = Status.of(Native.configure(config, error));
            if (status != Status.OK) {
                throw LbException.of(status, error);
            }
            logger = log;
        }
    }

    /** The lb_log_fn. An exception that left it would end the process. */
    @SuppressWarnings("unused")
    static void onLog(int level, MemorySegment message, MemorySegment userData) {
        Throwable thrown = Job.inCallback(() -> {
            BiConsumer<? super Level, ? super String> log = logger;
            if (log != null) {
                log.accept(level == 1 || level == 2 ? Level.values()[level] : Level.UNKNOWN,
                        message.reinterpret(Long.MAX_VALUE).getString(0));
            }
        });
        if (thrown != null) {
            Thread thread = Thread.currentThread();
            Job.inCallback(() -> thread.getUncaughtExceptionHandler().uncaughtException(thread, thrown));
        }
    }
}
