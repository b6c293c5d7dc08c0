// Command roadcomb-iceberg registers a network's datasets as Apache Iceberg tables.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/roadcomb/roadcomb/cmd/roadcomb-iceberg/internal/registrar"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(registrar.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
