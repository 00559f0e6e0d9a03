package lb.backup;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.ref.WeakReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/** Everything beside Java's own SQLite (sqlite-jdbc). A child process leads the life that its arguments name. */
final class ClientTest {
    static final int ROWS = 400, LATE = 100, STRUCK = 10;
    static Path directory;

    interface Test {
        void run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        if (args.length > 0) {
            directory = Path.of(args[1]);
            switch (args[0]) {
                case "killed" -> commitAndBeKilled();
                case "exits" -> exitWithAJob();
                default -> holdATransaction(args[0]);
            }
            return;
        }
        test("structures match the header", ClientTest::structures);
        test("round trip", ClientTest::roundTrip);
        test("progress", ClientTest::progress);
        test("cancel", ClientTest::cancel);
        test("each status is an error of its own", ClientTest::statuses);
        test("stale handle", ClientTest::staleHandle);
        test("callback that throws", ClientTest::callbackThatThrows);
        test("fifty jobs at once", ClientTest::fiftyJobs);
        test("forgotten job is collected", ClientTest::forgottenJob);
        test("open transaction then an outsider is refused", ClientTest::openTransaction);
        test("commit after backup then crash keeps all rows", ClientTest::crash);
        test("exit with a job running", ClientTest::exit);
        if (System.getenv("LB_BACKUP_HOOKS_LIBRARY") != null) {
            test("without isolation the outsider gets in", ClientTest::noIsolation);
        }
    }

    static void test(String name, Test test) throws Exception {
        directory = Files.createTempDirectory("lb-java");
        try {
            test.run();
            System.out.println("ok " + name);
        } finally {
            try (var files = Files.walk(directory)) {
                files.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
            }
        }
    }

    static void check(boolean holds, Object what) {
        if (!holds) {
            throw new AssertionError(String.valueOf(what));
        }
    }

    static void equal(Object is, Object wanted) {
        check(is.equals(wanted), is + ", not " + wanted);
    }

    static void fails(Status status, Test test) throws Exception {
        try {
            test.run();
        } catch (LbException e) {
            equal(e.status(), status);
            return;
        }
        throw new AssertionError("no " + status);
    }

    static Path at(String name) {
        return directory.resolve(name);
    }

    static Path source() {
        return at("game.db");
    }

    static Connection host(String journal) throws Exception {
        Connection host = DriverManager.getConnection("jdbc:sqlite:" + source());
        for (String sql : List.of("PRAGMA journal_mode=" + journal, "PRAGMA wal_autocheckpoint=0",
                "CREATE TABLE t(id INTEGER PRIMARY KEY, payload)", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
                + "WHERE i < " + ROWS + ") INSERT INTO t(payload) SELECT randomblob(1000) FROM n")) {
            exec(host, sql);
        }
        return host;
    }

    static void exec(Connection host, String sql) throws Exception {
        try (var statement = host.createStatement()) {
            statement.execute(sql);
        }
    }

    static String said(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        process.waitFor();
        return said;
    }

    static String outside(Path database, String sql) throws Exception {
        return said("sqlite3", "-batch", "-cmd", ".timeout 0", database.toString(), sql);
    }

    static boolean refused() throws Exception {
        return outside(source(), "INSERT INTO t(payload) VALUES('outsider')").contains("database is locked");
    }

    static void rows(Path database, int count) throws Exception {
        equal(outside(database, "SELECT count(*) FROM t; PRAGMA integrity_check"), count + "\nok");
    }

    static int child(String life, String library, String switches) throws Exception {
        var builder = new ProcessBuilder(ProcessHandle.current().info().command().orElseThrow(),
                "--enable-native-access=ALL-UNNAMED", "-XX:TieredStopAtLevel=1", "-XX:-CreateCoredumpOnCrash",
                "-XX:ErrorFile=/dev/null", "-cp",
                System.getProperty("java.class.path"), "lb.backup.ClientTest", life, directory.toString());
        builder.environment().put("LB_BACKUP_LIBRARY", library);
        builder.environment().put("LB_BACKUP_TEST_HOOKS", switches);
        return builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor();
    }

