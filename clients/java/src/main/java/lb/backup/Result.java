package lb.backup;

import java.time.Instant;

/**
 * What became of a job.
 *
 * @param format 1 a plain image, 2 Zstandard
 * @param sha256 of the archive in hexadecimal; null without one
 * @param failedCheck LB_CHECK_... of lb_backup.h; 0 if no check failed
 * @param failedChunk -1 if the failure is of no chunk
 */
public record Result(Status status, int format, int pageSize, long pages, long imageBytes, long archiveBytes,
        long bytesReused, int retries, String sha256, Instant started, Instant finished, long waitingNanos, long readingNanos,
        long compressingNanos, long writingNanos, long syncingNanos, long verifyingNanos, long sourceLockNanos,
        long walGrowthBytes, int failedCheck, long failedChunk, long failedPage) {
}
