package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"lb_backup/lb"
)

func TestRoundTrip(t *testing.T) {
	h := newHost(t, "WAL", rows)
	ctx := deadline(t)
	archive, restored := h.beside("copy.db.zst"), h.beside("restored.db")
	result, err := lb.Backup(ctx, h.path, archive)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(result.SHA256, digest(archive)) || result.ImageBytes != result.Pages*uint64(result.PageSize) ||
		result.Format != lb.FormatZstd || result.Finished.Before(result.Started) {
		t.Errorf("%+v", result)
	}
	info, err := lb.Inspect(archive)
	if err != nil || info.Kind != lb.KindArchive || info.Pages != result.Pages || len(info.ArchiveID) != 16 {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := lb.Verify(ctx, archive, lb.VerifyWith(lb.VerifyFull)); err != nil {
		t.Error(err)
	}
	if _, err := lb.Restore(ctx, archive, restored); err != nil {
		t.Fatal(err)
	}
	expectRows(t, restored, rows)

	// Onto the live database: the host's own connection sees the old content.
	h.exec("DELETE FROM t")
	previous := h.beside("previous.db")
	if _, err := lb.Restore(ctx, archive, h.path, lb.Replace(), lb.KeepPrevious(previous)); err != nil {
		t.Fatal(err)
	}
	var count int
	if err := h.db.QueryRow("SELECT count(*) FROM t").Scan(&count); err != nil || count != rows {
		t.Errorf("%d rows, %v", count, err)
	}
	expectRows(t, previous, 0)

	second := h.beside("second.db.zst")
	result, err = lb.Backup(ctx, h.path, second, lb.Reuse(archive), lb.Level(1), lb.WithoutDigest(), lb.BusyTimeout(0))
	if err != nil || result.SHA256 != nil {
		t.Errorf("%+v, %v", result, err)
	}
	if info, err := lb.Inspect(second); err != nil || len(info.ParentID) != 16 {
		t.Errorf("%+v, %v", info, err)
	}
	if version, err := lb.Version(); err != nil || !strings.Contains(version, "sqlite") {
		t.Errorf("%q, %v", version, err)
	}
}

func TestProgress(t *testing.T) {
	h := newHost(t, "WAL", rows)
	var calls []lb.Progress
	job := held(t, h, h.beside("copy.db"), lb.OnProgress(func(p lb.Progress) { calls = append(calls, p) }))
	seen, err := job.Progress()
	if err != nil || seen.State != lb.Running || seen.BytesTotal == 0 || seen.Percent >= 100 {
		t.Errorf("%+v, %v", seen, err)
	}
	if jobs, err := lb.Jobs(); err != nil || len(jobs) != 1 || jobs[0].DestName != "copy.db" {
		t.Errorf("%+v, %v", jobs, err)
	}
	if err := job.SetRate(0); err != nil {
		t.Error(err)
	}
	var last lb.Progress
	for last = range job.Updates() {
		if last.Percent < seen.Percent || last.BytesDone < seen.BytesDone {
			t.Errorf("%+v after %+v", last, seen)
		}
		seen = last
	}
	if _, err := job.Wait(deadline(t)); err != nil {
		t.Fatal(err)
	}
	now, err := job.Progress()
	for _, p := range []lb.Progress{last, now, calls[len(calls)-1]} {
		if p.State != lb.Succeeded || p.Phase != lb.PhaseDone || p.Percent != 100 || p.BytesDone != p.BytesTotal || p.ETA != 0 {
			t.Errorf("%+v, %v", p, err)
		}
	}
	for i := 1; i < len(calls); i++ {
		if calls[i].Percent < calls[i-1].Percent {
			t.Errorf("%+v after %+v", calls[i], calls[i-1])
		}
	}
}

func TestCancel(t *testing.T) {
	h := newHost(t, "WAL", rows)
	job := held(t, h, h.beside("cancelled.db"))
	for i := 0; i < 2; i++ {
		job.Cancel()
	}
	_, err := job.Wait(deadline(t))
	expectIs(t, err, lb.ErrCancelled)
	if errors.Is(err, context.Canceled) {
		t.Error("no context was cancelled")
	}
	job.Cancel()

	closed := held(t, h, h.beside("cancelled.db"))
	closed.Close()
	_, err = closed.Wait(deadline(t))
	expectIs(t, err, lb.ErrCancelled)

	// A context cancels while the job runs, or before; the cause is told.
	ctx, cancel := context.WithCancelCause(deadline(t))
	cause := errors.New("the player left")
	_, err = lb.Backup(ctx, h.path, h.beside("cancelled.db"), lb.Rate(1), lb.ChunkSize(65536), lb.ProgressEvery(time.Millisecond),
		lb.OnProgress(func(p lb.Progress) {
			if p.BytesTotal > 0 {
				cancel(cause)
			}
		}))
	expectIs(t, err, lb.ErrCancelled, context.Canceled, cause)
	_, err = lb.Backup(ctx, h.path, h.beside("cancelled.db"))
	expectIs(t, err, lb.ErrCancelled, context.Canceled, cause)

	// Waiting with a context gives up the waiting only.
	job = held(t, h, h.beside("kept.db"))
	_, err = job.Wait(ctx)
	expectIs(t, err, context.Canceled)
	job.SetRate(0)
	if _, err := job.Wait(deadline(t)); err != nil {
		t.Error(err)
	}
	expectNothingAt(t, h.beside("cancelled*"))
}

func TestEachStatusIsAnErrorOfItsOwn(t *testing.T) {
	all := []lb.Status{}
	for status := lb.ErrInvalidArgument; status <= lb.ErrInternal; status++ {
		all = append(all, status)
	}
	for _, status := range all {
		var err error = fmt.Errorf("nightly: %w", &lb.Error{Status: status, Errno: syscall.EXDEV})
		for _, other := range all {
			if errors.Is(err, other) != (status == other) {
				t.Errorf("%v and %v", err, other)
			}
		}
		var whole *lb.Error
		if !errors.As(err, &whole) || whole.Status != status || !errors.Is(err, syscall.EXDEV) {
			t.Errorf("%v", err)
		}
	}

	h := newHost(t, "DELETE", rows)
	ctx := deadline(t)
	directory := filepath.Dir(h.path)
	words := h.beside("words")
	os.WriteFile(words, bytes.Repeat([]byte("no database "), 1000), 0o600)
	archive, damaged := h.beside("whole.db.zst"), h.beside("damaged.db.zst")
	must(lb.Backup(ctx, h.path, archive))
	content := must(os.ReadFile(archive))
	content[len(content)/2] ^= 1
	os.WriteFile(damaged, content, 0o600)
	backup := func(source, dest string, options ...lb.BackupOption) error {
		_, err := lb.Backup(ctx, source, filepath.Join(directory, dest), options...)
		return err
	}

	expectIs(t, backup(h.path, "x.db", lb.Level(99)), lb.ErrInvalidArgument, fs.ErrInvalid)
	expectIs(t, backup(h.path, "x\x00.db"), lb.ErrInvalidArgument, fs.ErrInvalid)
	expectIs(t, backup(h.path, "x.db", lb.BusyTimeout(-1)), lb.ErrInvalidArgument)
	expectIs(t, lb.Configure(lb.Config{Workers: -1}), lb.ErrInvalidArgument)
	expectIs(t, lb.Configure(lb.Config{}), lb.ErrBusy)
	expectIs(t, backup(h.beside("none.db"), "x.db"), lb.ErrNotFound, fs.ErrNotExist)
	expectIs(t, backup(h.path, "whole.db.zst"), lb.ErrAlreadyExists, fs.ErrExist)
	expectIs(t, backup(words, "x.db"), lb.ErrNotADatabase)
	_, err := lb.Inspect(words)
	expectIs(t, err, lb.ErrNotADatabase)
	_, err = lb.Verify(ctx, damaged)
	expectIs(t, err, lb.ErrCorrupt)
	var failed *lb.Error
	if !errors.As(err, &failed) || failed.Result == nil || failed.Result.FailedCheck != lb.CheckFrame || failed.Result.FailedChunk < 0 {
		t.Errorf("%+v", failed)
	}
	h.exec("BEGIN EXCLUSIVE")
	err = backup(h.path, "x.db", lb.BusyTimeout(time.Millisecond))
	h.exec("COMMIT")
	expectIs(t, err, lb.ErrBusy, syscall.EBUSY)
	if errors.As(err, &failed); failed.SQLiteCode == 0 {
		t.Errorf("%+v", failed)
	}
	expectNothingAt(t, h.beside("x*"))
}

// haveNoLibrary tells whether every way in says so.
func haveNoLibrary(directory string) {
	_, backup := lb.Backup(context.Background(), "a.db", "b.db")
	_, start := lb.StartVerify("a.db")
	_, inspect := lb.Inspect("a.db")
	_, jobs := lb.Jobs()
	_, version := lb.Version()
	for _, err := range []error{
		backup, start, inspect, jobs, version, lb.Open(""), lb.Open(filepath.Join(directory, "none.so")),
		lb.Configure(lb.Config{}), lb.Shutdown(context.Background()),
	} {
		var failed *lb.Error
		if !errors.As(err, &failed) || failed.Status != lb.ErrUnsupported || !errors.Is(err, errors.ErrUnsupported) {
			fmt.Printf("%T: %v\n", err, err)
		}
	}
	fmt.Print(backup)
}

func TestLibraryThatCannotBeLoadedIsUnsupported(t *testing.T) {
	for library, says := range map[string]string{
		"/none.so":  "lb: /none.so: cannot open shared object file: No such file or directory (LB_BACKUP_LIBRARY names another file)",
		"libm.so.6": "lb: libm.so.6: ",
	} {
		said := string(must(become("has-no-library", t.TempDir(), "LB_BACKUP_LIBRARY="+library).Output()))
		if !strings.HasPrefix(said, says) {
			t.Errorf("%s: %q", library, said)
		}
	}
	must(lb.Version())
	expectIs(t, lb.Open("/another.so"), lb.ErrUnsupported)
}

func TestStaleHandle(t *testing.T) {
	h := newHost(t, "WAL", rows)
	job := held(t, h, h.beside("copy.db"))
	job.Close()
	if err := job.Close(); err != nil {
		t.Error(err)
	}
	_, err := job.Progress()
	expectIs(t, err, lb.ErrInvalidHandle, fs.ErrClosed)
	expectIs(t, job.SetRate(1), lb.ErrInvalidHandle, fs.ErrClosed)
	job.Cancel()
	<-job.Done()
	for range job.Updates() { // closed
	}
	_, err = job.Wait(deadline(t))
	expectIs(t, err, lb.ErrCancelled)
}

func TestCallbackThatThrows(t *testing.T) {
	h := newHost(t, "WAL", rows)
	archive := h.beside("copy.db")
	thrown := errors.New("thrown")
	var calls atomic.Int32
	job, err := lb.StartBackup(h.path, archive, lb.OnProgress(func(lb.Progress) {
		calls.Add(1)
		panic(thrown)
	}))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 2; i++ {
		func() {
			defer func() {
				panicked, _ := recover().(*lb.CallbackPanic)
				if panicked == nil || panicked.Err != nil || !errors.Is(panicked, thrown) || panicked.Result.ImageBytes == 0 ||
					!bytes.Contains(panicked.Stack, []byte("TestCallbackThatThrows")) {
					t.Errorf("%+v", panicked)
				}
			}()
			job.Wait(deadline(t))
			t.Error("it was not given back")
		}()
	}
	if calls.Load() != 1 {
		t.Errorf("%d calls", calls.Load())
	}
	expectRows(t, archive, rows)

	// Waiting in a callback is an error, not a deadlock.
	var inCallback [3]error
	_, err = lb.Backup(deadline(t), h.path, h.beside("another.db"), lb.OnProgress(func(p lb.Progress) {
		if p.State == lb.Succeeded {
			other := must(lb.StartBackup(h.path, h.beside("waited.db")))
			_, inCallback[0] = other.Wait(context.Background())
			_, inCallback[1] = lb.Backup(context.Background(), h.path, h.beside("inner.db"))
			inCallback[2] = lb.Shutdown(context.Background())
			other.Close()
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range inCallback {
		expectIs(t, err, lb.ErrWouldDeadlock)
		if !strings.Contains(err.Error(), "a callback cannot wait") {
			t.Errorf("%q", err)
		}
	}
}

func TestFiftyJobsAtOnce(t *testing.T) {
	h := newHost(t, "WAL", rows)
	ctx := deadline(t)
	outcomes := make(chan error)
	for i := 0; i < 50; i++ {
		go func() {
			_, err := lb.Backup(ctx, h.path, h.beside(fmt.Sprintf("copy%02d.db", i)))
			outcomes <- err
		}()
	}
	for i := 0; i < 50; i++ {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
	want := digest(h.beside("copy00.db"))
	for i := 0; i < 50; i++ {
		if !bytes.Equal(digest(h.beside(fmt.Sprintf("copy%02d.db", i))), want) {
			t.Errorf("copy %d differs", i)
		}
	}
}

func TestForgottenJobIsCollected(t *testing.T) {
	h := newHost(t, "WAL", rows)
	const jobs = 10
	var collected atomic.Int32
	done := []<-chan struct{}{}
	for i := 0; i < jobs; i++ {
		job := must(lb.StartBackup(h.path, h.beside(fmt.Sprintf("copy%d.db", i))))
		done = append(done, job.Done())
		runtime.SetFinalizer(job, func(*lb.Job) { collected.Add(1) })
	}
	runtime.GC() // in mid-job
	for i, ended := range done {
		<-ended
		expectRows(t, h.beside(fmt.Sprintf("copy%d.db", i)), rows)
	}
	for ctx := deadline(t); collected.Load() < jobs; runtime.Gosched() {
		runtime.GC()
		if ctx.Err() != nil {
			t.Fatalf("%d of %d jobs were collected", collected.Load(), jobs)
		}
	}
	if left := must(lb.Jobs()); len(left) > 0 {
		t.Errorf("%+v", left)
	}
}

// The ten lines of docs/LANGUAGES.md, and the progress bar.
func TestExamples(t *testing.T) {
	h := newHost(t, "WAL", rows)
	for name, says := range map[string]string{"tenlines": "100.0 %", "progressbar": "SHA-256"} {
		program := filepath.Join(t.TempDir(), name)
		build := exec.Command("go", "build", "-o", program, "./examples/"+name)
		build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		dest := h.beside(name + ".db")
		if said, err := exec.Command(program, h.path, dest).CombinedOutput(); err != nil || !strings.Contains(string(said), says) {
			t.Errorf("%s: %v, %q", name, err, said)
		}
		expectRows(t, dest, rows)
		if said, err := exec.Command(program, h.beside("none.db"), dest).CombinedOutput(); err == nil {
			t.Errorf("%s: no failure, %q", name, said)
		}
	}
}
