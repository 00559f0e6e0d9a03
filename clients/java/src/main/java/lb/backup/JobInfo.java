package lb.backup;

import java.lang.foreign.MemorySegment;

/**
 * One unfinished job of this process, or one that another user of the library in it has not ended.
 *
 * @param state where in its life the job is
 * @param bytesDone as in {@link Progress}
 * @param bytesTotal as in {@link Progress}
 * @param percent as in {@link Progress}
 * @param destName the file name of the destination, without its directory
 */
public record JobInfo(Progress.State state, long bytesDone, long bytesTotal, double percent, String destName) {
    static JobInfo of(MemorySegment from) {
        Struct struct = Native.JOB_INFO;
        return new JobInfo(struct.getEnum(from, "state", Progress.State.ALL), struct.getLong(from, "bytes_done"),
                struct.getLong(from, "bytes_total"), struct.getDouble(from, "percent"), struct.getString(from, "dest_name"));
    }
}
