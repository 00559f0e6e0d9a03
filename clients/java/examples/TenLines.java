import java.io.IOException;
import java.nio.file.Path;
import lb.backup.BackupOptions;
import lb.backup.LbBackup;

public class TenLines {
    public static void main(String[] args) throws InterruptedException {
        try {
            var result = LbBackup.backup(Path.of(args[0]), Path.of(args[1]), new BackupOptions().onProgress(
                    progress -> System.out.printf("\r%5.1f %%", progress.percent())));
            System.out.printf("\r%5.1f %%  %d bytes, verified%n", 100.0, result.archiveBytes());
        } catch (IOException e) { // the operation, the path, the reason
            System.err.println("\n" + e.getMessage());
            System.exit(1);
        }
    }
}
