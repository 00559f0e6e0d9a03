package lb.backup;

import java.io.IOException;

/** Why there is no backup, restore or verification. {@link #status} tells the reasons apart. */
public final class LbException extends IOException {
    private static final long serialVersionUID = 1;
    private final Status status;
    private final int sqliteCode;
    private final int errno;
    private final transient Result result;

    LbException(String operation, Status status, int sqliteCode, int errno, String message, Result result) {
        super(operation + ": " + (message.isEmpty() ? status.name() : message));
        this.status = status;
        this.sqliteCode = sqliteCode;
        this.errno = errno;
        this.result = result;
    }

    public Status status() {
        return status;
    }

    /** SQLite's extended result code, or 0. */
    public int sqliteCode() {
        return sqliteCode;
    }

    /** The system's error number, or 0. */
    public int errno() {
        return errno;
    }

    /** What was known when the job failed; null if no job had started. */
    public Result result() {
        return result;
    }
}
