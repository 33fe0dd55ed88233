package testns

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// self is the network namespace of the calling thread. /proc/self would be that
// of the main thread.
const self = "/proc/thread-self/ns/net"

// NS is a network namespace. It exists until the test ends and longer if a
// process, socket or descriptor still holds it. Its methods are safe for
// concurrent use.
type NS struct {
	file *os.File
}

// Require ends the test with [Missing] unless the process may make network
// namespaces, which needs root or CAP_SYS_ADMIN. [New], [Enter] and [Run] do that
// themselves.
func Require(t testing.TB) {
	t.Helper()
	New(t)
}

// New makes a network namespace with its loopback interface up. It is released
// at the end of the test.
func New(t testing.TB) *NS {
	t.Helper()
	type result struct {
		file *os.File
		err  error
	}
	made := make(chan result, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and no other
		// goroutine ever runs in the new namespace by accident.
		runtime.LockOSThread()
		file, err := unshare()
		made <- result{file, err}
	}()
	r := <-made
	if r.err != nil {
		Missing(t, "no network namespace can be made here: %v", r.err)
	}
	t.Cleanup(func() { r.file.Close() })
	return &NS{file: r.file}
}

// unshare moves the calling thread into a new network namespace, sets lo up and
// returns the namespace, open.
func unshare() (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("unshare (needs root or CAP_SYS_ADMIN): %w", err)
	}
	if err := loopbackUp(); err != nil {
		return nil, fmt.Errorf("setting lo up: %w", err)
	}
	return os.Open(self)
}

// loopbackUp sets IFF_UP on lo with the ioctl of netdevice(7).
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}

// Enter moves the test into a new network namespace until it ends. Call it from
// the test's own goroutine. Only that goroutine is in the namespace. Others are
// not, those of subtests included: they use it through sockets that were made in
// it, or by Do of what is returned.
func Enter(t testing.TB) *NS {
	t.Helper()
	ns := New(t)
	leave, err := ns.enter()
	if err != nil {
		t.Fatal(err)
	}
	// Cleanup functions run on the goroutine of the test, hence on its thread.
	t.Cleanup(leave)
	return ns
}

// Run runs f in a new network namespace, on the calling goroutine, so that f may
// call t.Fatal. Goroutines that f starts are not in the namespace.
func Run(t testing.TB, f func()) {
	t.Helper()
	leave, err := New(t).enter()
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	f()
}

// Do runs f in the namespace and returns its error. It runs on the calling
// goroutine, so that f may call t.Fatal; calls may be nested. Goroutines that f
// starts are not in the namespace; processes and sockets are, and stay there.
func (ns *NS) Do(f func() error) error {
	leave, err := ns.enter()
	if err != nil {
		return err
	}
	defer leave()
	return f()
}

// FD returns the descriptor of the namespace, for setns(2) and IFLA_NET_NS_FD.
// It is valid until the test ends.
func (ns *NS) FD() int { return int(ns.file.Fd()) }

// Path returns a path of the namespace that other processes can open, for
// nsenter(1), valid until the test ends.
func (ns *NS) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.FD()) }

// enter locks the goroutine to its thread and moves the thread into ns. The
// function it returns moves it back and unlocks. If it cannot move it back, it
// leaves it locked: the thread then ends with the goroutine, and never runs
// another in the wrong namespace.
func (ns *NS) enter() (leave func(), err error) {
	runtime.LockOSThread()
	before, err := os.Open(self)
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("opening the present network namespace: %w", err)
	}
	if err := unix.Setns(ns.FD(), unix.CLONE_NEWNET); err != nil {
		before.Close()
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("entering the network namespace: %w", err)
	}
	return func() {
		defer before.Close()
		if unix.Setns(int(before.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}, nil
}
