package lb

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A Job is a backup, restore or verification that was started. All methods may be called from any goroutine.
//
// A Job that is forgotten goes on to its end, and holds nothing after that. Close cancels one that is no longer wanted.
type Job struct {
	native     *functions
	handle     atomic.Uintptr // valid from the start until completed has released it
	closed     atomic.Bool
	onProgress func(Progress)
	updates    chan Progress
	done       chan struct{}

	// Written by the callbacks, which never overlap; complete once done is closed.
	last     atomic.Pointer[Progress]
	panicked *CallbackPanic
	result   Result
	err      error
}

// running has the jobs whose last callback is to come, by the token that is the user_data of their callbacks: the library
// knows no memory of Go, and a forgotten job is collected after its last callback.
var running struct {
	sync.Mutex
	jobs map[uintptr]*Job
	next uintptr
}

func enrol(j *Job) (token uintptr) {
	running.Lock()
	defer running.Unlock()
	if running.jobs == nil {
		running.jobs = map[uintptr]*Job{}
	}
	running.next++
	running.jobs[running.next] = j
	return running.next
}

func enrolled(token uintptr) *Job {
	running.Lock()
	defer running.Unlock()
	return running.jobs[token]
}

func dismiss(token uintptr) {
	running.Lock()
	defer running.Unlock()
	delete(running.jobs, token)
}

// call is the memory of one call that starts a job.
type call struct {
	memory
	token   uintptr
	job     uintptr
	failure nativeError
	wrong   error
}

func (c *call) path(what, path string) *byte {
	text, err := c.text(what, path)
	if err != nil && c.wrong == nil {
		c.wrong = err
	}
	return text
}

func (c *call) optional(what, path string) *byte {
	if path == "" {
		return nil
	}
	return c.path(what, path)
}

func (c *call) make(start func() Status) (Status, error) {
	if c.wrong != nil {
		return ErrInvalidArgument, c.wrong
	}
	c.failure.structSize = uint32(unsafe.Sizeof(c.failure))
	status := start()
	if status != statusOK {
		return status, failure(status, &c.failure)
	}
	return status, nil
}

func start(s *settings, begin func(*functions, *call) (Status, error)) (*Job, error) {
	if s.wrong != nil {
		return nil, s.wrong
	}
	native, err := open("")
	if err != nil {
		return nil, err
	}
	j := &Job{native: native, onProgress: s.onProgress, updates: make(chan Progress, 1), done: make(chan struct{})}
	j.last.Store(&Progress{})
	c := &call{token: enrol(j)}
	defer c.Unpin()
	if _, err := begin(native, c); err != nil {
		dismiss(c.token)
		return nil, err
	}
	// The job may have ended, and its handle with it: then this is a stale one, which the library knows.
	j.handle.CompareAndSwap(0, c.job)
	return j, nil
}

// progressed is the lb_progress_fn of every job.
func progressed(handle uintptr, progress *nativeProgress, token uintptr) {
	j := enrolled(token)
	if j == nil {
		return
	}
	j.handle.CompareAndSwap(0, handle)
	seen := toProgress(known(progress))
	j.last.Store(&seen)
	select { // the latest value wins; nobody else puts one in
	case <-j.updates:
	default:
	}
	j.updates <- seen
	if j.onProgress == nil {
		return
	}
	defer func() {
		if value := recover(); value != nil {
			j.panicked = &CallbackPanic{Value: value, Stack: debug.Stack()}
			j.onProgress = nil
		}
	}()
	j.onProgress(seen)
}

// completed is the lb_complete_fn of every job.
func completed(handle uintptr, result *nativeResult, token uintptr) {
	j := enrolled(token)
	if j == nil {
		return
	}
	dismiss(token)
	j.handle.CompareAndSwap(0, handle)
	out := known(result)
	j.result = toResult(&out)
	if out.status != statusOK {
		j.err = &Error{
			Status: out.status, SQLiteCode: int(out.sqliteCode), Errno: syscall.Errno(out.sysErrno),
			Message: text(out.message[:]), Result: &j.result,
		}
	}
	if j.panicked != nil {
		j.panicked.Result, j.panicked.Err = j.result, j.err
	}
	j.onProgress = nil
	// All is told: nobody needs the handle any more, whether the Job is waited for, closed or forgotten.
	j.native.release(handle)
	close(j.updates)
	close(j.done)
}

// Done gives a channel that is closed when the job has ended and its last callback has returned.
func (j *Job) Done() <-chan struct{} { return j.done }

// Updates gives a channel with the job's progress, of which it holds only the latest; closed at the job's end. All calls
// give the same channel. It need not be read.
func (j *Job) Updates() <-chan Progress { return j.updates }

