//go:build linux

package instance

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// socketName is the name that a daemon holds: "@isat-daemon" in /proc/net/unix.
const socketName = "@isat-daemon" // golang.org/x/sys/unix makes the @ the leading NUL

// backlog bounds the callers whose connection the kernel keeps queued, since
// nobody accepts them. Later ones still learn that the name is held, but not by
// whom.
const backlog = 128

// Lock is the sole right to be the daemon of a network namespace. It lasts until
// Release or the end of the process.
type Lock struct {
	mu sync.Mutex
	fd int // -1 after Release
}

// Holder is the process that holds the lock.
type Holder struct {
	PID int // 0 if it cannot be told, or is not visible in this PID namespace
	UID int // valid if PID is not 0
}

// String is the holder for people to read: "process 123 of user 0".
func (h Holder) String() string {
	if h.PID == 0 {
		return "a process that cannot be told from here"
	}
	return fmt.Sprintf("process %d of user %d", h.PID, h.UID)
}

// HeldError is a lock that another process holds, or this one already. It is
// EBUSY to [errors.Is].
type HeldError struct {
	Holder Holder
}

// Error says who holds the lock and what can be done.
func (e *HeldError) Error() string {
	return fmt.Sprintf("an isat daemon runs in this network namespace already: %v; stop it first", e.Holder)
}

// Is reports whether target is EBUSY.
func (e *HeldError) Is(target error) bool { return target == unix.EBUSY }

// Acquire takes the lock of the calling thread's network namespace, or fails with
// a [*HeldError]. What must not run beside a daemon, such as restoring what a
// killed one left, holds it too while it runs.
func Acquire() (*Lock, error) {
	// A name that is taken and leads nowhere is about to be listened at, or was
	// given up just now. Both settle themselves.
	const tries = 20
	for range tries {
		lock, err := bind()
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, fmt.Errorf("taking the lock of this network namespace: %w", err)
		}
		holder, held, err := Find()
		if err != nil {
			return nil, err
		}
		if held {
			return nil, &HeldError{holder}
		}
		time.Sleep(time.Millisecond)
	}
	return nil, &HeldError{}
}

// bind takes the name and makes it tell who holds it.
func bind() (*Lock, error) {
	fd, err := socket()
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: socketName}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("listen", err)
	}
	return &Lock{fd: fd}, nil
}

// Release gives the lock up. A second Release does nothing.
func (l *Lock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return nil
	}
	err := unix.Close(l.fd)
	l.fd = -1
	return os.NewSyscallError("close", err)
}

// Find returns who holds the lock of the calling thread's network namespace at
// this moment, and held = false if nobody does.
func Find() (holder Holder, held bool, err error) {
	fd, err := socket()
	if err != nil {
		return Holder{}, false, fmt.Errorf("looking for a daemon: %w", err)
	}
	defer unix.Close(fd)
	switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: socketName}); err {
	case nil:
	case unix.ECONNREFUSED: // there is no such name
		return Holder{}, false, nil
	case unix.EAGAIN: // there is, with a full queue
		return Holder{}, true, nil
	default:
		return Holder{}, false, fmt.Errorf("looking for a daemon: %w", os.NewSyscallError("connect", err))
	}
	// These are the credentials at the time of listen(2).
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Holder{}, true, fmt.Errorf("asking who the daemon is: %w", os.NewSyscallError("getsockopt", err))
	}
	return Holder{PID: int(peer.Pid), UID: int(peer.Uid)}, true, nil
}

// socket opens a Unix socket that no child inherits: it would hold the lock on.
func socket() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}
