package lab

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/isat-project/isat/internal/config"
	isatd "github.com/isat-project/isat/internal/daemon"
)

// daemonEnv makes `run` of the test program isat's daemon. Without, it is one that
// leaves ARP to the kernel.
const daemonEnv = "ISAT_LAB_TEST_DAEMON"

// TestMain makes the test program a small isat, because the lab runs its own
// program again: `lab` and `run` as the first argument are those commands.
func TestMain(m *testing.M) {
	if os.Getenv(refusedEnv) != "" && len(os.Args) > 1 && os.Args[1] == "lab" {
		fmt.Fprintf(os.Stderr, "refusing namespaces: %v\n", refuseNamespaces())
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == "lab" {
		os.Exit(labMain(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "run" {
		os.Exit(runMain(os.Args[2:]))
	}
	// Scenarios wait for timers and hardly compute: more of them than processors
	// fit side by side. -parallel on the command line still decides.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// labMain is `isat lab` without its manners.
func labMain(args []string) int {
	o := Options{Stdout: os.Stdout, Stderr: os.Stderr}
	var require string
	flags := flag.NewFlagSet("lab", flag.ExitOnError)
	flags.BoolVar(&o.Once, "once", false, "")
	flags.BoolVar(&o.JSON, "json", false, "")
	flags.StringVar(&require, "require", "", "")
	flags.StringVar(&o.Pcap, "pcap", "", "")
	_ = flags.Parse(args)
	o.RequireAll, o.Scenarios = require == "all", flags.Args()
	ok, err := Run(context.Background(), o)
	if err != nil {
		fmt.Fprintf(os.Stderr, "isat: %v\n", err)
	}
	if err != nil || !ok {
		return 1
	}
	return 0
}

// runMain is `isat run` without its manners.
func runMain(args []string) int {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	socket := flags.String("socket", "", "")
	path := flags.String("config", "", "")
	_ = flags.Parse(args)
	run := runDaemon
	if os.Getenv(daemonEnv) == "" {
		run = serveKernel
	}
	if err := run(*socket, *path); err != nil {
		fmt.Fprintf(os.Stderr, "isat: %v\n", err)
		return 1
	}
	return 0
}

// runDaemon runs isat's daemon until SIGTERM.
func runDaemon(socket, path string) error {
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return isatd.Run(ctx, isatd.Options{
		Config: c, ConfigPath: path, Socket: socket, Version: "test",
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}
