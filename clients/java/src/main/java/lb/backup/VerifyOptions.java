package lb.backup;

/** Options of {@link LbBackup#verify} and {@link LbBackup#startVerify}. */
public final class VerifyOptions extends JobOptions<VerifyOptions> {
}
