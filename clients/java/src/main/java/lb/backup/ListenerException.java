package lb.backup;

/** A progress listener threw: the cause. The job went on without it, and succeeded. */
public final class ListenerException extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final transient Result result;

    ListenerException(Throwable cause, Result result) {
        super("the progress listener threw " + cause, cause);
        this.result = result;
    }

    /** What became of the job; null after serialization. */
    public Result result() {
        return result;
    }
}
