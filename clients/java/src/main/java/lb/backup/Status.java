package lb.backup;

/** The outcome of a call or of a job: {@code lb_status} of {@code lb_backup.h}, in its order. */
public enum Status {
    OK, INVALID_ARGUMENT, INVALID_HANDLE, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, NOT_A_DATABASE, CORRUPT, BUSY,
    NO_SPACE, IO, CANCELLED, TIMED_OUT, QUEUE_FULL, SOURCE_CHANGED, WAL_LIMIT, UNSUPPORTED, OUT_OF_MEMORY, WRONG_PROCESS,
    WOULD_DEADLOCK, SHUT_DOWN, INTERNAL,
    /** A status that only a newer library knows. */
    UNKNOWN;

    static Status of(int value) {
        return value >= 0 && value < UNKNOWN.ordinal() ? values()[value] : UNKNOWN;
    }
}
