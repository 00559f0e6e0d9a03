package lb.backup;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * A backup, restore or verification that was started. Any thread may use it. One that is forgotten goes on to its end and
 * holds nothing after that; {@link #close} cancels.
 */
public final class Job implements AutoCloseable {
    /**
     * The jobs whose last callback is to come, by the user_data of their callbacks: the library has numbers, never anything
     * of Java's, and a forgotten job is garbage after its last callback.
     */
    private static final Map<Long, Job> RUNNING = new ConcurrentHashMap<>();
    private static final AtomicLong TOKENS = new AtomicLong();
    /** The library has one thread for callbacks; null while none runs. */
    private static volatile Thread callbackThread;

    /** What starts a job: the function, with its paths. */
    interface Start {
        int call(Arena arena, MemorySegment options, MemorySegment job, MemorySegment error);
    }

    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile MemorySegment handle;
    private volatile boolean closed;
    private CompletableFuture<Result> future;

    // Of the callbacks, which never overlap; others read them once it has ended.
    private Consumer<? super Progress> listener;
    private Throwable thrown;
    private Result result;
    private Exception failure;
    /** Before the handle is released, so that there is always one or the other to look at. */
    private volatile Progress last;

    private Job(Consumer<? super Progress> listener) {
        this.listener = listener;
    }

    static Job start(Struct struct, JobOptions<?> options, Start start) throws LbException {
        Job job = new Job(options.listener);
        long token = TOKENS.incrementAndGet();
        RUNNING.put(token, job);
        boolean started = false;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment in = struct.allocate(arena);
            options.write(struct, in, MemorySegment.ofAddress(token));
            MemorySegment out = arena.allocate(ADDRESS);
            MemorySegment error = Native.ERROR.allocate(arena);
            Status status = Status.of(start.call(arena, in, out, error));
            if (status != Status.OK) {
                throw LbException.of(status, error);
            }
            started = true;
            job.handle = out.get(ADDRESS, 0);
            return job;
        } finally {
            if (!started) {
                RUNNING.remove(token);
            }
        }
    }

    /** Runs code of the program in a callback. An exception that left the callback would end the process. */
    static Throwable inCallback(Runnable code) {
        callbackThread = Thread.currentThread();
        try {
            code.run();
            return null;
        } catch (Throwable thrown) {
            return thrown;
        } finally {
            callbackThread = null;
        }
    }

    private static boolean isInCallback() {
        return Thread.currentThread() == callbackThread;
    }

    /** The lb_progress_fn of every job with a listener. */
    @SuppressWarnings("unused")
    static void onProgress(MemorySegment handle, MemorySegment progress, MemorySegment token) {
        Job job = RUNNING.get(token.address());
        if (job.listener == null) {
            return;
        }
        job.thrown = inCallback(() -> {
            try (Arena arena = Arena.ofConfined()) {
                job.listener.accept(Progress.of(Native.PROGRESS.shown(progress, arena)));
            }
        });
        if (job.thrown != null) {
            job.listener = null;
        }
    }

    /** The lb_complete_fn of every job. */
    @SuppressWarnings("unused")
    static void onComplete(MemorySegment handle, MemorySegment shown, MemorySegment token) {
        Job job = RUNNING.remove(token.address());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment from = Native.RESULT.shown(shown, arena);
            job.result = Result.of(from);
            job.last = look(arena, handle);
            if (job.result.status() != Status.OK) {
                job.failure = LbException.of(job.result, from);
                if (job.thrown != null) {
                    job.failure.addSuppressed(job.thrown);
                }
            } else if (job.thrown != null) {
                job.failure = new ListenerException(job.thrown, job.result);
            }
        } catch (Throwable unexpected) { // no memory, say: whoever waits is to know
            job.failure = new IllegalStateException(unexpected);
        } finally {
            Native.release(handle);
            job.end();
        }
    }

    private static Progress look(Arena arena, MemorySegment handle) {
        MemorySegment progress = Native.PROGRESS.allocate(arena);
        return Status.of(Native.look(handle, progress)) == Status.OK ? Progress.of(progress) : null;
    }

    private void end() {
        CompletableFuture<Result> waiting;
        synchronized (this) {
            ended.countDown();
            waiting = future;
        }
        if (waiting != null) {
            Thread.startVirtualThread(() -> complete(waiting));
        }
    }

    private void complete(CompletableFuture<Result> waiting) {
        if (failure == null) {
            waiting.complete(result);
        } else {
            waiting.completeExceptionally(failure);
        }
    }

    /**
     * Waits until the job has ended and tells the outcome, as often as asked. Holds no thread but a platform thread that
     * calls it. An interrupt ends only the waiting.
     *
     * @throws LbException the job failed; or WOULD_DEADLOCK, in a callback, if it has not ended
     * @throws ListenerException the job succeeded, but its listener threw
     */
    public Result await() throws LbException, InterruptedException {
        if (!isDone()) {
            refuseInCallback();
            ended.await();
        }
        return outcome();
    }

    static void refuseInCallback() throws LbException {
        if (isInCallback()) {
            throw new LbException(Status.WOULD_DEADLOCK, "a callback must not wait for an unfinished job");
        }
    }

    private Result outcome() throws LbException {
        return switch (failure) {
            case null -> result;
            case LbException e -> throw new LbException(e);
            case RuntimeException e -> throw e;
            default -> throw new AssertionError(failure);
        };
    }

    /** The outcome. An interrupt cancels the job; one that came too late stays set. */
    Result awaitOrCancel() throws LbException, InterruptedException {
        try {
            return await();
        } catch (InterruptedException interrupt) {
            close();
            if (result != null && result.status() == Status.CANCELLED) {
                throw interrupt;
            }
            Thread.currentThread().interrupt();
            return outcome();
        }
    }

    /**
     * The outcome as a future, always the same. Exceptions in it are those of {@link #await}. It is completed on a virtual
     * thread, never on the library's. However else it ends before the job does (by {@code cancel}, by {@code orTimeout}), that
     * cancels the job. Waiting for it in a callback would be for ever.
     */
    public synchronized CompletableFuture<Result> toCompletableFuture() {
        if (future == null) {
            future = new CompletableFuture<>();
            if (isDone()) {
                complete(future);
            } else {
                future.whenComplete((result, thrown) -> cancel());
            }
        }
        return future;
    }

    /** Looks at the job; never waits. INVALID_HANDLE after {@link #close}. */
    public Progress progress() throws LbException {
        refuseClosed();
        if (last == null) {
            try (Arena arena = Arena.ofConfined()) {
                Progress progress = look(arena, handle);
                if (progress != null) {
                    return progress;
                }
            }
        }
        return last;
    }

    /** Asks the job to end as CANCELLED. Never waits; of no effect once it has ended. */
    public void cancel() {
        Native.cancel(handle);
    }

    /** Bytes of the image per second, at once; 0 for no limit. Of no effect once the job has ended. INVALID_HANDLE after close. */
    public void setRate(long bytesPerSecond) throws LbException {
        refuseClosed();
        Native.setRate(handle, JobOptions.notNegative("setRate", bytesPerSecond));
    }

    private void refuseClosed() throws LbException {
        if (closed) {
            throw new LbException(Status.INVALID_HANDLE, "the job was closed");
        }
    }

    /** Whether the job has ended, well or not. */
    public boolean isDone() {
        return ended.getCount() == 0;
    }

    /**
     * Cancels the job and waits until it has ended, which takes milliseconds and is not interrupted; in a callback it does not
     * wait. Closing twice is harmless, and {@link #await} still tells the outcome.
     */
    @Override
    public void close() {
        closed = true;
        cancel();
        if (isInCallback()) {
            return;
        }
        boolean interrupted = false;
        while (true) {
            try {
                ended.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
