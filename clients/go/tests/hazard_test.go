package tests

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lb_backup/lb"
)

// What the children do, in a directory of their own.
var lives = map[string]func(directory string){
	"commits-and-is-killed": commitAndBeKilled,
	"exits-with-a-job":      exitWithAJob,
	"has-no-library":        haveNoLibrary,
	"opens":                 openAndTell,
	"transaction-DELETE":    holdATransaction("DELETE"),
	"transaction-WAL":       holdATransaction("WAL"),
}

// holdATransaction says what becomes of the host's write lock while backups run and after them.
func holdATransaction(journal string) func(string) {
	return func(directory string) {
		if struck := transaction(directory, journal); struck != "" {
			fmt.Print(struck)
			os.Exit(struckCode)
		}
	}
}

const struckCode = 10

func transaction(directory, journal string) string {
	h := openHost(directory, journal, rows)
	h.exec("BEGIN IMMEDIATE")
	h.exec("INSERT INTO t(payload) VALUES('host')")
	if !refused(h.path) {
		panic("the host has no lock before any backup")
	}
	// Cancelled in mid-copy, then one that succeeds: both close what they had opened.
	job := must(lb.StartBackup(h.path, h.beside("cancelled.db.zst"), lb.Rate(1), lb.ChunkSize(65536), lb.ProgressEvery(time.Millisecond)))
	for progress := range job.Updates() {
		if progress.BytesTotal > 0 {
			break
		}
	}
	if !refused(h.path) {
		return "an outsider wrote in mid-backup"
	}
	job.Close()
	must(lb.Backup(context.Background(), h.path, h.beside("copy.db")))
	if !refused(h.path) {
		return "an outsider wrote after the backup"
	}
	if _, err := h.conn.ExecContext(context.Background(), "COMMIT"); err != nil {
		return err.Error()
	}
	h.close()
	for path, count := range map[string]int{h.path: rows + 1, h.beside("copy.db"): rows} {
		if said, want := outside(path, "SELECT count(*) FROM t; PRAGMA integrity_check"), fmt.Sprintf("%d\nok", count); said != want {
			return fmt.Sprintf("%s: %q, not %q", filepath.Base(path), said, want)
		}
	}
	return ""
}

func TestOpenTransactionThenAnOutsiderIsRefused(t *testing.T) {
	for _, journal := range []string{"DELETE", "WAL"} {
		if struck := transaction(t.TempDir(), journal); struck != "" {
			t.Errorf("%s: %s", journal, struck)
		}
	}
}

// The test above sees what it is there to see: with the library's protection off the hazard strikes.
func TestWithoutIsolationTheOutsiderGetsIn(t *testing.T) {
	hooks := os.Getenv("LB_BACKUP_HOOKS_LIBRARY")
	if hooks == "" {
		t.Skip("LB_BACKUP_HOOKS_LIBRARY does not name a library with test hooks")
	}
	for _, life := range []string{"transaction-DELETE", "transaction-WAL"} {
		for _, switches := range []string{"", "no-isolation"} {
			command := become(life, t.TempDir(), "LB_BACKUP_LIBRARY="+hooks, "LB_BACKUP_TEST_HOOKS="+switches)
			said, _ := command.Output()
			want := 0
			if switches != "" {
				want = struckCode
			}
			if code := command.ProcessState.ExitCode(); code != want {
				t.Errorf("%s with %q ended with %d, not %d: %s", life, switches, code, want, said)
			}
			t.Logf("%s with %q: %s", life, switches, said)
		}
	}
	for switches, kept := range map[string]bool{"": true, "no-isolation": false} {
		directory := t.TempDir()
		err := become("commits-and-is-killed", directory, "LB_BACKUP_LIBRARY="+hooks, "LB_BACKUP_TEST_HOOKS="+switches).Run()
		// Without its locks the host may also find its shared memory cut short by the visitor, and end of that.
		said := outside(filepath.Join(directory, "game.db"), "SELECT count(*) FROM t")
		if (said == strconv.Itoa(rows+late)) != kept {
			t.Errorf("crash with %q: %v, %s rows", switches, err, said)
		}
		t.Logf("crash with %q: %v, %s rows", switches, err, said)
	}
}

const late = 100

func commitAndBeKilled(directory string) {
	h := openHost(directory, "WAL", rows)
	must(lb.Backup(context.Background(), h.path, h.beside("copy.db")))
	// A visitor who took himself for the last user would unlink the -wal.
	outside(h.path, "SELECT count(*) FROM t")
	for i := 0; i < late; i++ {
		h.exec("INSERT INTO t(payload) VALUES('late')")
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func TestCommitAfterBackupThenCrashKeepsAllRows(t *testing.T) {
	directory := t.TempDir()
	err := become("commits-and-is-killed", directory).Run()
	if ended, ok := err.(*exec.ExitError); !ok || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the host was not killed: %v", err)
	}
	expectRows(t, filepath.Join(directory, "game.db"), rows+late)
	expectRows(t, filepath.Join(directory, "copy.db"), rows)
}

func exitWithAJob(directory string) {
	h := openHost(directory, "WAL", rows)
	job := must(lb.StartBackup(h.path, h.beside("copy.db"), lb.Rate(1), lb.ChunkSize(65536), lb.ProgressEvery(time.Millisecond)))
	for progress := range job.Updates() {
		if progress.BytesTotal > 0 {
			os.Exit(7)
		}
	}
}

func TestExitWithAJobRunning(t *testing.T) {
	directory := t.TempDir()
	err := become("exits-with-a-job", directory).Run()
	if ended, ok := err.(*exec.ExitError); !ok || ended.ExitCode() != 7 {
		t.Fatalf("%v", err)
	}
	for _, entry := range must(os.ReadDir(directory)) {
		if !strings.HasPrefix(entry.Name(), "game.db") {
			t.Errorf("left: %s", entry.Name())
		}
	}
	expectRows(t, filepath.Join(directory, "game.db"), rows)
}
