package lb.backup;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** Options of {@link LbBackup#restore} and {@link LbBackup#startRestore}. */
public final class RestoreOptions extends WriteOptions<RestoreOptions> {
    private Path keepPrevious;

    /** Where a backup of the database that is about to be changed goes first. It must not exist. */
    public RestoreOptions keepPrevious(Path archive) {
        keepPrevious = archive;
        return this;
    }

    void write(MemorySegment to, Arena arena) {
        writeOwn(Native.RESTORE_OPTIONS, to);
        Native.RESTORE_OPTIONS.set(to, "keep_previous", path(arena, keepPrevious));
    }
}
