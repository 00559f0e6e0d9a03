package lb.backup;

import java.lang.foreign.MemorySegment;
import java.time.Instant;

/**
 * What a backup file says about itself; nothing of it is verified. What is not known is 0, empty or null.
 *
 * @param kind what kind of file it is
 * @param formatVersion of an archive of this library
 * @param pageSize bytes of a database page
 * @param pages pages of the image
 * @param imageBytes bytes of the image
 * @param archiveBytes bytes of the file
 * @param chunkSize bytes of every chunk but the last
 * @param chunks how many chunks there are
 * @param created when the backup was begun; of a plain file, when it was last modified
 * @param applicationId {@code PRAGMA application_id}
 * @param userVersion {@code PRAGMA user_version}
 * @param compressionLevel Zstandard's
 * @param archiveId random, 32 hexadecimal digits; null if it is not of this library
 * @param parentId the archiveId of the archive that was reused, or null
 * @param libraryVersion of the library that wrote it
 * @param sqliteVersion of its SQLite; of a plain file, of the SQLite that last wrote it
 * @param zstdVersion of its Zstandard
 */
public record ArchiveInfo(Kind kind, int formatVersion, int pageSize, long pages, long imageBytes, long archiveBytes,
        long chunkSize, long chunks, Instant created, int applicationId, int userVersion, int compressionLevel,
        String archiveId, String parentId, String libraryVersion, String sqliteVersion, String zstdVersion) {
    /** Of backup files. */
    public enum Kind {
        /** None; {@link LbBackup#inspect} never says so. */
        NONE,
        /** A plain database file. */
        IMAGE,
        /** An archive of this library. */
        ARCHIVE,
        /** Another tool's Zstandard file; what it holds is not known before it is decompressed. */
        ZSTD,
        /** A gzip file; what it holds is not known before it is decompressed. */
        GZIP,
        /** A kind that only a newer library has. */
        UNKNOWN
    }

    static ArchiveInfo of(MemorySegment from) {
        Struct struct = Native.ARCHIVE_INFO;
        Kind kind = struct.getEnum(from, "kind", Kind.values());
        return new ArchiveInfo(kind, struct.getInt(from, "format_version"), struct.getInt(from, "page_size"),
                struct.getLong(from, "pages"), struct.getLong(from, "image_bytes"), struct.getLong(from, "archive_bytes"),
                struct.getLong(from, "chunk_size"), struct.getLong(from, "chunks"),
                struct.getUnixNanos(from, "created_unix_ns"), struct.getInt(from, "application_id"),
                struct.getInt(from, "user_version"), struct.getInt(from, "compression_level"),
                kind == Kind.ARCHIVE ? struct.getHex(from, "archive_id", 16) : null,
                struct.getInt(from, "has_parent") == 0 ? null : struct.getHex(from, "parent_id", 16),
                struct.getString(from, "library_version"), struct.getString(from, "sqlite_version"),
                struct.getString(from, "zstd_version"));
    }
}
