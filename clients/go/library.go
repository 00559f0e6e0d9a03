package lb

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/ebitengine/purego"
)

// abiVersion is LB_ABI_VERSION of the header that native.go was written after.
const abiVersion = 0

// functions are the library's, as soon as it is loaded. Pointers are given for the duration of a call only; what the
// library keeps (user data, callbacks) are numbers, never pointers to Go memory.
type functions struct {
	backupStart  func(source, dest *byte, options *nativeBackupOptions, job *uintptr, failure *nativeError) Status
	restoreStart func(archive, dest *byte, options *nativeRestoreOptions, job *uintptr, failure *nativeError) Status
	verifyStart  func(archive *byte, options *nativeVerifyOptions, job *uintptr, failure *nativeError) Status
	inspect      func(archive *byte, info *nativeArchiveInfo, failure *nativeError) Status
	progress     func(job uintptr, progress *nativeProgress) Status
	cancel       func(job uintptr) Status
	wait         func(job uintptr, timeoutMs uint32) Status
	release      func(job uintptr) Status
	setRate      func(job uintptr, bytesPerSecond uint64) Status
	jobs         func(jobs *nativeJobInfo, capacity uintptr, count *uintptr) Status
	configure    func(config *nativeConfig, failure *nativeError) Status
	shutdown     func(timeoutMs uint32) Status
	message      func(status Status) string
	version      func() string
	abiVersion   func() uint32
	onProgress   uintptr
	onComplete   uintptr
	onLog        uintptr
	path         string
}

var library struct {
	sync.Mutex
	loaded *functions
}

// Open loads the library from path, or, if path is empty, from the file that the environment variable LB_BACKUP_LIBRARY
// names, or else as liblb_backup.so.0 from where the dynamic linker looks.
//
// Calling it is optional: every other function does what Open("") does. A process has one library, for good: with another
// path than the one that it was loaded from, Open is ErrUnsupported, as where the library cannot be loaded.
func Open(path string) error {
	_, err := open(path)
	return err
}

// Version tells the versions of the library, its SQLite and its Zstandard: "0.1.0 (sqlite 3.x.y, zstd 1.x.y)".
func Version() (string, error) {
	native, err := open("")
	if err != nil {
		return "", err
	}
	return native.version(), nil
}

func open(path string) (native *functions, err error) {
	library.Lock()
	defer library.Unlock()
	if loaded := library.loaded; loaded != nil {
		if path != "" && path != loaded.path {
			return nil, unloadable(nil, "%s cannot be loaded: the process has %s already", path, loaded.path)
		}
		return loaded, nil
	}
	if path == "" {
		path = os.Getenv("LB_BACKUP_LIBRARY")
	}
	if path == "" {
		path = "liblb_backup.so.0"
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, unloadable(err, "%v (LB_BACKUP_LIBRARY names another file)", err)
	}
	loaded := &functions{path: path}
	for name, function := range map[string]any{
		"lb_backup_start":    &loaded.backupStart,
		"lb_restore_start":   &loaded.restoreStart,
		"lb_verify_start":    &loaded.verifyStart,
		"lb_backup_inspect":  &loaded.inspect,
		"lb_backup_progress": &loaded.progress,
		"lb_backup_cancel":   &loaded.cancel,
		"lb_backup_wait":     &loaded.wait,
		"lb_backup_release":  &loaded.release,
		"lb_backup_set_rate": &loaded.setRate,
		"lb_backup_jobs":     &loaded.jobs,
		"lb_configure":       &loaded.configure,
		"lb_shutdown":        &loaded.shutdown,
		"lb_status_message":  &loaded.message,
		"lb_version":         &loaded.version,
		"lb_abi_version":     &loaded.abiVersion,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, unloadable(err, "%s: %v", path, err)
		}
		purego.RegisterFunc(function, symbol)
	}
	if version := loaded.abiVersion(); version != abiVersion {
		return nil, unloadable(nil, "%s has ABI version %d, not %d", path, version, abiVersion)
	}
	// Callbacks of purego are never freed, and there are 2000 in a process: these three serve all jobs.
	loaded.onProgress = purego.NewCallback(progressed)
	loaded.onComplete = purego.NewCallback(completed)
	loaded.onLog = purego.NewCallback(logged)
	library.loaded = loaded
	return loaded, nil
}

func unloadable(cause error, format string, arguments ...any) error {
	err := &Error{Status: ErrUnsupported, Message: fmt.Sprintf(format, arguments...)}
	if cause != nil {
		err.causes = []error{cause}
	}
	return err
}

// memory holds C strings for the duration of one call, pinned, as structures of the call point to them.
type memory struct{ runtime.Pinner }

func (m *memory) text(what, s string) (*byte, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, &Error{Status: ErrInvalidArgument, Message: fmt.Sprintf("%s: a NUL in %q", what, s)}
	}
	text := append([]byte(s), 0)
	m.Pin(&text[0])
	return &text[0], nil
}
