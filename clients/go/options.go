package lb

import (
	"fmt"
	"math"
	"time"
	"unsafe"
)

// A BackupOption is an option of Backup and StartBackup.
type BackupOption interface{ backup(*settings) }

// A RestoreOption is an option of Restore and StartRestore.
type RestoreOption interface{ restore(*settings) }

// A VerifyOption is an option of Verify and StartVerify.
type VerifyOption interface{ verify(*settings) }

type (
	// An Option is one of every kind of job.
	Option func(*settings)
	// A WriteOption is one of what writes: backups and restores.
	WriteOption func(*settings)

	backupOption  func(*settings)
	restoreOption func(*settings)
)

func (o Option) backup(s *settings)         { o(s) }
func (o Option) restore(s *settings)        { o(s) }
func (o Option) verify(s *settings)         { o(s) }
func (o WriteOption) backup(s *settings)    { o(s) }
func (o WriteOption) restore(s *settings)   { o(s) }
func (o backupOption) backup(s *settings)   { o(s) }
func (o restoreOption) restore(s *settings) { o(s) }

// settings are what the options of one job come to; zero is the default.
type settings struct {
	format             Format
	level              int32
	replace            uint32
	verifyMode         VerifyMode
	noDigest           uint32
	chunkSize          uint64
	maxBytesPerSecond  uint64
	busyTimeoutMs      uint32
	progressIntervalMs uint32
	walLimit           uint64
	reuse              string
	keepPrevious       string
	onProgress         func(Progress)
	wrong              error
}

// milliseconds rounds up, as zero would be the default.
func (s *settings) milliseconds(option string, d time.Duration) uint32 {
	if d < 0 {
		s.wrong = &Error{Status: ErrInvalidArgument, Message: fmt.Sprintf("%s: %v is negative", option, d)}
	}
	most := time.Duration(math.MaxUint32) * time.Millisecond
	if d > most {
		d = most
	}
	return max(1, uint32((d+time.Millisecond-1)/time.Millisecond))
}

// OnProgress has f called with the job's progress while it runs (ProgressEvery) and once with its last state.
//
// It runs on the one thread that the library has for callbacks, so that a slow f delays the callbacks of other jobs, but
// never the jobs. In f, what waits for an unfinished job fails with ErrWouldDeadlock; everything else may be called. A panic
// in f ends neither the program nor the job: it is handed on to whoever waits for the job, see CallbackPanic; f is not
// called again. f must not end its goroutine (runtime.Goexit, testing.T.FailNow).
func OnProgress(f func(Progress)) Option { return func(s *settings) { s.onProgress = f } }

// ProgressEvery sets the least time between two calls of OnProgress and two values of Job.Updates, in milliseconds; without
// it 100 ms.
func ProgressEvery(d time.Duration) Option {
	return func(s *settings) { s.progressIntervalMs = s.milliseconds("ProgressEvery", d) }
}

// Rate bounds the bytes of the image per second; 0 is no limit. See Job.SetRate.
func Rate(bytesPerSecond uint64) Option {
	return func(s *settings) { s.maxBytesPerSecond = bytesPerSecond }
}

// VerifyWith says how to verify: a backup what was written, a restore the archive before the destination is touched; without it VerifyQuick.
func VerifyWith(mode VerifyMode) Option { return func(s *settings) { s.verifyMode = mode } }

// Replace allows that the destination exists: a backup replaces the file in one step, a restore changes the database in
// one transaction. Without it an existing destination is ErrAlreadyExists.
func Replace() WriteOption { return func(s *settings) { s.replace = 1 } }

// BusyTimeout says how long a locked database is tried again before the job fails with ErrBusy; without it 5 s.
func BusyTimeout(d time.Duration) WriteOption {
	return func(s *settings) { s.busyTimeoutMs = s.milliseconds("BusyTimeout", d) }
}

// As sets the format of the archive; without it FormatByName.
func As(format Format) BackupOption { return backupOption(func(s *settings) { s.format = format }) }

// Level sets the Zstandard level, -7 to 19; without it, or with 0, it is 3.
func Level(level int) BackupOption {
	return backupOption(func(s *settings) { s.level = int32(max(math.MinInt32, min(math.MaxInt32, level))) })
}

// WithoutDigest leaves Result.SHA256 empty and saves its time.
func WithoutDigest() BackupOption { return backupOption(func(s *settings) { s.noDigest = 1 }) }

