package lb.backup;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.time.Instant;

/**
 * What became of a job. Of one that failed, it has what was known by then.
 *
 * @param status OK, or why the job failed
 * @param format IMAGE or ZSTD; BY_NAME if it was not known yet
 * @param pageSize bytes of a database page; 0 for an empty database
 * @param pages pages of the image
 * @param imageBytes bytes of the image
 * @param archiveBytes bytes of the archive file
 * @param bytesReused as in {@link Progress}
 * @param retries as in {@link Progress}
 * @param sha256 of the archive file, in hexadecimal; null if there is none
 * @param started when the job was accepted, by the wall clock
 * @param ended when it ended, by the wall clock
 * @param waiting in the queue, in lock waits and in the throttle
 * @param reading reading the source
 * @param compressing processor time, all threads added up
 * @param writing writing the archive
 * @param syncing waiting for the disk, all threads added up
 * @param verifying reading back and verifying, all threads added up
 * @param sourceLock for how long writers of a rollback-journal source waited; 0 in WAL mode
 * @param walGrowthBytes by which the source's -wal file grew meanwhile
 * @param failedCheck which check an archive failed
 * @param failedChunk index of the chunk that failed, from 0 on; -1 if none did
 * @param failedPage number of the database page that failed, from 1 on; 0 if none is known
 */
public record Result(Status status, Format format, int pageSize, long pages, long imageBytes, long archiveBytes,
        long bytesReused, int retries, String sha256, Instant started, Instant ended, Duration waiting, Duration reading,
        Duration compressing, Duration writing, Duration syncing, Duration verifying, Duration sourceLock,
        long walGrowthBytes, Check failedCheck, long failedChunk, long failedPage) {
    /** What an archive can fail. */
    public enum Check {
        /** None failed. */
        NONE,
        /** Header, manifest, seek table, length; or it is no backup at all. */
        STRUCTURE,
        /** The hash of a frame. */
        FRAME,
        /** The hash of what a frame decompresses to. */
        CONTENT,
        /** SQLite's {@code integrity_check}. */
        INTEGRITY,
        /** SQLite's {@code foreign_key_check}. */
        FOREIGN_KEYS,
        /** A check that only a newer library has. */
        UNKNOWN
    }

    static Result of(MemorySegment from) {
        Struct struct = Native.RESULT;
        Check failed = struct.getEnum(from, "failed_check", Check.values());
        return new Result(Status.of(struct.getInt(from, "status")), struct.getEnum(from, "format", Format.values()),
                struct.getInt(from, "page_size"), struct.getLong(from, "pages"), struct.getLong(from, "image_bytes"),
                struct.getLong(from, "archive_bytes"), struct.getLong(from, "bytes_reused"), struct.getInt(from, "retries"),
                struct.getInt(from, "has_sha256") == 0 ? null : struct.getHex(from, "sha256", 32),
                struct.getUnixNanos(from, "start_unix_ns"), struct.getUnixNanos(from, "end_unix_ns"),
                struct.getNanos(from, "waiting_ns"), struct.getNanos(from, "reading_ns"),
                struct.getNanos(from, "compressing_ns"), struct.getNanos(from, "writing_ns"),
                struct.getNanos(from, "syncing_ns"), struct.getNanos(from, "verifying_ns"),
                struct.getNanos(from, "source_lock_ns"), struct.getLong(from, "wal_growth_bytes"),
                failed, failed == Check.NONE ? -1 : struct.getLong(from, "failed_chunk"), struct.getLong(from, "failed_page"));
    }
}