    static BackupOptions slow() {
        return new BackupOptions().rate(1).chunkSize(65536).progressEvery(Duration.ofMillis(1));
    }

    /** A backup that its throttle holds in mid-copy. */
    static Job held(String dest) throws Exception {
        var copying = new CountDownLatch(1);
        Job job = LbBackup.startBackup(source(), at(dest), slow().onProgress(p -> {
            if (p.bytesTotal() > 0) {
                copying.countDown();
            }
        }));
        copying.await();
        return job;
    }

    static void structures() throws Exception {
        var c = new StringBuilder("#include <lb_backup.h>\n#include <stdio.h>\nint main(void){\n");
        var wanted = new ArrayList<String>();
        for (var layout : Native.ALL) {
            String struct = layout.name().orElseThrow();
            c.append("printf(\"%zu\\n\", sizeof(").append(struct).append("));\n");
            wanted.add("" + layout.byteSize());
            for (MemoryLayout member : layout.memberLayouts()) {
                String field = member.name().orElseThrow();
                c.append("printf(\"%zu\\n\", offsetof(").append(struct).append(", ").append(field).append("));\n");
                wanted.add("" + layout.byteOffset(PathElement.groupElement(field)));
            }
        }
        Files.writeString(at("layout.c"), c + "return 0;}");
        equal(said("cc", "-I", System.getProperty("lb.include"), at("layout.c").toString(), "-o", at("layout").toString()), "");
        equal(said(at("layout").toString()), String.join("\n", wanted));
    }

    static void roundTrip() throws Exception {
        try (Connection host = host("WAL")) {
            Result result = LbBackup.backup(source(), at("copy.db.zst"));
            equal(result.sha256(), said("sha256sum", at("copy.db.zst").toString()).substring(0, 64));
            equal(result.imageBytes(), result.pages() * result.pageSize());
            ArchiveInfo info = LbBackup.inspect(at("copy.db.zst"));
            check(info.kind() == 2 && info.pages() == result.pages(), info);
            LbBackup.verify(at("copy.db.zst"), new VerifyOptions().verify(JobOptions.Verify.FULL));
            LbBackup.restore(at("copy.db.zst"), at("restored.db"), new RestoreOptions());
            rows(at("restored.db"), ROWS);
            exec(host, "DELETE FROM t");
            LbBackup.restore(at("copy.db.zst"), source(), new RestoreOptions().replace().keepPrevious(at("previous.db")));
            rows(source(), ROWS);
            rows(at("previous.db"), 0);
            result = LbBackup.backup(source(), at("second.db.zst"),
                    new BackupOptions().reuse(at("copy.db.zst")).level(1).withoutDigest().busyTimeout(Duration.ZERO));
            check(result.sha256() == null && LbBackup.inspect(at("second.db.zst")).hasParent(), result);
            check(LbBackup.version().contains("sqlite"), LbBackup.version());
        }
    }

    static void progress() throws Exception {
        try (Connection host = host("WAL")) {
            var calls = new ArrayList<Progress>();
            var copying = new CountDownLatch(1);
            Job job = LbBackup.startBackup(source(), at("copy.db"), slow().onProgress(p -> {
                calls.add(p);
                if (p.bytesTotal() > 0) {
                    copying.countDown();
                }
            }));
            copying.await();
            Progress seen = job.progress();
            check(seen.state() == Progress.State.RUNNING && seen.percent() < 100, seen);
            job.setRate(0);
            job.await();
            for (Progress p : List.of(job.progress(), calls.getLast())) {
                check(p.state() == Progress.State.SUCCEEDED && p.percent() == 100 && p.bytesDone() == p.bytesTotal(), p);
            }
            for (int i = 1; i < calls.size(); i++) {
                check(calls.get(i).percent() >= calls.get(i - 1).percent(), calls);
            }
        }
    }

