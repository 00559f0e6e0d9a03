package lb

import "unsafe"

// The structures of lb_backup.h; layout_test.go compares them with it.

const (
	messageSize = 1024
	noChunk     = ^uint64(0)
)

type nativeError struct {
	structSize uint32
	status     Status
	sqliteCode int32
	sysErrno   int32
	message    [messageSize]byte
}

type nativeProgress struct {
	structSize   uint32
	state        State
	phase        Phase
	retries      uint32
	bytesDone    uint64
	bytesTotal   uint64
	bytesWritten uint64
	bytesReused  uint64
	elapsedNs    uint64
	etaNs        uint64
	percent      float64
}

type nativeResult struct {
	structSize     uint32
	status         Status
	sqliteCode     int32
	sysErrno       int32
	message        [messageSize]byte
	format         Format
	pageSize       uint32
	pages          uint64
	imageBytes     uint64
	archiveBytes   uint64
	bytesReused    uint64
	hasSha256      uint32
	retries        uint32
	sha256         [32]byte
	startUnixNs    int64
	endUnixNs      int64
	waitingNs      uint64
	readingNs      uint64
	compressingNs  uint64
	writingNs      uint64
	syncingNs      uint64
	verifyingNs    uint64
	sourceLockNs   uint64
	walGrowthBytes uint64
	failedCheck    Check
	reserved       uint32
	failedChunk    uint64
	failedPage     uint64
}

type nativeBackupOptions struct {
	structSize         uint32
	format             Format
	compressionLevel   int32
	existing           uint32
	verify             VerifyMode
	digest             uint32
	chunkSize          uint64
	maxBytesPerSecond  uint64
	busyTimeoutMs      uint32
	progressIntervalMs uint32
	walLimitBytes      uint64
	userData           uintptr
	onProgress         uintptr
	onComplete         uintptr
	reusePath          *byte
}

type nativeRestoreOptions struct {
	structSize         uint32
	existing           uint32
	verify             VerifyMode
	busyTimeoutMs      uint32
	maxBytesPerSecond  uint64
	progressIntervalMs uint32
	reserved           uint32
	keepPrevious       *byte
	userData           uintptr
	onProgress         uintptr
	onComplete         uintptr
}

type nativeVerifyOptions struct {
	structSize         uint32
	verify             VerifyMode
	maxBytesPerSecond  uint64
	progressIntervalMs uint32
	reserved           uint32
	userData           uintptr
	onProgress         uintptr
	onComplete         uintptr
}

type nativeArchiveInfo struct {
	structSize       uint32
	kind             Kind
	formatVersion    uint32
	pageSize         uint32
	pages            uint64
	imageBytes       uint64
	archiveBytes     uint64
	chunkSize        uint64
	chunks           uint64
	createdUnixNs    int64
	applicationId    uint32
	userVersion      int32
	compressionLevel int32
	hasParent        uint32
	archiveId        [16]byte
	parentId         [16]byte
	libraryVersion   [32]byte
	sqliteVersion    [32]byte
	zstdVersion      [32]byte
}

type nativeJobInfo struct {
	structSize uint32
	state      State
	job        uintptr
	userData   uintptr
	bytesDone  uint64
	bytesTotal uint64
	percent    float64
	destName   [256]byte
}

type nativeConfig struct {
	structSize        uint32
	flags             uint32
	workers           uint32
	maxConcurrentJobs uint32
	queueLength       uint32
	priority          Priority
	userData          uintptr
	onLog             uintptr
}

// known copies what a callback was given: a structure there has the library's size, which an older library has smaller
// than here.
func known[T any](in *T) (out T) {
	size := uintptr(*(*uint32)(unsafe.Pointer(in)))
	if most := unsafe.Sizeof(out); size > most {
		size = most
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&out)), size), unsafe.Slice((*byte)(unsafe.Pointer(in)), size))
	return out
}

func text(inline []byte) string {
	for i, b := range inline {
		if b == 0 {
			return string(inline[:i])
		}
	}
	return string(inline)
}
