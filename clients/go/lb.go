// Package lb takes verified backups of live SQLite databases, with the shared library lb_backup, without cgo.
//
//	result, err := lb.Backup(ctx, "game.db", "game.db.zst", lb.OnProgress(draw))
//
// The program's own SQLite, whichever it is, may have the database open and be writing. What lb_backup.h says under CAVEATS
// holds here as well: 64-bit Linux; restore only with Restore, never by copying over a database; no network file systems.
// Every failure is an *Error; compare with errors.Is(err, lb.ErrBusy), or with the errors of the standard library. Only where
// Job.Wait and Shutdown give up because their context has ended, they return its error as it is.
package lb

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"
)

// name says what a number means; a newer library may have more of them.
func name(number uint32, names ...string) string {
	if int64(number) >= int64(len(names)) || names[number] == "" {
		return fmt.Sprintf("unknown %d", number)
	}
	return names[number]
}

// A Format is what a backup file holds.
type Format uint32

const (
	FormatByName Format = 0 // .zst compresses, any other name is a plain image
	FormatImage  Format = 1 // a plain database file
	FormatZstd   Format = 2 // Zstandard; `zstd -d` gives the plain image
)

func (f Format) String() string {
	return name(uint32(f), "by name", "image", "zstd")
}

// A VerifyMode says how to verify.
type VerifyMode uint32

const (
	VerifyQuick VerifyMode = 0 // the hash of every piece
	VerifyFull  VerifyMode = 1 // quick, and SQLite's own integrity checks
	VerifyNone  VerifyMode = 2 // trust the file system
)

// A Kind is one of backup files.
type Kind uint32

const (
	KindImage   Kind = 1 // a plain database file
	KindArchive Kind = 2 // an archive of this library
	KindZstd    Kind = 3 // another tool's Zstandard file
	KindGzip    Kind = 4 // a gzip file
)

func (k Kind) String() string {
	return name(uint32(k), "", "image", "archive", "zstd", "gzip")
}

// A Check is what an archive can fail.
type Check uint32

const (
	CheckNone        Check = 0 // none failed
	CheckStructure   Check = 1 // header, manifest, seek table, length; or it is no backup at all
	CheckFrame       Check = 2 // the hash of a frame
	CheckContent     Check = 3 // the hash of what a frame decompresses to
	CheckIntegrity   Check = 4 // SQLite's integrity_check
	CheckForeignKeys Check = 5 // SQLite's foreign_key_check
)

func (c Check) String() string {
	return name(uint32(c), "none", "structure", "frame", "content", "integrity", "foreign keys")
}

// A State is where in its life a job is. From Succeeded on it has ended.
type State uint32

const (
	Queued    State = 0 // waits for its turn
	Running   State = 1 // at work
	Succeeded State = 2 // done, and proven
	Failed    State = 3 // the result says why
	Cancelled State = 4 // because that was asked for
)

func (s State) String() string {
	return name(uint32(s), "queued", "running", "succeeded", "failed", "cancelled")
}

// A Phase is what a running job is doing. A later one is greater.
type Phase uint32

const (
	PhaseWaiting     Phase = 0 // for its turn, or for a lock
	PhaseCopying     Phase = 1 // bytes of the source to a file
	PhaseCompressing Phase = 2 // chunks of the image to frames of the archive
	PhaseSyncing     Phase = 3 // waiting for the disk to confirm
	PhaseVerifying   Phase = 4 // reading back and comparing
	PhaseRestoring   Phase = 5 // the archive's content to its destination
	PhaseDone        Phase = 6 // the job has ended
)

func (p Phase) String() string {
	return name(uint32(p), "waiting", "copying", "compressing", "syncing", "verifying", "restoring", "done")
}

// A Priority says who goes first, the library's threads or the program's.
type Priority uint32

const (
	PriorityBackground Priority = 0 // the library's threads yield to everything else
	PriorityNormal     Priority = 1 // they run like the program's own
)

// A LogLevel is the weight of a line for the log.
type LogLevel uint32

const (
	LogWarning LogLevel = 1 // something the operator should look at; the job went on
	LogInfo    LogLevel = 2 // worth a line, nothing to do
)

// Progress is one look at a job.
type Progress struct {
	State        State
	Phase        Phase
	Retries      uint32        // transient errors that were waited out
	BytesDone    uint64        // bytes of the image that are done
	BytesTotal   uint64        // bytes of the image; 0 until they are known
	BytesWritten uint64        // bytes written to the file
	BytesReused  uint64        // bytes taken over from an earlier archive, or that the destination had already
	Elapsed      time.Duration // since the job was accepted; stands still once it has ended
	ETA          time.Duration // estimated time to the end; negative while there is no estimate
	Percent      float64       // of the whole job, 0 to 100; 100 only with success
}

