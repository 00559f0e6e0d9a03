package lb.backup;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Objects;

/** Options of {@link LbBackup#backup} and {@link LbBackup#startBackup}. */
public final class BackupOptions extends WriteOptions<BackupOptions> {
    private Format format = Format.BY_NAME;
    private int level;
    private boolean withoutDigest;
    private long chunkSize;
    private long walLimit;
    private Path reuse;

    /** The format of the archive; BY_NAME without this. */
    public BackupOptions format(Format format) {
        if (format == Format.UNKNOWN) {
            throw new IllegalArgumentException("format: UNKNOWN");
        }
        this.format = Objects.requireNonNull(format);
        return this;
    }

    /** Zstandard's level, -7 to 19; 3 without this, or with 0. */
    public BackupOptions level(int level) {
        this.level = level;
        return this;
    }

    /** Leaves {@link Result#sha256} null, and saves its time. */
    public BackupOptions withoutDigest() {
        withoutDigest = true;
        return this;
    }

    /** Bytes of a chunk, 65536 to 8388608; without this, or with 0, it adapts. */
    public BackupOptions chunkSize(long bytes) {
        chunkSize = notNegative("chunkSize", bytes);
        return this;
    }

    /**
     * Bytes by which the source's -wal file may grow while the backup keeps it from being reset; then WAL_LIMIT. Without this,
     * or with 0, there is no limit.
     */
    public BackupOptions walLimit(long bytes) {
        walLimit = notNegative("walLimit", bytes);
        return this;
    }

    /** An earlier compressed archive of the same database, whose unchanged chunks are taken over. */
    public BackupOptions reuse(Path archive) {
        reuse = archive;
        return this;
    }

    void write(MemorySegment to, Arena arena) {
        Struct struct = Native.BACKUP_OPTIONS;
        writeOwn(struct, to);
        struct.set(to, "format", format.ordinal());
        struct.set(to, "compression_level", level);
        struct.set(to, "digest", withoutDigest ? 1 : 0);
        struct.set(to, "chunk_size", chunkSize);
        struct.set(to, "wal_limit_bytes", walLimit);
        struct.set(to, "reuse_path", path(arena, reuse));
    }
}
