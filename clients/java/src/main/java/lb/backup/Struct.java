package lb.backup;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A structure of lb_backup.h: what its fields are called and where they are. Not a {@code StructLayout} with its
 * {@code VarHandle}s, which take tens of milliseconds to make.
 */
final class Struct {
    final String name;
    final long size;
    private final Map<String, Long> offsets = new LinkedHashMap<>();

    /**
     * @param fields each "kind name", separated by ", ", in the header's order; a kind is i, l (32 and 64 bits, signed or
     *     not), d (double), p (pointer), or a number of bytes
     */
    Struct(String name, String fields) {
        this.name = name;
        long end = 0;
        for (String field : fields.split(", ")) {
            int space = field.indexOf(' ');
            long bytes = switch (field.charAt(0)) {
                case 'i' -> 4;
                case 'l', 'd', 'p' -> 8;
                default -> Long.parseLong(field.substring(0, space));
            };
            offsets.put(field.substring(space + 1), end);
            end += bytes;
        }
        size = end;
    }

    Map<String, Long> offsets() {
        return offsets;
    }

    MemorySegment allocate(Arena arena) {
        MemorySegment struct = arena.allocate(size, 8);
        struct.set(JAVA_INT, 0, (int) size);
        return struct;
    }

    /** What the library shows in a callback; of an older library's shorter structure the rest is zero. */
    MemorySegment shown(MemorySegment pointer, Arena arena) {
        long there = Integer.toUnsignedLong(pointer.reinterpret(4).get(JAVA_INT, 0));
        if (there >= size) {
            return pointer.reinterpret(size);
        }
        return arena.allocate(size, 8).copyFrom(pointer.reinterpret(there));
    }

    void set(MemorySegment struct, String field, int value) {
        struct.set(JAVA_INT, offsets.get(field), value);
    }

    void set(MemorySegment struct, String field, long value) {
        struct.set(JAVA_LONG, offsets.get(field), value);
    }

    void set(MemorySegment struct, String field, MemorySegment value) {
        struct.set(ADDRESS, offsets.get(field), value);
    }

    int getInt(MemorySegment struct, String field) {
        return struct.get(JAVA_INT, offsets.get(field));
    }

    long getLong(MemorySegment struct, String field) {
        return struct.get(JAVA_LONG, offsets.get(field));
    }

    double getDouble(MemorySegment struct, String field) {
        return struct.get(JAVA_DOUBLE, offsets.get(field));
    }

    Duration getNanos(MemorySegment struct, String field) {
        return Duration.ofNanos(getLong(struct, field));
    }

    Instant getUnixNanos(MemorySegment struct, String field) {
        return Instant.ofEpochSecond(0, getLong(struct, field));
    }

    String getString(MemorySegment struct, String field) {
        return struct.getString(offsets.get(field), StandardCharsets.UTF_8);
    }

    String getHex(MemorySegment struct, String field, int bytes) {
        return HexFormat.of().formatHex(struct.asSlice(offsets.get(field), bytes).toArray(JAVA_BYTE));
    }

    /** The last of an enum's values is UNKNOWN: a number that only a newer library has. */
    <E extends Enum<E>> E getEnum(MemorySegment struct, String field, E[] values) {
        int value = getInt(struct, field);
        return values[value >= 0 && value < values.length ? value : values.length - 1];
    }
}
