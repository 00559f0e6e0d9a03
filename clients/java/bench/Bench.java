import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import lb.backup.BackupOptions;
import lb.backup.LbBackup;

/**
 * What this client costs over C, and what its first use costs: {@code Bench PROGRAM LIBRARY SOURCE DEST [ROUNDS]}, where
 * PROGRAM is clients/bench.c. Backups by it and by each way of this client in turn, so that whatever disturbs the machine
 * disturbs all.
 */
public class Bench {
    public static void main(String[] args) throws Exception {
        if (args.length == 1) {
            firstUse(Path.of(args[0]));
            return;
        }
        Path source = Path.of(args[2]);
        Path dest = Path.of(args[3]);
        int rounds = args.length > 4 ? Integer.parseInt(args[4]) : 200;
        System.out.printf("database of %d bytes, %d rounds%n", Files.size(source), rounds);
        Process c = new ProcessBuilder(args[0], args[1], args[2], args[3]).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (BufferedReader taken = c.inputReader()) {
            Map<String, Callable<Long>> ways = new LinkedHashMap<>();
            ways.put("C", () -> {
                c.getOutputStream().write('\n');
                c.getOutputStream().flush();
                return Long.parseLong(taken.readLine());
            });
            ways.put("backup", () -> timed(dest, () -> LbBackup.backup(source, dest)));
            ways.put("startBackup, toCompletableFuture, get",
                    () -> timed(dest, () -> LbBackup.startBackup(source, dest, new BackupOptions()).toCompletableFuture().get()));
            Map<String, List<Long>> all = new LinkedHashMap<>();
            for (int round = -100; round < rounds; round++) { // the first ones start threads, fill caches and are compiled
                for (var way : ways.entrySet()) {
                    long nanos = way.getValue().call();
                    if (round >= 0) {
                        all.computeIfAbsent(way.getKey(), name -> new ArrayList<>()).add(nanos);
                    }
                }
            }
            c.getOutputStream().close();
            double base = median(all.get("C"));
            all.forEach((way, nanos) -> System.out.printf("%-40s median %7.3f ms, %+.3f ms over C; least %.3f ms%n", way,
                    median(nanos), median(nanos) - base, nanos.stream().min(Long::compare).orElseThrow() / 1e6));
        }
        try (var job = LbBackup.startBackup(source, Path.of(dest + ".zst"), new BackupOptions().rate(1).chunkSize(65536))) {
            for (int i = 0; i < 100_000; i++) {
                job.progress();
            }
            long before = System.nanoTime();
            for (int i = 0; i < 100_000; i++) {
                job.progress();
            }
            System.out.printf("Job.progress %.2f us%n", (System.nanoTime() - before) / 1e8);
        }
        firstUses(source);
        Path cache = Path.of(source + ".aot");
        Process training = firstUseIn(source, "-XX:AOTCacheOutput=" + cache);
        training.inputReader().transferTo(Writer.nullWriter());
        if (training.waitFor() == 0) {
            System.out.println("with an AOT cache (JDK 25)");
            firstUses(source, "-XX:AOTCache=" + cache);
        }
    }

    private static Process firstUseIn(Path source, String... options) throws IOException {
        var command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(options));
        command.addAll(List.of("Bench", source.toString()));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }

    private static void firstUses(Path source, String... options) throws Exception {
        String[] names = {"load", "load, its thread's processor time", "first backup after it", "second backup",
                "the JVM's start and end"};
        List<List<Long>> all = new ArrayList<>();
        Arrays.stream(names).forEach(name -> all.add(new ArrayList<>()));
        for (int run = 0; run < 30; run++) {
            long before = System.nanoTime();
            Process process = firstUseIn(source, options);
            long inside = 0;
            try (BufferedReader said = process.inputReader()) {
                for (int i = 0; i < 4; i++) {
                    long nanos = Long.parseLong(said.readLine());
                    inside += i == 1 ? 0 : nanos;
                    all.get(i).add(nanos);
                }
            }
            process.waitFor();
            all.get(4).add(System.nanoTime() - before - inside);
        }
        for (int i = 0; i < names.length; i++) {
            System.out.printf("%-40s median %7.3f ms, least %.3f ms, of %d new processes%n", names[i], median(all.get(i)),
                    all.get(i).stream().min(Long::compare).orElseThrow() / 1e6, all.get(i).size());
        }
    }

    private static void firstUse(Path source) throws Exception {
        Path dest = Path.of(source + ".first");
        processorTime();
        long processor = processorTime();
        long before = System.nanoTime();
        LbBackup.load();
        long loaded = System.nanoTime();
        processor = processorTime() - processor;
        long first = timed(dest, () -> LbBackup.backup(source, dest));
        long second = timed(dest, () -> LbBackup.backup(source, dest));
        System.out.println((loaded - before) + "\n" + processor + "\n" + first + "\n" + second);
    }

    /** Of this thread: what disturbs the machine is not in it. */
    private static long processorTime() throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/thread-self/schedstat")).split(" ")[0]);
    }

    private static long timed(Path dest, Callable<?> call) throws Exception {
        long before = System.nanoTime();
        call.call();
        long nanos = System.nanoTime() - before;
        Files.delete(dest);
        return nanos;
    }

    private static double median(List<Long> nanos) {
        return nanos.stream().sorted().skip(nanos.size() / 2).findFirst().orElseThrow() / 1e6;
    }
}
