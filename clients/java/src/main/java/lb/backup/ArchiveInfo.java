package lb.backup;

import java.time.Instant;

/**
 * What a backup file says about itself; nothing of it is verified.
 *
 * @param kind 1 plain image, 2 archive of this library, 3 other Zstandard file, 4 gzip file
 */
public record ArchiveInfo(int kind, int formatVersion, int pageSize, long pages, long imageBytes, long archiveBytes,
        long chunkSize, long chunks, Instant created, boolean hasParent) {
}
