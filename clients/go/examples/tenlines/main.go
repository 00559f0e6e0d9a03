package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"lb_backup/lb"
)

func main() {
	result, err := lb.Backup(context.Background(), os.Args[1], os.Args[2], lb.OnProgress(func(p lb.Progress) {
		fmt.Printf("\r%5.1f %%", p.Percent)
	}))
	if err != nil { // an *lb.Error: operation, path, reason
		log.Fatal(err)
	}
	fmt.Printf("\n%d bytes, verified\n", result.ArchiveBytes)
}
