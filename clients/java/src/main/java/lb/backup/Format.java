package lb.backup;

/** What the file of a backup holds. */
public enum Format {
    /** As an option: {@code .zst} compresses, any other name is a plain image. */
    BY_NAME,
    /** A plain database file. */
    IMAGE,
    /** Zstandard; {@code zstd -d} gives the plain image. */
    ZSTD,
    /** In a result: a format that only a newer library has. */
    UNKNOWN
}
