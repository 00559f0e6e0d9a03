package lb.backup;

/** How thoroughly to verify. */
public enum Verification {
    /** The hash of every piece. */
    QUICK,
    /** Quick, but from the disk and not from the page cache, and SQLite's own checks of the image. */
    FULL,
    /** Trust the file system. */
    NONE
}
