package lb.backup;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Why a call or a job failed; {@link #status} tells the reasons apart. The message is the operation, the path, the reason.
 * What the job's progress listener threw, if it did, is among the suppressed.
 */
public final class LbException extends IOException {
    private static final long serialVersionUID = 1;
    /** The reason. */
    private final Status status;
    /** SQLite's. */
    private final int sqliteCode;
    /** The system's. */
    private final int errno;
    private final transient Result result;

    private LbException(Status status, int sqliteCode, int errno, String message, Result result) {
        super(message);
        this.status = status;
        this.sqliteCode = sqliteCode;
        this.errno = errno;
        this.result = result;
    }

    LbException(Status status, String message) {
        this(status, 0, 0, message, null);
    }

    /** The same failure again, with the stack of this thread, which asks for it. */
    LbException(LbException failure) {
        this(failure.status, failure.sqliteCode, failure.errno, failure.getMessage(), failure.result);
        for (Throwable suppressed : failure.getSuppressed()) {
            addSuppressed(suppressed);
        }
    }

    /** For the functions that fill no lb_error. */
    static LbException of(int status, String operation) {
        return new LbException(Status.of(status), operation + ": " + Native.statusMessage(status));
    }

    static LbException of(Status status, MemorySegment error) {
        Struct struct = Native.ERROR;
        return new LbException(status, struct.getInt(error, "sqlite_code"), struct.getInt(error, "sys_errno"),
                struct.getString(error, "message"), null);
    }

    static LbException of(Result result, MemorySegment from) {
        Struct struct = Native.RESULT;
        return new LbException(result.status(), struct.getInt(from, "sqlite_code"), struct.getInt(from, "sys_errno"),
                struct.getString(from, "message"), result);
    }

    /** The reason. */
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

    /** What was known when the job failed; null if no job ran, and after serialization. */
    public Result result() {
        return result;
    }
}
