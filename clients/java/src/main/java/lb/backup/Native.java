package lb.backup;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** The C interface: structures, functions, and the two callbacks that all jobs share. */
final class Native {
    static final StructLayout PROGRESS = struct("lb_progress", "i struct_size, i state, i phase, i retries, l bytes_done, "
            + "l bytes_total, l bytes_written, l bytes_reused, l elapsed_ns, l eta_ns, d percent");
    static final StructLayout RESULT = struct("lb_result", "i struct_size, i status, i sqlite_code, i sys_errno, 1024 message, "
            + "i format, i page_size, l pages, l image_bytes, l archive_bytes, l bytes_reused, i has_sha256, i retries, "
            + "32 sha256, l start_unix_ns, l end_unix_ns, l waiting_ns, l reading_ns, l compressing_ns, l writing_ns, "
            + "l syncing_ns, l verifying_ns, l source_lock_ns, l wal_growth_bytes, i failed_check, i reserved, "
            + "l failed_chunk, l failed_page");
    static final StructLayout ERROR = struct("lb_error", "i struct_size, i status, i sqlite_code, i sys_errno, 1024 message");
    static final StructLayout BACKUP = struct("lb_backup_options", "i struct_size, i format, i compression_level, i existing, "
            + "i verify, i digest, l chunk_size, l max_bytes_per_second, i busy_timeout_ms, i progress_interval_ms, "
            + "l wal_limit_bytes, p user_data, p on_progress, p on_complete, p reuse_path");
    static final StructLayout RESTORE = struct("lb_restore_options", "i struct_size, i existing, i verify, i busy_timeout_ms, "
            + "l max_bytes_per_second, i progress_interval_ms, i reserved, p keep_previous, p user_data, p on_progress, "
            + "p on_complete");
    static final StructLayout VERIFY = struct("lb_verify_options", "i struct_size, i verify, l max_bytes_per_second, "
            + "i progress_interval_ms, i reserved, p user_data, p on_progress, p on_complete");
    static final StructLayout INFO = struct("lb_archive_info", "i struct_size, i kind, i format_version, i page_size, l pages, "
            + "l image_bytes, l archive_bytes, l chunk_size, l chunks, l created_unix_ns, i application_id, i user_version, "
            + "i compression_level, i has_parent, 16 archive_id, 16 parent_id, 32 library_version, 32 sqlite_version, "
            + "32 zstd_version");
    static final List<StructLayout> ALL = List.of(PROGRESS, RESULT, ERROR, BACKUP, RESTORE, VERIFY, INFO);

