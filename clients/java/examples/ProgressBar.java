import java.io.IOException;
import java.nio.file.Path;
import lb.backup.BackupOptions;
import lb.backup.LbBackup;
import lb.backup.Progress;

/** ProgressBar SOURCE DEST. Ctrl-C ends the process, and nothing is left. */
public class ProgressBar {
    static void draw(Progress progress) {
        int filled = (int) (progress.percent() * 0.4);
        String left = progress.eta() == null ? "?" : progress.eta().toSeconds() + " s";
        System.out.printf("\r[%s%s] %5.1f %%  %-12s %6s", "#".repeat(filled), ".".repeat(40 - filled), progress.percent(),
                progress.phase().name().toLowerCase(), left);
    }

    public static void main(String[] args) throws InterruptedException {
        try (var job = LbBackup.startBackup(Path.of(args[0]), Path.of(args[1]),
                new BackupOptions().onProgress(ProgressBar::draw))) {
            var result = job.await();
            System.out.printf("%n%d bytes in %d ms%nSHA-256 %s%n", result.archiveBytes(),
                    job.progress().elapsed().toMillis(), result.sha256());
        } catch (IOException e) {
            System.err.println("\n" + e.getMessage());
            System.exit(1);
        }
    }
}