    static void cancel() throws Exception {
        try (Connection host = host("WAL")) {
            Job job = held("cancelled.db");
            job.cancel();
            job.cancel();
            fails(Status.CANCELLED, job::await);
            Job future = held("cancelled.db");
            check(future.toCompletableFuture().cancel(true), "not cancelled");
            fails(Status.CANCELLED, future::await);
            try {
                future.toCompletableFuture().get();
                throw new AssertionError("a result");
            } catch (CancellationException e) {
                check(future.isDone(), e);
            }
            Thread self = Thread.currentThread();
            try {
                LbBackup.backup(source(), at("cancelled.db"), slow().onProgress(p -> {
                    if (p.bytesTotal() > 0) {
                        self.interrupt();
                    }
                }));
                throw new AssertionError("not interrupted");
            } catch (InterruptedException e) {
                check(!Files.exists(at("cancelled.db")), "left");
            } finally {
                Thread.interrupted();
            }
        }
    }

    static void statuses() throws Exception {
        try (Connection host = host("DELETE")) {
            Files.writeString(at("words"), "no database ".repeat(1000));
            LbBackup.backup(source(), at("whole.db.zst"));
            byte[] content = Files.readAllBytes(at("whole.db.zst"));
            content[content.length / 2] ^= 1;
            Files.write(at("damaged.db.zst"), content);
            fails(Status.INVALID_ARGUMENT, () -> LbBackup.backup(source(), at("x.db"), new BackupOptions().level(99)));
            fails(Status.NOT_FOUND, () -> LbBackup.backup(at("none.db"), at("x.db")));
            fails(Status.ALREADY_EXISTS, () -> LbBackup.backup(source(), at("whole.db.zst")));
            fails(Status.NOT_A_DATABASE, () -> LbBackup.backup(at("words"), at("x.db")));
            fails(Status.NOT_A_DATABASE, () -> LbBackup.inspect(at("words")));
            fails(Status.CORRUPT, () -> LbBackup.verify(at("damaged.db.zst"), new VerifyOptions()));
            exec(host, "BEGIN EXCLUSIVE");
            fails(Status.BUSY, () -> LbBackup.backup(source(), at("x.db"), new BackupOptions().busyTimeout(Duration.ZERO)));
            exec(host, "COMMIT");
            String header = Files.readString(Path.of(System.getProperty("lb.include"), "lb_backup.h"));
            for (Status status : Status.values()) {
                check(status == Status.UNKNOWN || header.contains("LB_STATUS_" + status + " = " + status.ordinal()), status);
            }
        }
    }

    static void staleHandle() throws Exception {
        try (Connection host = host("WAL")) {
            Job job = held("copy.db");
            job.close();
            job.close();
            job.cancel();
            fails(Status.INVALID_HANDLE, job::progress);
            fails(Status.INVALID_HANDLE, () -> job.setRate(1));
            fails(Status.CANCELLED, job::await);
        }
    }

