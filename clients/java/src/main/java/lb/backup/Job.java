package lb.backup;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * A running backup, restore or verification. Any thread may use it. A job that is forgotten goes on to its end and holds
 * nothing after that; {@link #close} cancels.
 */
public final class Job implements AutoCloseable {
    private static final StructLayout PROGRESS = Native.PROGRESS;
    private static final Map<Long, Job> RUNNING = new ConcurrentHashMap<>();
    private static final AtomicLong TOKENS = new AtomicLong();
    /** The library has one thread for callbacks: whoever is on it must not wait. */
    private static volatile Thread inCallback;

    private final String operation;
    private final CountDownLatch ended = new CountDownLatch(1);
    private Consumer<? super Progress> listener;
    private volatile MemorySegment handle;
    private volatile boolean closed;
    private volatile Progress last;
    private volatile Result result;
    private volatile Exception failure;
    private CompletableFuture<Result> future;

    private Job(String operation, Consumer<? super Progress> listener) {
        this.operation = operation;
        this.listener = listener;
    }

    static Job start(String operation, MethodHandle function, StructLayout layout, JobOptions<?> common, List<Path> paths,
            String pathOption, Path optional, Consumer<MemorySegment> own) throws LbException {
        Job job = new Job(operation + " " + paths.getFirst(), common.listener);
        long token = TOKENS.incrementAndGet();
        RUNNING.put(token, job);
        boolean started = false;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment options = Native.allocate(arena, layout);
            Native.set(layout, options, "verify", common.verify);
            Native.set(layout, options, "max_bytes_per_second", common.rate);
            Native.set(layout, options, "progress_interval_ms", common.intervalMillis);
            Native.set(layout, options, "user_data", MemorySegment.ofAddress(token));
            Native.set(layout, options, "on_progress", Native.ON_PROGRESS);
            Native.set(layout, options, "on_complete", Native.ON_COMPLETE);
            if (optional != null) {
                Native.set(layout, options, pathOption, arena.allocateFrom(optional.toString()));
            }
            own.accept(options);
            MemorySegment out = arena.allocate(ADDRESS);
            MemorySegment error = Native.allocate(arena, Native.ERROR);
            List<Object> arguments = new ArrayList<>();
            paths.forEach(path -> arguments.add(arena.allocateFrom(path.toString())));
            arguments.addAll(List.of(options, out, error));
            Status status = Native.call(function, arguments.toArray());
            if (status != Status.OK) {
                throw error(job.operation, status, error);
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

    static LbException error(String operation, Status status, MemorySegment error) {
        return new LbException(operation, status, Native.i(Native.ERROR, error, "sqlite_code"),
                Native.i(Native.ERROR, error, "sys_errno"), Native.message(Native.ERROR, error), null);
    }

    private LbException refused(Status status) {
        return new LbException(operation, status, 0, 0, "", null);
    }

    /** An exception that left an upcall would end the process: nothing may. */
    @SuppressWarnings("unused")
    static void onProgress(MemorySegment handle, MemorySegment progress, MemorySegment token) {
        Job job = RUNNING.get(token.address());
        inCallback = Thread.currentThread();
        try {
            if (job.listener != null) {
                job.listener.accept(Native.progress(progress.reinterpret(PROGRESS.byteSize())));
            }
        } catch (Throwable thrown) {
            job.listener = null;
            job.failure = new ListenerException(thrown, null);
        } finally {
            inCallback = null;
        }
    }

    @SuppressWarnings("unused")
    static void onComplete(MemorySegment handle, MemorySegment struct, MemorySegment token) {
        Job job = RUNNING.remove(token.address());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment from = struct.reinterpret(Native.RESULT.byteSize());
            Result result = Native.result(from);
            if (result.status() != Status.OK) {
                job.failure = new LbException(job.operation, result.status(), Native.i(Native.RESULT, from, "sqlite_code"),
                        Native.i(Native.RESULT, from, "sys_errno"), Native.message(Native.RESULT, from), result);
            } else if (job.failure != null) {
                job.failure = new ListenerException(job.failure.getCause(), result);
            }
            MemorySegment progress = Native.allocate(arena, PROGRESS);
            Native.call(Native.PROGRESS_OF, handle, progress);
            job.last = Native.progress(progress);
            job.result = result;
            Native.call(Native.RELEASE, handle);
        } catch (Throwable thrown) {
            job.failure = new IllegalStateException(thrown);
        } finally {
            job.end();
        }
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
     * Waits for the outcome, as often as asked. An interrupt ends only the waiting.
     *
     * @throws LbException the job failed; WOULD_DEADLOCK in a progress listener if it has not ended
     * @throws ListenerException the job succeeded, but its listener threw
     */
    public Result await() throws LbException, InterruptedException {
        mayWait();
        ended.await();
        return outcome();
    }

    private void mayWait() throws LbException {
        if (ended.getCount() > 0 && Thread.currentThread() == inCallback) {
            throw refused(Status.WOULD_DEADLOCK);
        }
    }

    private Result outcome() throws LbException {
        switch (failure) {
            case null -> {
                return result;
            }
            case LbException e -> throw e;
            case RuntimeException e -> throw e;
            default -> throw new AssertionError(failure);
        }
    }

    /** The outcome, with an interrupt that cancels; one that came too late stays set. */
    Result awaitOrCancel() throws LbException, InterruptedException {
        try {
            return await();
        } catch (InterruptedException interrupt) {
            cancel();
            awaitUninterruptibly();
            if (result != null && result.status() == Status.CANCELLED) {
                throw interrupt;
            }
            Thread.currentThread().interrupt();
            return outcome();
        } catch (LbException e) {
            if (e.status() == Status.WOULD_DEADLOCK) {
                cancel();
            }
            throw e;
        }
    }

    private void awaitUninterruptibly() {
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

    /** Completed on a thread of its own, never on the library's. Its {@code cancel} cancels the job. */
    public CompletableFuture<Result> toCompletableFuture() {
        synchronized (this) {
            if (future != null) {
                return future;
            }
            future = new CompletableFuture<>() {
                @Override
                public boolean cancel(boolean mayInterruptIfRunning) {
                    Job.this.cancel();
                    return super.cancel(mayInterruptIfRunning);
                }
            };
            if (ended.getCount() == 0) {
                complete(future);
            }
            return future;
        }
    }

    /** Never waits. */
    public Progress progress() throws LbException {
        if (closed) {
            throw refused(Status.INVALID_HANDLE);
        }
        if (last == null) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment progress = Native.allocate(arena, PROGRESS);
                Status status = Native.call(Native.PROGRESS_OF, handle, progress);
                if (status == Status.OK) {
                    return Native.progress(progress);
                }
                if (last == null) {
                    throw refused(status);
                }
            }
        }
        return last;
    }

    /** Asks the job to end as CANCELLED. Never waits; of no effect once it has ended. */
    public void cancel() {
        Native.call(Native.CANCEL, handle);
    }

    /** Bytes of the image per second; 0 for no limit. Of no effect once the job has ended. */
    public void setRate(long bytesPerSecond) throws LbException {
        if (closed) {
            throw refused(Status.INVALID_HANDLE);
        }
        Native.call(Native.SET_RATE, handle, bytesPerSecond);
    }

    public boolean isDone() {
        return ended.getCount() == 0;
    }

    /** Cancels the job and waits for its end; in a progress listener it does not wait. Idempotent. */
    @Override
    public void close() {
        closed = true;
        cancel();
        if (Thread.currentThread() != inCallback) {
            awaitUninterruptibly();
        }
    }
}
