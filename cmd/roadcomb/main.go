// Command roadcomb is the platform: object store, state, workers, APIs and the web map in one program or in many.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/roadcomb/roadcomb/cmd/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(app.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
