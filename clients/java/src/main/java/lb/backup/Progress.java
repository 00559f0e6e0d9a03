package lb.backup;

import java.lang.foreign.MemorySegment;
import java.time.Duration;

/**
 * One look at a job. Values never go backwards from one look to the next.
 *
 * @param state where in its life the job is
 * @param phase what it is doing
 * @param retries transient errors (a lock, an interrupted call) that were waited out
 * @param bytesDone bytes of the image that are done
 * @param bytesTotal bytes of the image; 0 until they are known
 * @param bytesWritten bytes written to the file
 * @param bytesReused bytes taken over from an earlier archive; of a restore, bytes that the destination had already
 * @param elapsed since the job was accepted; stands still once it has ended
 * @param eta estimated time to the end, 0 once it has ended; null while there is no estimate
 * @param percent of the whole job, verification and all, 0 to 100; 100 only of a job that succeeded
 */
public record Progress(State state, Phase phase, int retries, long bytesDone, long bytesTotal, long bytesWritten,
        long bytesReused, Duration elapsed, Duration eta, double percent) {
    /** The life of a job. */
    public enum State {
        /** Waits for its turn. */
        QUEUED,
        /** At work. */
        RUNNING,
        /** Done, and proven. */
        SUCCEEDED,
        /** The outcome says why. */
        FAILED,
        /** Because that was asked for. */
        CANCELLED,
        /** A state that only a newer library has. */
        UNKNOWN;

        static final State[] ALL = values();
    }

    /** What a running job is doing. */
    public enum Phase {
        /** Waits for its turn, or for a lock. */
        WAITING,
        /** Bytes of the source to a file. */
        COPYING,
        /** Chunks of the image to frames of the archive. */
        COMPRESSING,
        /** Waiting for the disk to confirm. */
        SYNCING,
        /** Reading back and comparing. */
        VERIFYING,
        /** The archive's content to its destination. */
        RESTORING,
        /** The job has ended. */
        DONE,
        /** A phase that only a newer library has. */
        UNKNOWN;

        static final Phase[] ALL = values();
    }

    static Progress of(MemorySegment from) {
        Struct struct = Native.PROGRESS;
        long eta = struct.getLong(from, "eta_ns");
        return new Progress(struct.getEnum(from, "state", State.ALL), struct.getEnum(from, "phase", Phase.ALL),
                struct.getInt(from, "retries"), struct.getLong(from, "bytes_done"), struct.getLong(from, "bytes_total"),
                struct.getLong(from, "bytes_written"), struct.getLong(from, "bytes_reused"),
                struct.getNanos(from, "elapsed_ns"), eta == -1 ? null : Duration.ofNanos(eta),
                struct.getDouble(from, "percent"));
    }
}
