// Command isat is a complete Address Resolution Protocol for Linux: the daemon
// and every tool that goes with it. Called by the name arp it is arp(8).
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/isat-project/isat/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, cli.System(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}
