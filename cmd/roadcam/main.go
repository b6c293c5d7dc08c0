// Command roadcam sends a driver's footage to a roadcomb network.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/roadcomb/roadcomb/cmd/roadcam/internal/roadcam"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(roadcam.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
