package lb.backup;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.ref.WeakReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** Everything beside Java's own SQLite (sqlite-jdbc). A child process leads the life that its arguments name. */
final class ClientTest {
    static final int ROWS = 400, LATE = 100, STRUCK = 10;
    static Path directory;
    static int passed;
    static boolean failed;

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
        test("numbers match the header, all of them", ClientTest::numbers);
        test("what only a newer library knows is UNKNOWN", ClientTest::newerLibrary);
        test("round trip", ClientTest::roundTrip);
        test("progress", ClientTest::progress);
        test("cancel", ClientTest::cancel);
        test("each status is an error of its own", ClientTest::statuses);
        test("stale handle", ClientTest::staleHandle);
        test("callback that throws", ClientTest::callbackThatThrows);
        test("fifty jobs at once", ClientTest::fiftyJobs);
        test("virtual threads wait without a carrier", ClientTest::virtualThreads);
        test("forgotten job is collected", ClientTest::forgottenJob);
        test("open transaction then an outsider is refused", ClientTest::openTransaction);
        test("commit after backup then crash keeps all rows", ClientTest::crash);
        test("exit with a job running", ClientTest::exit);
        if (System.getenv("LB_BACKUP_HOOKS_LIBRARY") != null) {
            test("without isolation the outsider gets in, and rows are lost", ClientTest::noIsolation);
        }
        test("settings and log", ClientTest::settings);
        System.out.println(passed + " passed");
        System.exit(failed ? 1 : 0);
    }

    static void test(String name, Test test) throws Exception {
        directory = Files.createTempDirectory("lb-java");
        long begun = System.nanoTime();
        try {
            test.run();
            passed++;
            System.out.printf("ok %s (%d ms)%n", name, (System.nanoTime() - begun) / 1_000_000);
        } catch (Exception | AssertionError e) {
            failed = true;
            System.out.println("FAILED " + name);
            e.printStackTrace(System.out);
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

    static String sha256(Path file) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    }

    static Process child(String life, String library, String switches) throws Exception {
        var command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElseThrow()));
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=/dev/null", "-cp",
                System.getProperty("java.class.path"), "lb.backup.ClientTest", life, directory.toString()));
        var builder = new ProcessBuilder(command);
        builder.environment().put("LB_BACKUP_LIBRARY", library);
        builder.environment().put("LB_BACKUP_TEST_HOOKS", switches);
        return builder.inheritIO().start();
    }

    static BackupOptions slow() {
        return new BackupOptions().rate(1).chunkSize(65536).progressEvery(Duration.ofMillis(1));
    }

    /** A backup that its throttle holds in mid-copy. */
    static Job held(String dest) throws Exception {
        return held(dest, p -> { });
    }

    static Job held(String dest, Consumer<Progress> listener) throws Exception {
        var seen = new CountDownLatch(1);
        Job job = LbBackup.startBackup(source(), at(dest), slow().onProgress(p -> {
            if (p.bytesTotal() > 0 || p.phase() == Progress.Phase.DONE) {
                seen.countDown();
            }
            listener.accept(p);
        }));
        seen.await();
        return job;
    }

    static void structures() throws Exception {
        var c = new StringBuilder("#include <lb_backup.h>\n#include <stdio.h>\nint main(void){\n");
        var wanted = new ArrayList<String>();
        for (Struct struct : Native.STRUCTS) {
            c.append("printf(\"%zu\\n\", sizeof(").append(struct.name).append("));\n");
            wanted.add("" + struct.size);
            struct.offsets().forEach((field, offset) -> {
                c.append("printf(\"").append(field).append(" %zu\\n\", offsetof(").append(struct.name).append(", ")
                        .append(field).append("));\n");
                wanted.add(field + " " + offset);
            });
        }
        Files.writeString(at("layout.c"), c + "return 0;}");
        equal(said("cc", "-I", System.getProperty("lb.include"), at("layout.c").toString(), "-o", at("layout").toString()), "");
        equal(said(at("layout").toString()), String.join("\n", wanted));
    }

    static void numbers() throws Exception {
        var ours = new TreeMap<String, Integer>();
        for (var one : Map.of("STATUS", Status.values(), "JOB_STATE", Progress.State.values(), "PHASE", Progress.Phase.values(),
                "FORMAT", Format.values(), "CHECK", Result.Check.values(), "KIND", ArchiveInfo.Kind.values(),
                "VERIFY", Verification.values(), "LOG", Config.Level.values()).entrySet()) {
            for (Enum<?> value : one.getValue()) {
                if (!value.name().equals("UNKNOWN") && value != ArchiveInfo.Kind.NONE) {
                    ours.put(one.getKey() + "_" + value, value.ordinal());
                }
            }
        }
        // These are booleans here.
        ours.putAll(Map.of("EXISTING_REFUSE", 0, "EXISTING_REPLACE", 1, "DIGEST_SHA256", 0, "DIGEST_NONE", 1,
                "PRIORITY_BACKGROUND", 0, "PRIORITY_NORMAL", 1, "CONFIG_SOURCE_NOT_OPEN_IN_PROCESS", 1));
        var theirs = new TreeMap<String, Integer>();
        String header = Files.readString(Path.of(System.getProperty("lb.include"), "lb_backup.h"));
        Pattern.compile("^(?:#define | +)LB_([A-Z]+_\\w+)(?: =)? (\\d+),?$", Pattern.MULTILINE).matcher(header).results()
                .forEach(found -> theirs.put(found.group(1), Integer.valueOf(found.group(2))));
        theirs.keySet().removeAll(Set.of("ABI_VERSION", "MESSAGE_SIZE"));
        equal(ours, theirs);
    }

    static void newerLibrary() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment newer = Native.PROGRESS.allocate(arena);
            Native.PROGRESS.set(newer, "state", 77);
            Native.PROGRESS.set(newer, "phase", -1);
            Native.PROGRESS.set(newer, "eta_ns", -1L);
            Progress progress = Progress.of(newer);
            check(progress.state() == Progress.State.UNKNOWN && progress.phase() == Progress.Phase.UNKNOWN
                    && progress.eta() == null, progress);
            MemorySegment result = Native.RESULT.allocate(arena);
            for (String field : List.of("status", "format", "failed_check")) {
                Native.RESULT.set(result, field, 77);
            }
            Result unknown = Result.of(result);
            check(unknown.status() == Status.UNKNOWN && unknown.format() == Format.UNKNOWN
                    && unknown.failedCheck() == Result.Check.UNKNOWN, unknown);
            // An older library's structure ends earlier: what follows it is not ours.
            equal(Result.of(Native.RESULT.allocate(arena)).failedChunk(), -1L);
            Native.PROGRESS.set(newer, "struct_size", 16);
            Native.PROGRESS.set(newer, "bytes_done", 5L);
            equal(Progress.of(Native.PROGRESS.shown(newer, arena)).bytesDone(), 0L);
        }
    }

    static void roundTrip() throws Exception {
        try (Connection host = host("WAL")) {
            Result result = LbBackup.backup(source(), at("copy.db.zst"));
            equal(result.sha256(), said("sha256sum", at("copy.db.zst").toString()).substring(0, 64));
            equal(result.imageBytes(), result.pages() * result.pageSize());
            ArchiveInfo info = LbBackup.inspect(at("copy.db.zst"));
            check(info.kind() == ArchiveInfo.Kind.ARCHIVE && info.pages() == result.pages(), info);
            equal(result.format(), Format.ZSTD);
            LbBackup.verify(at("copy.db.zst"), new VerifyOptions().verify(Verification.FULL));
            LbBackup.restore(at("copy.db.zst"), at("restored.db"));
            rows(at("restored.db"), ROWS);
            exec(host, "DELETE FROM t");
            LbBackup.restore(at("copy.db.zst"), source(), new RestoreOptions().replace().keepPrevious(at("previous.db")));
            rows(source(), ROWS);
            rows(at("previous.db"), 0);
            result = LbBackup.backup(source(), at("second.db.zst"),
                    new BackupOptions().reuse(at("copy.db.zst")).level(1).withoutDigest().busyTimeout(Duration.ZERO));
            check(result.sha256() == null, result);
            equal(LbBackup.inspect(at("second.db.zst")).parentId(), info.archiveId());
            check(LbBackup.version().contains("sqlite"), LbBackup.version());
        }
    }

    static void progress() throws Exception {
        try (Connection host = host("WAL")) {
            var calls = new ArrayList<Progress>();
            Job job = held("copy.db", calls::add);
            equal(LbBackup.jobs().getFirst().destName(), "copy.db");
            Progress seen = job.progress();
            check(seen.state() == Progress.State.RUNNING && seen.percent() < 100, seen);
            job.setRate(0);
            job.await();
            for (Progress p : List.of(job.progress(), calls.getLast())) {
                check(p.state() == Progress.State.SUCCEEDED && p.phase() == Progress.Phase.DONE && p.percent() == 100
                        && p.bytesDone() == p.bytesTotal() && p.eta().isZero(), p);
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
            Job timed = held("cancelled.db");
            timed.toCompletableFuture().completeExceptionally(new TimeoutException()); // as orTimeout would
            fails(Status.CANCELLED, timed::await);
            try (Job failed = held("cancelled.db")) {
                CompletableFuture<Result> outcome = failed.toCompletableFuture();
                failed.cancel();
                outcome.get();
            } catch (ExecutionException e) {
                equal(((LbException) e.getCause()).status(), Status.CANCELLED);
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
            // An interrupt of await ends only the waiting.
            Job kept = held("kept.db");
            self.interrupt();
            try {
                kept.await();
                throw new AssertionError("not interrupted");
            } catch (InterruptedException e) {
                kept.setRate(0);
            }
            kept.await();
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
            fails(Status.BUSY, () -> LbBackup.configure(new Config()));
            fails(Status.NOT_FOUND, () -> LbBackup.backup(at("none.db"), at("x.db")));
            fails(Status.ALREADY_EXISTS, () -> LbBackup.backup(source(), at("whole.db.zst")));
            fails(Status.NOT_A_DATABASE, () -> LbBackup.backup(at("words"), at("x.db")));
            fails(Status.NOT_A_DATABASE, () -> LbBackup.inspect(at("words")));
            fails(Status.CORRUPT, () -> {
                try {
                    LbBackup.verify(at("damaged.db.zst"));
                } catch (LbException e) {
                    check(e.result().failedCheck() == Result.Check.FRAME && e.result().failedChunk() >= 0, e.result());
                    throw e;
                }
            });
            exec(host, "BEGIN EXCLUSIVE");
            fails(Status.BUSY, () -> LbBackup.backup(source(), at("x.db"), new BackupOptions().busyTimeout(Duration.ZERO)));
            exec(host, "COMMIT");
            for (Status status : Status.values()) {
                equal(Native.statusMessage(status.ordinal()).equals("unknown status"), status == Status.UNKNOWN);
            }
        }
    }

    static void staleHandle() throws Exception {
        try (Connection host = host("WAL")) {
            Job job = held("copy.db");
            job.close();
            job.close();
            job.cancel();
            check(job.isDone(), "a job goes on");
            fails(Status.INVALID_HANDLE, job::progress);
            fails(Status.INVALID_HANDLE, () -> job.setRate(1));
            fails(Status.CANCELLED, job::await);
        }
    }

    static int length(String text) {
        return text.length();
    }

    static int endless(int depth) {
        return endless(depth + 1) + 1;
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
            // The virtual machine throws these two by signals: the library's thread has to take them.
            Job deep = LbBackup.startBackup(source(), at("deep.db"), new BackupOptions().onProgress(p -> {
                int nulls = 0;
                for (int i = 0; i < 20_000; i++) {
                    try {
                        length(null);
                    } catch (NullPointerException e) {
                        nulls++;
                    }
                }
                equal(nulls, 20_000);
                System.gc();
                endless(1);
            }));
            try {
                deep.await();
                throw new AssertionError("not given back");
            } catch (ListenerException e) {
                check(e.getCause() instanceof StackOverflowError, e);
            }
            var running = new CountDownLatch(1);
            Job failing = LbBackup.startBackup(source(), at("x.db"), slow().onProgress(p -> {
                running.countDown();
                throw thrown;
            }));
            running.await();
            failing.cancel();
            try {
                failing.await();
                throw new AssertionError("not cancelled");
            } catch (LbException e) {
                check(e.status() == Status.CANCELLED && e.getSuppressed()[0] == thrown, e);
            }
            var inCallback = new ArrayList<Status>();
            var messages = new ArrayList<String>();
            LbBackup.backup(source(), at("another.db"), new BackupOptions().onProgress(p -> {
                if (p.state() == Progress.State.SUCCEEDED) {
                    try (Job other = LbBackup.startBackup(source(), at("waited.db"), slow())) {
                        other.await();
                    } catch (LbException e) {
                        inCallback.add(e.status());
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                    for (Test waits : List.<Test>of(() -> LbBackup.backup(source(), at("inner.db")),
                            () -> LbBackup.shutdown(Duration.ofDays(50)))) {
                        try {
                            waits.run();
                        } catch (LbException e) {
                            inCallback.add(e.status());
                            messages.add(e.getMessage());
                        } catch (Exception e) {
                            throw new AssertionError(e);
                        }
                    }
                }
            }));
            equal(inCallback, List.of(Status.WOULD_DEADLOCK, Status.WOULD_DEADLOCK, Status.WOULD_DEADLOCK));
            String prefix = "the library cannot be shut down: ";
            check(messages.get(1).startsWith(prefix) && messages.get(1).length() > prefix.length(), messages);
            check(!messages.get(1).contains("unknown"), messages);
            check(!Files.exists(at("inner.db")), "a backup that cannot be waited for was started");
        }
    }

    static void fiftyJobs() throws Exception {
        try (Connection host = host("WAL"); var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            var outcomes = new ArrayList<Future<Result>>();
            for (int i = 0; i < 50; i++) {
                Path dest = at("copy" + i + ".db");
                outcomes.add(executor.submit(() -> LbBackup.backup(source(), dest)));
            }
            for (int i = 0; i < 50; i++) {
                equal(outcomes.get(i).get().sha256(), outcomes.getFirst().get().sha256());
                equal(sha256(at("copy" + i + ".db")), outcomes.get(i).get().sha256());
            }
            rows(at("copy0.db"), ROWS);
        }
    }

    /** test.sh allows one carrier: a thread that kept it while it waits would keep the other from ending the wait. */
    static void virtualThreads() throws Exception {
        try (Connection host = host("WAL"); var executor = Executors.newVirtualThreadPerTaskExecutor()) {
            Job job = held("copy.db");
            Future<Result> waiting = executor.submit(job::await);
            executor.submit(() -> {
                job.setRate(0);
                return null;
            }).get();
            equal(waiting.get().status(), Status.OK);
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
            equal(LbBackup.jobs(), List.of());
        }
    }

    static String transaction(String journal) throws Exception {
        try (Connection host = host(journal)) {
            exec(host, "BEGIN IMMEDIATE");
            exec(host, "INSERT INTO t(payload) VALUES('host')");
            check(refused(), "the host has no lock before any backup");
            try (Job job = held("cancelled.db.zst")) {
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
        equal(child("killed", System.getenv("LB_BACKUP_LIBRARY"), "").waitFor(), 137);
        rows(source(), ROWS + LATE);
        rows(at("copy.db"), ROWS);
    }

    static void exitWithAJob() throws Exception {
        Connection host = host("WAL");
        held("copy.db");
        System.exit(7);
    }

    static void exit() throws Exception {
        equal(child("exits", System.getenv("LB_BACKUP_LIBRARY"), "").waitFor(), 7);
        try (var files = Files.list(directory)) {
            check(files.allMatch(file -> file.getFileName().toString().startsWith("game.db")), "left");
        }
        rows(source(), ROWS);
    }

    static void settings() throws Exception {
        try (Connection host = host("WAL")) {
            check(LbBackup.shutdown(Duration.ofDays(50)), "jobs go on");
            var lines = new ConcurrentLinkedQueue<String>();
            LbBackup.configure(new Config().workers(1).maxConcurrentJobs(1).queueLength(1).normalPriority()
                    .onLog((level, line) -> {
                        lines.add(level + line);
                        throw new IllegalStateException("thrown by the log: this is part of the test");
                    }));
            Files.writeString(at("old.db.zst"), "no archive");
            LbBackup.backup(source(), at("new.db.zst"), new BackupOptions().reuse(at("old.db.zst")));
            Job running = held("running.db");
            Job waiting = LbBackup.startBackup(source(), at("waiting.db"), new BackupOptions());
            fails(Status.QUEUE_FULL, () -> LbBackup.startBackup(source(), at("refused.db"), new BackupOptions()));
            check(LbBackup.shutdown(Duration.ofDays(50)), "jobs go on"); // by now every line has been told
            fails(Status.CANCELLED, running::await);
            fails(Status.CANCELLED, waiting::await);
            check(lines.stream().anyMatch(line -> line.startsWith("WARNING") && line.contains("old.db.zst")), lines);
            LbBackup.configure(new Config());
            LbBackup.backup(source(), at("afresh.db"));
        }
    }

    static void noIsolation() throws Exception {
        Path whole = directory;
        var children = new LinkedHashMap<Process, Integer>();
        for (String journal : List.of("DELETE", "WAL")) {
            for (String switches : List.of("", "no-isolation")) {
                directory = Files.createDirectory(whole.resolve(journal + switches));
                children.put(child(journal, System.getenv("LB_BACKUP_HOOKS_LIBRARY"), switches), switches.isEmpty() ? 0 : STRUCK);
            }
        }
        var crashes = new LinkedHashMap<String, Process>();
        for (String switches : List.of("", "no-isolation")) {
            directory = Files.createDirectory(whole.resolve("crash" + switches));
            crashes.put(switches, child("killed", System.getenv("LB_BACKUP_HOOKS_LIBRARY"), switches));
        }
        directory = whole;
        for (var child : children.entrySet()) {
            equal(child.getKey().waitFor(), child.getValue());
        }
        for (var crash : crashes.entrySet()) {
            // Without its locks the host may also find its shared memory cut short by the visitor, and end of that.
            check(crash.getValue().waitFor() != 0, "not killed");
            String rows = outside(at("crash" + crash.getKey()).resolve("game.db"), "SELECT count(*) FROM t");
            check(rows.equals("" + (ROWS + LATE)) == crash.getKey().isEmpty(), rows + " rows with " + crash);
        }
    }
}