// A Result is what became of a job. Of one that failed, it has what was known by then.
type Result struct {
	Format       Format // never FormatByName
	PageSize     uint32 // bytes of a database page; 0 for the archive of an empty database
	Pages        uint64 // pages of the image
	ImageBytes   uint64 // bytes of the image
	ArchiveBytes uint64 // bytes of the archive file
	BytesReused  uint64 // as in Progress
	Retries      uint32 // as in Progress
	SHA256       []byte // of the archive file, 32 bytes; nil if there is none

	Started, Finished time.Time     // by the wall clock
	Waiting           time.Duration // in the queue, in lock waits, in the throttle
	Reading           time.Duration // reading the source
	Compressing       time.Duration // processor time, all threads added up
	Writing           time.Duration // writing the archive
	Syncing           time.Duration // waiting for the disk, all threads added up
	Verifying         time.Duration // reading back and verifying, all threads added up
	SourceLock        time.Duration // writers of a rollback-journal source waited; 0 in WAL mode
	WALGrowthBytes    uint64        // growth of the source's -wal file meanwhile

	FailedCheck Check  // which check an archive failed
	FailedChunk int64  // index of the chunk that failed, from 0 on; -1 if none did
	FailedPage  uint64 // number of the database page that failed, from 1 on; 0 if none is known
}

// ArchiveInfo is what a backup file says about itself. What a kind does not tell is empty.
type ArchiveInfo struct {
	Kind             Kind
	FormatVersion    uint32 // of an archive of this library
	PageSize         uint32 // bytes of a database page
	Pages            uint64 // pages of the image
	ImageBytes       uint64 // bytes of the image
	ArchiveBytes     uint64 // bytes of the file
	ChunkSize        uint64 // bytes of every chunk but the last
	Chunks           uint64
	Created          time.Time // begin of the backup; of a plain file, last change
	ApplicationID    uint32    // PRAGMA application_id
	UserVersion      int32     // PRAGMA user_version
	CompressionLevel int       // Zstandard level
	ArchiveID        []byte    // random, 16 bytes: no other archive has it; nil if this is none
	ParentID         []byte    // ArchiveID of the one that was reused, or nil
	LibraryVersion   string    // of the library that wrote it
	SQLiteVersion    string    // of its SQLite
	ZstdVersion      string    // of its Zstandard
}

// JobInfo tells of one job of the process, whoever started it.
type JobInfo struct {
	State      State
	BytesDone  uint64
	BytesTotal uint64
	Percent    float64
	DestName   string // file name of the destination, without its directory
}

// Config has the settings of the whole library. Zero is the default, everywhere.
type Config struct {
	Workers           int // threads that compress, 1 to 64; by default one per processor
	MaxConcurrentJobs int // jobs that run at the same time, 1 to 64
	QueueLength       int // jobs that may wait, 1 to 65536; by default 4096
	Priority          Priority
	// SourceNotOpenInProcess goes on where the library cannot separate its file locks from the program's. Read CAVEATS in
	// lb_backup.h first.
	SourceNotOpenInProcess bool
	// OnLog gets lines for the program's log, under the rules of OnProgress; a panic in it is dropped with the line.
	OnLog func(level LogLevel, message string)
}

var logger atomic.Pointer[func(LogLevel, string)]

// logged is the lb_log_fn.
func logged(level uint32, message *byte, _ uintptr) {
	f := logger.Load()
	if f == nil {
		return
	}
	length := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(message), length)) != 0 {
		length++
	}
	defer func() { _ = recover() }()
	(*f)(LogLevel(level), string(unsafe.Slice(message, length)))
}

// Configure sets up the library before its first job, or after Shutdown; else it is ErrBusy.
func Configure(config Config) error {
	native, err := open("")
	if err != nil {
		return err
	}
	in := nativeConfig{priority: config.Priority, onLog: native.onLog}
	in.structSize = uint32(unsafe.Sizeof(in))
	for _, number := range []struct {
		name string
		from int
		to   *uint32
	}{
		{"Workers", config.Workers, &in.workers},
		{"MaxConcurrentJobs", config.MaxConcurrentJobs, &in.maxConcurrentJobs},
		{"QueueLength", config.QueueLength, &in.queueLength},
	} {
		*number.to = uint32(number.from)
		if int64(*number.to) != int64(number.from) {
			return &Error{Status: ErrInvalidArgument, Message: number.name + " is out of range"}
		}
	}
	if config.SourceNotOpenInProcess {
		in.flags = 1
	}
	out := nativeError{}
	out.structSize = uint32(unsafe.Sizeof(out))
	if status := native.configure(&in, &out); status != statusOK {
		return failure(status, &out)
	}
	if config.OnLog != nil {
		logger.Store(&config.OnLog)
	} else {
		logger.Store(nil)
	}
	return nil
}

