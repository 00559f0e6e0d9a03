// Package tests has the client used beside Go's own SQLite: modernc.org/sqlite, SQLite's C code in Go, which takes its locks
// with fcntl(F_SETLK) as SQLite in C does, so that whatever drops a process's POSIX locks drops its locks.
package tests

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lb_backup/lb"
	_ "modernc.org/sqlite"
)

// child names the life that a process leads which a test has started.
const child = "LB_TEST_CHILD"

func TestMain(m *testing.M) {
	if life := os.Getenv(child); life != "" {
		lives[life](os.Getenv("LB_TEST_DIRECTORY"))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// become starts this program again, to lead another life.
func become(life, directory string, environment ...string) *exec.Cmd {
	command := exec.Command(os.Args[0])
	command.Env = append(append(os.Environ(), child+"="+life, "LB_TEST_DIRECTORY="+directory), environment...)
	command.Stderr = os.Stderr
	return command
}

// deadline is for what must happen; nothing is measured by it.
func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

const rows = 400 // of 1000 bytes

// host is this process's SQLite, with one connection to a database.
type host struct {
	path string
	db   *sql.DB
	conn *sql.Conn
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func openHost(directory, journal string, count int) *host {
	h := &host{path: filepath.Join(directory, "game.db")}
	h.db = must(sql.Open("sqlite", h.path))
	h.conn = must(h.db.Conn(context.Background()))
	h.exec("PRAGMA journal_mode=" + journal)
	h.exec("PRAGMA wal_autocheckpoint=0")
	h.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, payload)")
	h.exec(fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d) "+
		"INSERT INTO t(payload) SELECT randomblob(1000) FROM n", count))
	return h
}

func (h *host) exec(statement string) {
	if _, err := h.conn.ExecContext(context.Background(), statement); err != nil {
		panic(fmt.Sprintf("%s: %v", statement, err))
	}
}

func (h *host) close() {
	h.conn.Close()
	h.db.Close()
}

func newHost(t testing.TB, journal string, count int) *host {
	h := openHost(t.TempDir(), journal, count)
	t.Cleanup(h.close)
	return h
}

func (h *host) beside(name string) string { return filepath.Join(filepath.Dir(h.path), name) }

// outside runs a statement in another process, which does not wait for locks.
func outside(database, statement string) string {
	said, _ := exec.Command("sqlite3", "-batch", "-cmd", ".timeout 0", database, statement).CombinedOutput()
	return strings.TrimSpace(string(said))
}

func refused(database string) bool {
	return strings.Contains(outside(database, "INSERT INTO t(payload) VALUES('outsider')"), "database is locked")
}

func expectRows(t testing.TB, database string, count int) {
	t.Helper()
	want := fmt.Sprintf("%d\nok", count)
	if said := outside(database, "SELECT count(*) FROM t; PRAGMA integrity_check"); said != want {
		t.Errorf("%s: %q, not %q", database, said, want)
	}
}

func expectIs(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%v is not %v", err, target)
		}
	}
}

func expectNothingAt(t testing.TB, pattern string) {
	t.Helper()
	if found := must(filepath.Glob(pattern)); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

func digest(path string) []byte {
	sum := sha256.Sum256(must(os.ReadFile(path)))
	return sum[:]
}

// held is a backup that its throttle holds in mid-copy until its rate is changed or it is cancelled.
func held(t testing.TB, h *host, dest string, options ...lb.BackupOption) *lb.Job {
	t.Helper()
	options = append([]lb.BackupOption{lb.Rate(1), lb.ChunkSize(65536), lb.ProgressEvery(time.Millisecond)}, options...)
	job, err := lb.StartBackup(h.path, dest, options...)
	if err != nil {
		t.Fatal(err)
	}
	for progress := range job.Updates() {
		if progress.BytesTotal > 0 {
			return job
		}
	}
	_, err = job.Wait(context.Background())
	t.Fatalf("the backup was not held: %v", err)
	return nil
}
