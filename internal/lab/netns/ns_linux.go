package netns

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// current is the network namespace of the calling thread. /proc/self would be
// that of the main thread.
const current = "/proc/thread-self/ns/net"

// NS is a network namespace. It lives until Close, and longer if a process or a
// socket is still in it. Its methods are safe for concurrent use.
type NS struct {
	file *os.File
}

// New makes a network namespace with its loopback interface up. It needs
// CAP_SYS_ADMIN in the user namespace of the process; without, the error wraps
// EPERM.
func New() (*NS, error) {
	leave, err := stay()
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return nil, fmt.Errorf("setting the loopback interface up: %w", err)
	}
	file, err := os.Open(current)
	if err != nil {
		return nil, fmt.Errorf("opening a new network namespace: %w", err)
	}
	return &NS{file: file}, nil
}

// FD returns the descriptor of the namespace, as IFLA_NET_NS_FD wants it. It is
// valid until Close.
func (n *NS) FD() int { return int(n.file.Fd()) }

// Close lets go of the namespace. Processes and sockets in it keep it alive.
func (n *NS) Close() error { return n.file.Close() }

// Do runs f with its thread in the namespace and returns what f returns. Sockets
// that f opens stay in the namespace wherever they are used later; goroutines
// that f starts are not in it. Calls may be nested.
func (n *NS) Do(f func() error) error {
	leave, err := stay()
	if err != nil {
		return err
	}
	defer leave()
	if err := unix.Setns(n.FD(), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering a network namespace: %w", err)
	}
	return f()
}

// stay locks the goroutine to its thread and returns the function that brings the
// thread back to the namespace it is in now.
func stay() (leave func(), err error) {
	runtime.LockOSThread()
	before, err := os.Open(current)
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("opening the present network namespace: %w", err)
	}
	return func() {
		defer before.Close()
		if err := unix.Setns(int(before.Fd()), unix.CLONE_NEWNET); err != nil {
			// The caller would go on in a network that is not its own, and change it.
			panic(fmt.Sprintf("netns: returning to the network namespace: %v", err))
		}
		runtime.UnlockOSThread()
	}, nil
}

// loopbackUp sets IFF_UP on lo with the ioctl of netdevice(7).
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return os.NewSyscallError("SIOCSIFFLAGS", unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo))
}
