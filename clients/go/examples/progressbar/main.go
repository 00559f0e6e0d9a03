// progressbar SOURCE DEST backs up SOURCE to DEST with a bar; Ctrl-C cancels it and leaves nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"lb_backup/lb"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: progressbar SOURCE DEST")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(source, dest string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	job, err := lb.StartBackup(source, dest, lb.Replace(), lb.ProgressEvery(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer job.Close()
	context.AfterFunc(ctx, job.Cancel)

	for progress := range job.Updates() { // closed when the job has ended
		draw(progress)
	}
	fmt.Println()
	result, err := job.Wait(context.Background())
	if errors.Is(err, lb.ErrCancelled) {
		return errors.New("cancelled; nothing is left")
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d bytes from %d in %v, SHA-256 %x\n", result.ArchiveBytes, result.ImageBytes,
		result.Finished.Sub(result.Started).Round(time.Millisecond), result.SHA256)
	return nil
}

func draw(progress lb.Progress) {
	const width = 40
	full := int(progress.Percent / 100 * width)
	left := ""
	if progress.ETA > 0 {
		left = progress.ETA.Round(time.Second).String() + " left"
	}
	fmt.Printf("\r[%s%s] %5.1f %% %-12s", strings.Repeat("#", full), strings.Repeat(".", width-full), progress.Percent, left)
}
