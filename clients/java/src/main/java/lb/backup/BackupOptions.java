package lb.backup;

import java.nio.file.Path;
import java.time.Duration;

public final class BackupOptions extends JobOptions<BackupOptions> {
    /** The order is the library's. */
    public enum Format { BY_NAME, IMAGE, ZSTD }

    int format, level, existing, digest, busyTimeoutMillis;
    long chunkSize, walLimit;
    Path reuse;

    public BackupOptions format(Format format) {
        this.format = format.ordinal();
        return this;
    }

    public BackupOptions level(int compressionLevel) {
        level = compressionLevel;
        return this;
    }

    /** An existing destination is replaced, in one step. */
    public BackupOptions replace() {
        existing = 1;
        return this;
    }

    public BackupOptions withoutDigest() {
        digest = 1;
        return this;
    }

    public BackupOptions busyTimeout(Duration timeout) {
        busyTimeoutMillis = milliseconds("busyTimeout", timeout);
        return this;
    }

    public BackupOptions chunkSize(long bytes) {
        chunkSize = bytes;
        return this;
    }

    public BackupOptions walLimit(long bytes) {
        walLimit = bytes;
        return this;
    }

    /** An earlier archive, whose unchanged chunks are taken over. */
    public BackupOptions reuse(Path archive) {
        reuse = archive;
        return this;
    }
}