// Progress looks at the job: wait-free, well under a millisecond. Values never go backwards. ErrInvalidHandle after Close.
func (j *Job) Progress() (Progress, error) {
	if j.closed.Load() {
		return Progress{}, j.closedError("Progress")
	}
	var out nativeProgress
	out.structSize = uint32(unsafe.Sizeof(out))
	if j.native.progress(j.handle.Load(), &out) == statusOK {
		return toProgress(out), nil
	}
	return *j.last.Load(), nil // of a job that has ended, its last
}

// Cancel asks the job to end as ErrCancelled, and returns at once. It ends within milliseconds and leaves nothing; one that
// has published its archive succeeds all the same. Cancelling an ended job does nothing.
func (j *Job) Cancel() { j.native.cancel(j.handle.Load()) }

// SetRate changes the throttle of the job, at once: bytes of the image per second, 0 for no limit. Changes nothing once the
// job has ended. ErrInvalidHandle after Close.
func (j *Job) SetRate(bytesPerSecond uint64) error {
	if j.closed.Load() {
		return j.closedError("SetRate")
	}
	status := j.native.setRate(j.handle.Load(), bytesPerSecond)
	if status != statusOK && status != ErrInvalidHandle {
		return j.native.failed("SetRate", status)
	}
	return nil
}

// Wait waits until the job has ended, and tells its outcome, as often as it is called. If ctx ends first, Wait returns its
// error and the job goes on. In a callback, for an unfinished job: ErrWouldDeadlock. Panics with a *CallbackPanic if the
// job's OnProgress function did.
func (j *Job) Wait(ctx context.Context) (Result, error) {
	select {
	case <-j.done:
		return j.outcome()
	default:
	}
	if err := j.deadlock(); err != nil {
		return Result{}, err
	}
	select {
	case <-j.done:
		return j.outcome()
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// Close cancels the job if it has not ended, and waits until it has, which takes milliseconds; in a callback it does not
// wait. Its error is always nil: whoever wants to know the outcome waits. Closing twice is harmless.
func (j *Job) Close() error {
	if !j.closed.Swap(true) {
		j.Cancel()
	}
	if j.deadlock() == nil {
		<-j.done
	}
	return nil
}

// deadlock tells whether this is a callback and the job unfinished. Callbacks run on a thread of their own, to which their
// goroutine is locked, so that the library knows.
func (j *Job) deadlock() error {
	if j.native.wait(j.handle.Load(), 0) == ErrWouldDeadlock {
		return j.native.failed("Wait", ErrWouldDeadlock)
	}
	return nil
}

func (j *Job) closedError(method string) error {
	return &Error{Status: ErrInvalidHandle, Message: fmt.Sprintf("Job.%s: the job was closed", method)}
}

func (j *Job) outcome() (Result, error) {
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.result, j.err
}

// run waits for a job that was just started; the end of ctx cancels it.
func run(ctx context.Context, j *Job, err error) (Result, error) {
	if err != nil {
		return Result{}, err
	}
	if err := j.deadlock(); err != nil {
		j.Cancel()
		return Result{}, err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		j.Cancel()
		<-j.done
	}
	result, err := j.outcome()
	if failed, ok := err.(*Error); ok && failed.Status == ErrCancelled && ctx.Err() != nil {
		because := *failed
		because.causes = []error{ctx.Err()}
		if cause := context.Cause(ctx); cause != ctx.Err() {
			because.causes = append(because.causes, cause)
		}
		return result, &because
	}
	return result, err
}

// Backup is StartBackup and Wait, except that the end of ctx cancels the backup: the error then is ErrCancelled and
// ctx.Err() alike, and nothing is left. It holds no thread while it waits.
func Backup(ctx context.Context, src, dst string, options ...BackupOption) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, cancelledBefore(ctx)
	}
	j, err := StartBackup(src, dst, options...)
	return run(ctx, j, err)
}

// Restore is StartRestore and Wait, except that the end of ctx cancels the restore, as in Backup.
func Restore(ctx context.Context, archive, dst string, options ...RestoreOption) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, cancelledBefore(ctx)
	}
	j, err := StartRestore(archive, dst, options...)
	return run(ctx, j, err)
}

// Verify is StartVerify and Wait, except that the end of ctx cancels the verification, as in Backup.
func Verify(ctx context.Context, archive string, options ...VerifyOption) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, cancelledBefore(ctx)
	}
	j, err := StartVerify(archive, options...)
	return run(ctx, j, err)
}

func cancelledBefore(ctx context.Context) error {
	return &Error{Status: ErrCancelled, Message: "cancelled before the start: " + ctx.Err().Error(),
		causes: []error{ctx.Err(), context.Cause(ctx)}}
}
