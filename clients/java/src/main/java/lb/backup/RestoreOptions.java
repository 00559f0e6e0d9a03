package lb.backup;

import java.nio.file.Path;
import java.time.Duration;

public final class RestoreOptions extends JobOptions<RestoreOptions> {
    int existing, busyTimeoutMillis;
    Path keepPrevious;

    /** An existing database is changed, in one transaction. */
    public RestoreOptions replace() {
        existing = 1;
        return this;
    }

    public RestoreOptions busyTimeout(Duration timeout) {
        busyTimeoutMillis = milliseconds("busyTimeout", timeout);
        return this;
    }

    /** Where the existing database is backed up to before it is changed. */
    public RestoreOptions keepPrevious(Path archive) {
        keepPrevious = archive;
        return this;
    }
}
