package tests

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lb_backup/lb"
)

// What the client costs over C: medians of backups of 1 MiB, one here and one by clients/bench.c in turn.
//
//	cc -std=c11 -O2 -I include clients/bench.c -o /tmp/bench
//	cd clients/go/tests && LB_BENCH=/tmp/bench go test -run '^$' -bench . -benchtime 300x
func BenchmarkOverC(b *testing.B) {
	program := os.Getenv("LB_BENCH")
	if program == "" {
		b.Skip("LB_BENCH does not name the compiled clients/bench.c")
	}
	h := newHost(b, "WAL", 900)
	h.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	ctx := deadline(b)
	c := exec.Command(program, os.Getenv("LB_BACKUP_LIBRARY"), h.path, filepath.Join(b.TempDir(), "c.db"))
	ask := must(c.StdinPipe())
	answers := bufio.NewScanner(must(c.StdoutPipe()))
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	dest := h.beside("go.db")
	inC, inGo := []float64{}, []float64{}
	for i := 0; i < b.N+1; i++ {
		io.WriteString(ask, "\n")
		if !answers.Scan() {
			b.Fatal("the bench in C ended")
		}
		c := must(strconv.ParseFloat(strings.TrimSpace(answers.Text()), 64))
		before := time.Now()
		if _, err := lb.Backup(ctx, h.path, dest); err != nil {
			b.Fatal(err)
		}
		took := time.Since(before)
		os.Remove(dest)
		if i > 0 { // the first one starts the library's threads
			inC, inGo = append(inC, c), append(inGo, float64(took.Nanoseconds()))
		}
	}
	ask.Close()
	c.Wait()
	slices.Sort(inC)
	slices.Sort(inGo)
	b.ReportMetric(inC[b.N/2]/1e3, "µs-C")
	b.ReportMetric(inGo[b.N/2]/1e3, "µs-Go")
	b.ReportMetric((inGo[b.N/2]-inC[b.N/2])/1e3, "µs-over")
	if b.N > 1 {
		fmt.Printf("C: %.0f to %.0f µs, Go: %.0f to %.0f µs\n", inC[0]/1e3, inC[b.N-1]/1e3, inGo[0]/1e3, inGo[b.N-1]/1e3)
	}
}

// What loading the library takes, in a new process each time, of which only that is measured.
func BenchmarkOpen(b *testing.B) {
	took := []float64{}
	for i := 0; i < b.N; i++ {
		took = append(took, must(strconv.ParseFloat(string(must(become("opens", b.TempDir()).Output())), 64)))
	}
	slices.Sort(took)
	b.ReportMetric(took[b.N/2]/1e3, "µs-open")
	b.ReportMetric(took[b.N-1]/1e3, "µs-open-max")
}

func openAndTell(string) {
	before := time.Now()
	if err := lb.Open(""); err != nil {
		panic(err)
	}
	fmt.Print(time.Since(before).Nanoseconds())
}
