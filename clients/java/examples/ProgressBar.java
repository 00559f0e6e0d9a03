import java.nio.file.Path;
import lb.backup.BackupOptions;
import lb.backup.LbBackup;

public class ProgressBar {
    public static void main(String[] args) throws Exception {
        try (var job = LbBackup.startBackup(Path.of(args[0]), Path.of(args[1]), new BackupOptions().onProgress(progress -> {
            int filled = (int) (progress.percent() * 0.4);
            System.out.printf("\r[%s%s] %5.1f %% %s", "#".repeat(filled), " ".repeat(40 - filled), progress.percent(),
                    progress.phase().name().toLowerCase());
        }))) {
            System.out.println("\nSHA-256 " + job.await().sha256());
        }
    }
}
