package lb.backup;

/** The outcome of a call or of a job: {@code lb_status} of {@code lb_backup.h}, in its order. */
public enum Status {
    /** Done, and proven. */
    OK,
    /** An argument or an option is wrong; the message names it. */
    INVALID_ARGUMENT,
    /** The job was closed. */
    INVALID_HANDLE,
    /** The source, or the destination's directory, does not exist. */
    NOT_FOUND,
    /** The destination exists, and replacing it was not asked for. */
    ALREADY_EXISTS,
    /** The operating system refused access. */
    PERMISSION_DENIED,
    /** Not a SQLite database, or an encrypted one. */
    NOT_A_DATABASE,
    /** Damaged, or what was written does not read back the same. */
    CORRUPT,
    /** Somebody else holds a lock, and still did after the busy timeout. Try later. */
    BUSY,
    /** A full disk, a quota, or a file-size limit. */
    NO_SPACE,
    /** The operating system failed to read or write. */
    IO,
    /** Cancelled before the archive was published. */
    CANCELLED,
    /** Not yet done. */
    TIMED_OUT,
    /** Too many jobs wait, or too many handles are open. Try later. */
    QUEUE_FULL,
    /** The source was replaced or unlinked while it was read. */
    SOURCE_CHANGED,
    /** The source's write-ahead log outgrew {@link BackupOptions#walLimit}. */
    WAL_LIMIT,
    /** This system cannot do what is needed; the message says what is missing. */
    UNSUPPORTED,
    /** The library could not allocate memory. */
    OUT_OF_MEMORY,
    /** The process was forked after the library's first use. */
    WRONG_PROCESS,
    /** A callback asked to wait for an unfinished job, which could never finish. */
    WOULD_DEADLOCK,
    /** The library is shutting down. */
    SHUT_DOWN,
    /** A defect of the library: please report the message. */
    INTERNAL,
    /** A status that only a newer library has. */
    UNKNOWN;

    private static final Status[] ALL = values();

    static Status of(int value) {
        return value >= 0 && value < ALL.length ? ALL[value] : UNKNOWN;
    }
}
