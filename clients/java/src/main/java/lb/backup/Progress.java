package lb.backup;

/**
 * One look at a job.
 *
 * @param elapsedNanos since the job was accepted
 * @param etaNanos estimate to the end; -1 while there is none
 * @param percent 0 to 100; 100 only of a job that succeeded
 */
public record Progress(State state, Phase phase, int retries, long bytesDone, long bytesTotal, long bytesWritten,
        long bytesReused, long elapsedNanos, long etaNanos, double percent) {
    public enum State { QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED }

    public enum Phase { WAITING, COPYING, COMPRESSING, SYNCING, VERIFYING, RESTORING, DONE }
}
