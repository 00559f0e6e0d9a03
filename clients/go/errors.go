package lb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// A Status says why a call or a job failed. It is an error itself, as syscall.Errno is: the constants below are for
// errors.Is. The values are those of lb_status, and frozen.
type Status int32

// What each means for the caller is told by lb_backup.h. In errors.Is some also count as the errors of the standard library
// that mean the same; these stand beside them.
const (
	ErrInvalidArgument  Status = 1  // an argument or option is wrong; fs.ErrInvalid
	ErrInvalidHandle    Status = 2  // the job was closed; fs.ErrClosed
	ErrNotFound         Status = 3  // no source, or no directory for the destination; fs.ErrNotExist
	ErrAlreadyExists    Status = 4  // the destination exists; fs.ErrExist
	ErrPermissionDenied Status = 5  // refused by the operating system; fs.ErrPermission
	ErrNotADatabase     Status = 6  // not a SQLite database, or encrypted
	ErrCorrupt          Status = 7  // damaged
	ErrBusy             Status = 8  // locked by somebody else; try later; syscall.EBUSY
	ErrNoSpace          Status = 9  // no room for the archive; syscall.ENOSPC
	ErrIO               Status = 10 // the operating system failed to read or write; syscall.EIO
	ErrCancelled        Status = 11 // cancelled before the archive was published
	ErrTimedOut         Status = 12 // not yet done; os.ErrDeadlineExceeded
	ErrQueueFull        Status = 13 // too many jobs wait; try later
	ErrSourceChanged    Status = 14 // the source was replaced while it was read
	ErrWALLimit         Status = 15 // the source's write-ahead log outgrew its limit
	ErrUnsupported      Status = 16 // this system lacks what is needed, or the library; errors.ErrUnsupported
	ErrOutOfMemory      Status = 17 // no memory; syscall.ENOMEM
	ErrWrongProcess     Status = 18 // the process was forked
	ErrWouldDeadlock    Status = 19 // a callback asked to wait for an unfinished job; syscall.EDEADLK
	ErrShutDown         Status = 20 // the library is shutting down
	ErrInternal         Status = 21 // a defect of the library
)

const statusOK Status = 0

var statuses = [...]struct {
	text string
	same error
}{
	statusOK:            {"ok", nil},
	ErrInvalidArgument:  {"an argument is wrong", fs.ErrInvalid},
	ErrInvalidHandle:    {"the job was closed", fs.ErrClosed},
	ErrNotFound:         {"no such file or directory", fs.ErrNotExist},
	ErrAlreadyExists:    {"the destination exists", fs.ErrExist},
	ErrPermissionDenied: {"the operating system refused access", fs.ErrPermission},
	ErrNotADatabase:     {"not a SQLite database", nil},
	ErrCorrupt:          {"damaged", nil},
	ErrBusy:             {"locked by somebody else", syscall.EBUSY},
	ErrNoSpace:          {"no space", syscall.ENOSPC},
	ErrIO:               {"the operating system failed to read or write", syscall.EIO},
	ErrCancelled:        {"cancelled", nil},
	ErrTimedOut:         {"not yet done", os.ErrDeadlineExceeded},
	ErrQueueFull:        {"too many jobs wait", nil},
	ErrSourceChanged:    {"the source was replaced while it was read", nil},
	ErrWALLimit:         {"the write-ahead log outgrew its limit", nil},
	ErrUnsupported:      {"this system cannot do what is needed", errors.ErrUnsupported},
	ErrOutOfMemory:      {"out of memory", syscall.ENOMEM},
	ErrWrongProcess:     {"the process was forked", nil},
	ErrWouldDeadlock:    {"a callback must not wait for an unfinished job", syscall.EDEADLK},
	ErrShutDown:         {"the library is shutting down", nil},
	ErrInternal:         {"a defect of the library", nil},
}

// Error tells what the status means, in English.
func (s Status) Error() string {
	if s < 0 || int(s) >= len(statuses) {
		return fmt.Sprintf("unknown status %d", int32(s))
	}
	return statuses[s].text
}

// Is makes errors.Is take a status for the error of the standard library that means the same.
func (s Status) Is(target error) bool {
	return s > 0 && int(s) < len(statuses) && statuses[s].same != nil && statuses[s].same == target
}

// Error is every failure of a call or a job of the library.
//
// errors.Is finds its Status, its Errno, and, if the end of a context cancelled the job, context.Canceled or
// context.DeadlineExceeded and the context's cause.
type Error struct {
	Status     Status
	SQLiteCode int           // SQLite's extended result code, or 0
	Errno      syscall.Errno // or 0
	Message    string        // the operation, the path, the reason
	Result     *Result       // what was known when the job failed; nil if no job ran

	causes []error
}

// Error is the library's message.
func (e *Error) Error() string {
	if e.Message == "" {
		return "lb: " + e.Status.Error()
	}
	return "lb: " + e.Message
}

// Unwrap is for errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	all := append([]error{e.Status}, e.causes...)
	if e.Errno != 0 {
		all = append(all, e.Errno)
	}
	return all
}

func failure(status Status, in *nativeError) error {
	return &Error{Status: status, SQLiteCode: int(in.sqliteCode), Errno: syscall.Errno(in.sysErrno), Message: text(in.message[:])}
}

// failed makes the error of a call for which the library has no message, in its words for the status.
func (f *functions) failed(call string, status Status) error {
	return &Error{Status: status, Message: call + ": " + f.message(status)}
}

// CallbackPanic is what Job.Wait, Backup, Restore and Verify panic with if the job's OnProgress function panicked. The job
// had gone on to its end by then.
type CallbackPanic struct {
	Value  any    // of the panic
	Stack  []byte // where it happened
	Result Result // of the job; its error, if it failed, is Err
	Err    error
}

func (p *CallbackPanic) Error() string {
	return fmt.Sprintf("lb: OnProgress panicked: %v\n\n%s", p.Value, p.Stack)
}

// Unwrap gives the panic's value, if that was an error.
func (p *CallbackPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