    private static final Linker LINKER = Linker.nativeLinker();
    private static final SymbolLookup LIBRARY = SymbolLookup.libraryLookup(name(), Arena.global());
    static final MethodHandle BACKUP_START = function("lb_backup_start", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    static final MethodHandle RESTORE_START = function("lb_restore_start", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    static final MethodHandle VERIFY_START = function("lb_verify_start", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    static final MethodHandle INSPECT = function("lb_backup_inspect", JAVA_INT, ADDRESS, ADDRESS, ADDRESS);
    static final MethodHandle PROGRESS_OF = function("lb_backup_progress", JAVA_INT, ADDRESS, ADDRESS);
    static final MethodHandle CANCEL = function("lb_backup_cancel", JAVA_INT, ADDRESS);
    static final MethodHandle RELEASE = function("lb_backup_release", JAVA_INT, ADDRESS);
    static final MethodHandle SET_RATE = function("lb_backup_set_rate", JAVA_INT, ADDRESS, JAVA_LONG);
    static final MethodHandle JOBS = function("lb_backup_jobs", JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS);
    static final MethodHandle SHUTDOWN = function("lb_shutdown", JAVA_INT, JAVA_INT);
    static final MethodHandle VERSION = function("lb_version", ADDRESS);
    static final MemorySegment ON_PROGRESS = callback("onProgress");
    static final MemorySegment ON_COMPLETE = callback("onComplete");

    private Native() {
    }

    private static String name() {
        String variable = System.getenv("LB_BACKUP_LIBRARY");
        return System.getProperty("lb.backup.library", variable == null ? "liblb_backup.so.0" : variable);
    }

    private static StructLayout struct(String name, String fields) {
        List<MemoryLayout> layouts = new ArrayList<>();
        for (String field : fields.split(", ")) {
            String[] words = field.split(" ");
            layouts.add((switch (words[0]) {
                case "i" -> JAVA_INT;
                case "l" -> JAVA_LONG;
                case "d" -> JAVA_DOUBLE;
                case "p" -> ADDRESS;
                default -> MemoryLayout.sequenceLayout(Long.parseLong(words[0]), JAVA_BYTE);
            }).withName(words[1]));
        }
        return MemoryLayout.structLayout(layouts.toArray(MemoryLayout[]::new)).withName(name);
    }

    private static MethodHandle function(String name, ValueLayout returns, MemoryLayout... takes) {
        return LINKER.downcallHandle(LIBRARY.find(name).orElseThrow(), FunctionDescriptor.of(returns, takes));
    }

    private static MemorySegment callback(String method) {
        try {
            MethodHandle handle = MethodHandles.lookup().findStatic(Job.class, method,
                    MethodType.methodType(void.class, MemorySegment.class, MemorySegment.class, MemorySegment.class));
            return LINKER.upcallStub(handle, FunctionDescriptor.ofVoid(ADDRESS, ADDRESS, ADDRESS), Arena.global());
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    /** Calls a function that returns a status. */
    static Status call(MethodHandle function, Object... arguments) {
        try {
            return Status.of((int) function.invokeWithArguments(arguments));
        } catch (Throwable e) { // no function of the library throws: the arguments are wrong
            throw new AssertionError(e);
        }
    }

    static MemorySegment allocate(Arena arena, StructLayout layout) {
        MemorySegment struct = arena.allocate(layout);
        struct.set(JAVA_INT, 0, (int) layout.byteSize());
        return struct;
    }

    private static long offset(StructLayout layout, String field) {
        return layout.byteOffset(PathElement.groupElement(field));
    }

    static int i(StructLayout layout, MemorySegment struct, String field) {
        return struct.get(JAVA_INT, offset(layout, field));
    }

    static long l(StructLayout layout, MemorySegment struct, String field) {
        return struct.get(JAVA_LONG, offset(layout, field));
    }

    static void set(StructLayout layout, MemorySegment struct, String field, int value) {
        struct.set(JAVA_INT, offset(layout, field), value);
    }

    static void set(StructLayout layout, MemorySegment struct, String field, long value) {
        struct.set(JAVA_LONG, offset(layout, field), value);
    }

    static void set(StructLayout layout, MemorySegment struct, String field, MemorySegment value) {
        struct.set(ADDRESS, offset(layout, field), value);
    }

    static String message(StructLayout layout, MemorySegment struct) {
        return struct.getString(offset(layout, "message"));
    }

    static Progress progress(MemorySegment from) {
        return new Progress(Progress.State.values()[i(PROGRESS, from, "state")],
                Progress.Phase.values()[i(PROGRESS, from, "phase")], i(PROGRESS, from, "retries"),
                l(PROGRESS, from, "bytes_done"), l(PROGRESS, from, "bytes_total"), l(PROGRESS, from, "bytes_written"),
                l(PROGRESS, from, "bytes_reused"), l(PROGRESS, from, "elapsed_ns"), l(PROGRESS, from, "eta_ns"),
                from.get(JAVA_DOUBLE, offset(PROGRESS, "percent")));
    }

    static Result result(MemorySegment from) {
        String sha256 = i(RESULT, from, "has_sha256") == 0 ? null
                : HexFormat.of().formatHex(from.asSlice(offset(RESULT, "sha256"), 32).toArray(JAVA_BYTE));
        return new Result(Status.of(i(RESULT, from, "status")), i(RESULT, from, "format"), i(RESULT, from, "page_size"),
                l(RESULT, from, "pages"), l(RESULT, from, "image_bytes"), l(RESULT, from, "archive_bytes"),
                l(RESULT, from, "bytes_reused"), i(RESULT, from, "retries"), sha256, instant(l(RESULT, from, "start_unix_ns")),
                instant(l(RESULT, from, "end_unix_ns")), l(RESULT, from, "waiting_ns"), l(RESULT, from, "reading_ns"),
                l(RESULT, from, "compressing_ns"), l(RESULT, from, "writing_ns"), l(RESULT, from, "syncing_ns"),
                l(RESULT, from, "verifying_ns"), l(RESULT, from, "source_lock_ns"), l(RESULT, from, "wal_growth_bytes"),
                i(RESULT, from, "failed_check"), l(RESULT, from, "failed_chunk"), l(RESULT, from, "failed_page"));
    }

    static Instant instant(long unixNanos) {
        return Instant.ofEpochSecond(0, unixNanos);
    }
}
