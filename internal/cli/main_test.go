package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary serve as isat and arp in the scripts: the real
// command line with a host of its own invention.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"isat": fakeMain, "arp": fakeMain})
}

func fakeMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	uid, _ := strconv.Atoi(os.Getenv("FAKE_UID"))
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		resolver:   fakeResolver{},
		interfaces: func() ([]string, error) { return []string{"lo", "eth0", "eth1", "veth9"}, nil },
		uid:        uid,
		programs:   Programs{Run: fakeRun, Lab: fakeLab, Restore: fakeRestore},
	}
	if os.Getenv("FAKE_SYSTEM") == "bare" {
		a.programs = Programs{}
	}
	os.Exit(a.main(ctx, os.Args))
}

// TestScript runs the scripts of testdata/script: what users type, see and get as
// exit status.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			socket := filepath.Join(env.WorkDir, "isat.sock")
			listener, err := net.Listen("unix", socket)
			if err != nil {
				return err
			}
			server := newFakeDaemon()
			go server.Serve(listener)
			env.Defer(func() { server.Close() })
			env.Setenv("ISAT_SOCKET", socket)
			env.Setenv("TZ", "UTC")
			env.Setenv("ISAT_TEST_MUTANT", os.Getenv("ISAT_TEST_MUTANT")) // of test/arp4
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits is a command for scripts: `exits STATUS PROGRAM ARGUMENT...` runs the
// program and fails unless it ends with that status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGUMENT...")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	status := 0
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, want %s", status, args[0])
	}
}

// fakeResolver knows one host, fails for another, and hangs for a third.
type fakeResolver struct{}

func (fakeResolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	switch addr {
	case "192.0.2.1":
		return []string{"gateway.example.", "other.example."}, nil
	case "203.0.113.3":
		return []string{"late.example."}, nil
	case "198.51.100.2":
		return nil, &net.DNSError{Err: "server misbehaving", IsTemporary: true}
	case "203.0.113.2":
		<-ctx.Done()
		return nil, &net.DNSError{Err: ctx.Err().Error(), IsTimeout: true}
	}
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

func (fakeResolver) LookupIP(_ context.Context, network, host string) ([]net.IP, error) {
	switch {
	case network != "ip4":
		return nil, fmt.Errorf("network %s: want ip4", network)
	case host == "gateway.example":
		return []net.IP{net.IPv4(192, 0, 2, 1)}, nil
	case host == "broken.example":
		return nil, &net.DNSError{Err: "server misbehaving", IsTemporary: true}
	}
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

// fakeRun prints what it is asked for.
func fakeRun(_ context.Context, o RunOptions) error {
	fmt.Printf("config %s\ninterfaces %q\nobserve %v\n", filepath.Base(o.ConfigPath), o.Interfaces, o.Observe)
	if o.ConfigPath != "" && !filepath.IsAbs(o.ConfigPath) {
		return fmt.Errorf("config path %q is not absolute", o.ConfigPath)
	}
	for _, i := range o.Config.Interfaces {
		fmt.Printf("%s %s line %d\n", i.Name, i.Datapath, i.Line)
	}
	o.Log.Debug("arp: a debug line")
	o.Log.Error("arp: an error line", "if", "eth0")
	return nil
}

func fakeLab(_ context.Context, o LabOptions) (bool, error) {
	fmt.Fprintf(o.Stdout, "once %v json %v require-all %v scenarios %s pcap %q\n",
		o.Once, o.JSON, o.RequireAll, strings.Join(o.Scenarios, " "), o.Pcap)
	if len(o.Scenarios) == 1 && o.Scenarios[0] == "unknown" {
		return false, errors.New("no scenario unknown")
	}
	return len(o.Scenarios) == 0 || o.Scenarios[0] != "crash", nil
}

func fakeRestore(_ context.Context, o RestoreOptions) error {
	fmt.Fprintf(o.Stdout, "interfaces %q runtime-dir %s\n", o.Interfaces, o.RuntimeDir)
	return nil
}