    static void callbackThatThrows() throws Exception {
        try (Connection host = host("WAL")) {
            var thrown = new Error("thrown");
            var calls = new AtomicInteger();
            Job job = LbBackup.startBackup(source(), at("copy.db"), new BackupOptions().onProgress(p -> {
                calls.incrementAndGet();
                throw thrown;
            }));
            try {
                job.await();
                throw new AssertionError("not given back");
            } catch (ListenerException e) {
                check(e.getCause() == thrown && e.result().imageBytes() > 0, e);
            }
            equal(calls.get(), 1);
            rows(at("copy.db"), ROWS);
            var inCallback = new ArrayList<Status>();
            LbBackup.backup(source(), at("another.db"), new BackupOptions().onProgress(p -> {
                if (p.state() == Progress.State.SUCCEEDED) {
                    try (Job other = LbBackup.startBackup(source(), at("waited.db"), slow())) {
                        other.await();
                    } catch (LbException e) {
                        inCallback.add(e.status());
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    inCallback.add(LbBackup.shutdown(-1));
                }
            }));
            equal(inCallback, List.of(Status.WOULD_DEADLOCK, Status.WOULD_DEADLOCK));
        }
    }

    static void fiftyJobs() throws Exception {
        try (Connection host = host("WAL"); var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            var outcomes = new ArrayList<Future<Result>>();
            for (int i = 0; i < 50; i++) {
                Path dest = at("copy" + i + ".db");
                outcomes.add(executor.submit(() -> LbBackup.backup(source(), dest)));
            }
            for (var outcome : outcomes) {
                equal(outcome.get().sha256(), outcomes.getFirst().get().sha256());
            }
        }
    }

    static void forgottenJob() throws Exception {
        try (Connection host = host("WAL")) {
            var forgotten = new ArrayList<WeakReference<Job>>();
            for (int i = 0; i < 10; i++) {
                forgotten.add(new WeakReference<>(LbBackup.startBackup(source(), at("copy" + i + ".db"), new BackupOptions())));
            }
            while (forgotten.stream().anyMatch(job -> job.get() != null)) {
                System.gc();
            }
            for (int i = 0; i < 10; i++) {
                rows(at("copy" + i + ".db"), ROWS);
            }
            equal(LbBackup.openJobs(), 0L);
        }
    }

    static String transaction(String journal) throws Exception {
        try (Connection host = host(journal)) {
            exec(host, "BEGIN IMMEDIATE");
            exec(host, "INSERT INTO t(payload) VALUES('host')");
            check(refused(), "the host has no lock before any backup");
            try (Job job = held("cancelled.db")) {
                if (!refused()) {
                    return "an outsider wrote in mid-backup";
                }
            }
            LbBackup.backup(source(), at("copy.db"));
            if (!refused()) {
                return "an outsider wrote after the backup";
            }
            exec(host, "COMMIT");
        }
        rows(source(), ROWS + 1);
        rows(at("copy.db"), ROWS);
        return "";
    }

    static void holdATransaction(String journal) throws Exception {
        if (!transaction(journal).isEmpty()) {
            Runtime.getRuntime().halt(STRUCK);
        }
    }

    static void openTransaction() throws Exception {
        Path whole = directory;
        for (String journal : List.of("DELETE", "WAL")) {
            directory = Files.createDirectory(whole.resolve(journal));
            equal(transaction(journal), "");
        }
        directory = whole;
    }

    static void commitAndBeKilled() throws Exception {
        Connection host = host("WAL");
        LbBackup.backup(source(), at("copy.db"));
        outside(source(), "SELECT count(*) FROM t"); // a visitor who took himself for the last user would unlink the -wal
        for (int i = 0; i < LATE; i++) {
            exec(host, "INSERT INTO t(payload) VALUES('late')");
        }
        said("kill", "-9", "" + ProcessHandle.current().pid());
    }

    static void crash() throws Exception {
        equal(child("killed", System.getenv("LB_BACKUP_LIBRARY"), ""), 137);
        rows(source(), ROWS + LATE);
        rows(at("copy.db"), ROWS);
    }

    static void exitWithAJob() throws Exception {
        Connection host = host("WAL");
        held("copy.db");
        System.exit(7);
    }

    static void exit() throws Exception {
        equal(child("exits", System.getenv("LB_BACKUP_LIBRARY"), ""), 7);
        try (var files = Files.list(directory)) {
            check(files.allMatch(file -> file.getFileName().toString().startsWith("game.db")), "left");
        }
        rows(source(), ROWS);
    }

    static void noIsolation() throws Exception {
        Path whole = directory;
        for (String journal : List.of("DELETE", "WAL")) {
            for (String switches : List.of("", "no-isolation")) {
                directory = Files.createDirectory(whole.resolve(journal + switches));
                equal(child(journal, System.getenv("LB_BACKUP_HOOKS_LIBRARY"), switches), switches.isEmpty() ? 0 : STRUCK);
            }
        }
        directory = whole;
    }
}
