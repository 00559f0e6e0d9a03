package lb.backup;

public final class VerifyOptions extends JobOptions<VerifyOptions> {
}
