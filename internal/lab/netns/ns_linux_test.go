package netns_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/internal/lab/netns"
	"github.com/isat-project/isat/internal/testns"
)

// newNS makes a namespace that ends with the test.
func newNS(t *testing.T) *netns.NS {
	t.Helper()
	testns.Require(t)
	n, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// where names the namespace of the calling thread.
func where(t *testing.T) string {
	t.Helper()
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestDoRunsThereAndReturns(t *testing.T) {
	a, b := newNS(t), newNS(t)
	home := where(t)
	reason := errors.New("reason")
	var inA, inB, backInA string
	err := a.Do(func() error {
		inA = where(t)
		err := b.Do(func() error { inB = where(t); return reason })
		backInA = where(t)
		return err
	})
	if err != reason {
		t.Errorf("Do returned %v, want the error of the function", err)
	}
	if inA == home || inB == home || inA == inB || backInA != inA || where(t) != home {
		t.Errorf("home %s, a %s, b %s, back in a %s, back home %s", home, inA, inB, backInA, where(t))
	}
}

func TestDoReturnsAfterPanic(t *testing.T) {
	n, home := newNS(t), where(t)
	func() {
		defer func() { _ = recover() }()
		_ = n.Do(func() error { panic("in the namespace") })
	}()
	if now := where(t); now != home {
		t.Errorf("after a panic in %s, want %s", now, home)
	}
}

func TestDoConcurrently(t *testing.T) {
	n, home := newNS(t), where(t)
	var inside string
	if err := n.Do(func() error { inside = where(t); return nil }); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if err := n.Do(func() error {
					if now := where(t); now != inside {
						t.Errorf("in %s, want %s", now, inside)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
				if now := where(t); now != home {
					t.Errorf("back in %s, want %s", now, home)
				}
			}
		})
	}
	wg.Wait()
}

func TestNewHasLoopbackAlone(t *testing.T) {
	n := newNS(t)
	err := n.Do(func() error {
		all, err := net.Interfaces()
		if err != nil {
			return err
		}
		if len(all) != 1 || all[0].Name != "lo" || all[0].Flags&net.FlagUp == 0 {
			t.Errorf("interfaces are %v, want lo alone, up", all)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestProcessIsBornInside(t *testing.T) {
	n := newNS(t)
	var inside string
	if err := n.Do(func() error { inside = where(t); return nil }); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command("/bin/readlink", "/proc/self/ns/net")
	cmd.Stdout = &out
	p, err := n.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != inside {
		t.Errorf("child in %s, want %s", got, inside)
	}
}

func TestProcessSignals(t *testing.T) {
	n := newNS(t)
	p, err := n.Start(exec.Command("/bin/sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
		t.Fatal("ended by itself")
	default:
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("Wait returned %v, want an end by SIGKILL", err)
	}
	if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal after the end: %v, want os.ErrProcessDone", err)
	}
}

func TestProcessStops(t *testing.T) {
	n := newNS(t)
	// A shell that counts for ever, and says so at every step.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", "while :; do echo; done")
	cmd.Stdout = w
	p, err := n.Start(cmd)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		_ = p.Wait() // "signal: killed"
	}()
	read := func() (n int, err error) {
		var b [1 << 16]byte
		if err := r.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		return r.Read(b[:])
	}
	for range 5 {
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		for err == nil { // what it said before
			_, err = read()
		}
		if n, err := read(); !os.IsTimeout(err) {
			t.Fatalf("stopped, and says %d bytes, %v", n, err)
		}
		if err = p.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		for n, err := read(); n == 0; n, err = read() {
			if err != nil && !os.IsTimeout(err) {
				t.Fatalf("going on: %v", err)
			}
		}
	}
}

func TestStartOfNothing(t *testing.T) {
	if _, err := newNS(t).Start(exec.Command("/nonexistent/program")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want one that wraps os.ErrNotExist", err)
	}
}
