//go:build linux

package guard_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/guard"
	"github.com/isat-project/isat/internal/testns"
)

// ownerVariable in the environment makes the test binary a process that guards
// e0 until it is killed.
const ownerVariable = "ISAT_TEST_GUARD_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(ownerVariable) != "" {
		fmt.Fprintln(os.Stderr, own())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// own guards e0 of the namespace that the process is in. A line on standard
// output says that it is guarded.
func own() error {
	g, err := guard.Open()
	if err != nil {
		return err
	}
	for {
		if err := g.Refresh([]string{"e0"}); err != nil {
			return err
		}
		fmt.Println("guarded")
		time.Sleep(guard.Timeout / 6)
	}
}

// owner starts another process that guards e0 of a namespace.
func owner(t *testing.T, ns *testns.NS) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(self)
	process.Env = append(os.Environ(), ownerVariable+"=1")
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Do(process.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatalf("the other process did not guard e0: %v", err)
	}
	go io.Copy(io.Discard, lines)
	return process
}

// requireSilence asks for the host and fails if its kernel hears it, as far as the
// silence for a moment shows.
func requireSilence(t *testing.T, l *lan) {
	t.Helper()
	for range 5 {
		l.peerARP.send(t, l.request())
		if p, ok := l.peerARP.receive(t, 20*time.Millisecond); ok {
			t.Fatalf("the guarded kernel sent %+v", p)
		}
	}
}

func TestDeathOfTheOwnerEndsTheGuard(t *testing.T) {
	l := newLAN(t)
	process := owner(t, l.host)
	requireSilence(t, l)

	err := l.host.Do(func() error {
		_, err := guard.Open()
		return err
	})
	var taken *guard.TakenError
	if !errors.As(err, &taken) || taken.Port != uint32(process.Process.Pid) {
		t.Errorf("Open beside it: %v, want a TakenError with port %d", err, process.Process.Pid)
	}

	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	process.Wait()
	open(t, l.host) // there is no table now, although its elements had time left
	l.ask(t)
}

func TestStoppedOwnerLosesTheGuard(t *testing.T) {
	l := newLAN(t)
	process := owner(t, l.host)
	requireSilence(t, l)
	if err := process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l.ask(t) // after guard.Timeout

	// When it goes on, it guards again.
	if err := process.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	within(t, "the guard is back", func() bool {
		l.peerARP.send(t, l.request())
		_, answered := l.peerARP.receive(t, 50*time.Millisecond)
		return !answered
	})
}