// Shutdown cancels every job, waits for their callbacks, and ends every thread of the library. Jobs stay valid; a later
// start begins afresh. If ctx ends first the shutdown goes on, and Shutdown returns ctx's error. A program need not call
// this before it exits.
func Shutdown(ctx context.Context) error {
	native, err := open("")
	if err != nil {
		return err
	}
	for {
		switch status := native.shutdown(20); status {
		case statusOK:
			return nil
		case ErrTimedOut:
			if err := ctx.Err(); err != nil {
				return err
			}
		default:
			return native.failed("Shutdown", status)
		}
	}
}

// Inspect tells what the backup file archive says about itself, from a few kilobytes of it; usually in well under a
// millisecond. Verifies no more than that: Verify does.
func Inspect(archive string) (ArchiveInfo, error) {
	native, err := open("")
	if err != nil {
		return ArchiveInfo{}, err
	}
	var m memory
	defer m.Unpin()
	path, err := m.text("archive", archive)
	if err != nil {
		return ArchiveInfo{}, err
	}
	var in nativeArchiveInfo
	in.structSize = uint32(unsafe.Sizeof(in))
	var out nativeError
	out.structSize = uint32(unsafe.Sizeof(out))
	if status := native.inspect(path, &in, &out); status != statusOK {
		return ArchiveInfo{}, failure(status, &out)
	}
	info := ArchiveInfo{
		Kind: in.kind, FormatVersion: in.formatVersion, PageSize: in.pageSize, Pages: in.pages, ImageBytes: in.imageBytes,
		ArchiveBytes: in.archiveBytes, ChunkSize: in.chunkSize, Chunks: in.chunks, Created: time.Unix(0, in.createdUnixNs),
		ApplicationID: in.applicationId, UserVersion: in.userVersion, CompressionLevel: int(in.compressionLevel),
		LibraryVersion: text(in.libraryVersion[:]), SQLiteVersion: text(in.sqliteVersion[:]),
		ZstdVersion: text(in.zstdVersion[:]),
	}
	if in.kind == KindArchive {
		info.ArchiveID = in.archiveId[:]
	}
	if in.hasParent != 0 {
		info.ParentID = in.parentId[:]
	}
	return info, nil
}

// Jobs lists the jobs of the process that have not ended, in no particular order.
func Jobs() ([]JobInfo, error) {
	native, err := open("")
	if err != nil {
		return nil, err
	}
	for capacity := 16; ; {
		in := make([]nativeJobInfo, capacity)
		in[0].structSize = uint32(unsafe.Sizeof(in[0]))
		var count uintptr
		if status := native.jobs(&in[0], uintptr(capacity), &count); status != statusOK {
			return nil, native.failed("Jobs", status)
		}
		if int(count) > capacity {
			capacity = int(count) + 16
			continue
		}
		out := make([]JobInfo, count)
		for i := range out {
			one := &in[i]
			out[i] = JobInfo{one.state, one.bytesDone, one.bytesTotal, one.percent, text(one.destName[:])}
		}
		return out, nil
	}
}

func nanoseconds(count uint64) time.Duration { return time.Duration(min(count, 1<<63-1)) }

func toProgress(in nativeProgress) Progress {
	out := Progress{
		State: in.state, Phase: in.phase, Retries: in.retries, BytesDone: in.bytesDone, BytesTotal: in.bytesTotal,
		BytesWritten: in.bytesWritten, BytesReused: in.bytesReused, Elapsed: nanoseconds(in.elapsedNs),
		ETA: -1, Percent: in.percent,
	}
	if in.etaNs != ^uint64(0) {
		out.ETA = nanoseconds(in.etaNs)
	}
	return out
}

func toResult(in *nativeResult) Result {
	out := Result{
		Format: in.format, PageSize: in.pageSize, Pages: in.pages, ImageBytes: in.imageBytes,
		ArchiveBytes: in.archiveBytes, BytesReused: in.bytesReused, Retries: in.retries,
		Started: time.Unix(0, in.startUnixNs), Finished: time.Unix(0, in.endUnixNs),
		Waiting: nanoseconds(in.waitingNs), Reading: nanoseconds(in.readingNs), Compressing: nanoseconds(in.compressingNs),
		Writing: nanoseconds(in.writingNs), Syncing: nanoseconds(in.syncingNs), Verifying: nanoseconds(in.verifyingNs),
		SourceLock: nanoseconds(in.sourceLockNs), WALGrowthBytes: in.walGrowthBytes,
		FailedCheck: in.failedCheck, FailedChunk: -1, FailedPage: in.failedPage,
	}
	if in.hasSha256 != 0 {
		out.SHA256 = append([]byte(nil), in.sha256[:]...)
	}
	if in.failedCheck != CheckNone && in.failedChunk != noChunk {
		out.FailedChunk = int64(in.failedChunk)
	}
	return out
}