// ChunkSize sets the bytes of a chunk, 65536 to 8388608; without it, or with 0, it adapts.
func ChunkSize(bytes uint64) BackupOption {
	return backupOption(func(s *settings) { s.chunkSize = bytes })
}

// WALLimit bounds the bytes by which the source's -wal file may grow while the backup keeps it from being reset; then the
// job fails with ErrWALLimit. Without it, or with 0, there is no limit.
func WALLimit(bytes uint64) BackupOption {
	return backupOption(func(s *settings) { s.walLimit = bytes })
}

// Reuse names an earlier compressed archive of the same database: chunks that have not changed since are taken from it.
func Reuse(archive string) BackupOption { return backupOption(func(s *settings) { s.reuse = archive }) }

// KeepPrevious says where a backup of the database that is about to be changed goes first. It must not exist.
func KeepPrevious(archive string) RestoreOption {
	return restoreOption(func(s *settings) { s.keepPrevious = archive })
}

// StartBackup starts a backup of the live SQLite database src into the new file dst, and returns at once.
//
// dst appears when it is complete, durable and verified; on failure and on cancel nothing is left. A dst in .zst is
// compressed. The database may be open and being written, in this process or another; the backup holds every transaction
// that was committed before this call.
func StartBackup(src, dst string, options ...BackupOption) (*Job, error) {
	var s settings
	for _, option := range options {
		option.backup(&s)
	}
	return start(&s, func(native *functions, c *call) (Status, error) {
		options := nativeBackupOptions{
			format: s.format, compressionLevel: s.level, existing: s.replace, verify: s.verifyMode, digest: s.noDigest,
			chunkSize: s.chunkSize, maxBytesPerSecond: s.maxBytesPerSecond, busyTimeoutMs: s.busyTimeoutMs,
			progressIntervalMs: s.progressIntervalMs, walLimitBytes: s.walLimit,
			userData: c.token, onProgress: native.onProgress, onComplete: native.onComplete,
			reusePath: c.optional("Reuse", s.reuse),
		}
		options.structSize = uint32(unsafe.Sizeof(options))
		source, dest := c.path("src", src), c.path("dst", dst)
		return c.make(func() Status { return native.backupStart(source, dest, &options, &c.job, &c.failure) })
	})
}

// StartRestore starts restoring the backup archive, of any kind, to dst, and returns at once.
//
// dst must not exist; with Replace an existing database is changed in one write transaction, and may be in use.
func StartRestore(archive, dst string, options ...RestoreOption) (*Job, error) {
	var s settings
	for _, option := range options {
		option.restore(&s)
	}
	return start(&s, func(native *functions, c *call) (Status, error) {
		options := nativeRestoreOptions{
			existing: s.replace, verify: s.verifyMode, busyTimeoutMs: s.busyTimeoutMs,
			maxBytesPerSecond: s.maxBytesPerSecond, progressIntervalMs: s.progressIntervalMs,
			userData: c.token, onProgress: native.onProgress, onComplete: native.onComplete,
			keepPrevious: c.optional("KeepPrevious", s.keepPrevious),
		}
		options.structSize = uint32(unsafe.Sizeof(options))
		source, dest := c.path("archive", archive), c.path("dst", dst)
		return c.make(func() Status { return native.restoreStart(source, dest, &options, &c.job, &c.failure) })
	})
}

// StartVerify starts verifying the backup archive, of any kind, and returns at once. Its content stays as it is. A damaged one is
// ErrCorrupt (or ErrNotADatabase, ErrUnsupported), and the Error's Result says which check it failed, and where.
func StartVerify(archive string, options ...VerifyOption) (*Job, error) {
	var s settings
	for _, option := range options {
		option.verify(&s)
	}
	return start(&s, func(native *functions, c *call) (Status, error) {
		options := nativeVerifyOptions{
			verify: s.verifyMode, maxBytesPerSecond: s.maxBytesPerSecond, progressIntervalMs: s.progressIntervalMs,
			userData: c.token, onProgress: native.onProgress, onComplete: native.onComplete,
		}
		options.structSize = uint32(unsafe.Sizeof(options))
		source := c.path("archive", archive)
		return c.make(func() Status { return native.verifyStart(source, &options, &c.job, &c.failure) })
	})
}
