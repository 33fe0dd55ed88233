package lab

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test program a small isat, because the lab runs its own
// program again: with `lab` as the first argument it is `isat lab`, with
// `run` it is a daemon that leaves ARP to the kernel.
func TestMain(m *testing.M) {
	if os.Getenv(refusedEnv) != "" && len(os.Args) > 1 && os.Args[1] == "lab" {
		fmt.Fprintf(os.Stderr, "refusing namespaces: %v\n", refuseNamespaces())
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == "lab" {
		os.Exit(labMain(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "run" {
		os.Exit(kernelMain(os.Args[2:]))
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
