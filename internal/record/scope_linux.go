//go:build linux

package record

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Scope is where and when something holds: one network namespace in one boot.
// The zero Scope is none.
type Scope struct {
	// Boot is the boot id (random(4), /proc/sys/kernel/random/boot_id).
	Boot string `json:"boot"`
	// NetNS is the cookie of the network namespace (SO_NETNS_COOKIE, Linux 5.14),
	// in decimal. Unlike the inode of /proc/PID/ns/net it is not used again in a
	// boot, so a record cannot be mistaken for one of a later namespace.
	NetNS string `json:"netns"`
}

// Here returns the scope of the calling thread.
func Here() (Scope, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Scope{}, fmt.Errorf("reading the boot id: %w", err)
	}
	cookie, err := cookie()
	if err != nil {
		return Scope{}, fmt.Errorf("reading the cookie of the network namespace (needs Linux 5.14): %w", err)
	}
	return Scope{strings.TrimSpace(string(boot)), strconv.FormatUint(cookie, 10)}, nil
}

// in returns the scope of what embeds it.
func (s Scope) in() Scope { return s }

// scoped is what belongs to a scope.
type scoped interface{ in() Scope }

// loadHere returns the part of a list that is of a scope, in its order.
func loadHere[T scoped](f file[T], here Scope) ([]T, error) {
	list, err := f.load()
	return slices.DeleteFunc(list, func(t T) bool { return t.in() != here }), err
}

// saveHere replaces the part of a list that is of a scope. What is of other
// namespaces stays, what is of another boot goes.
func saveHere[T scoped](f file[T], here Scope, part []T) error {
	return f.update(func(list []T) ([]T, bool, error) {
		before := len(list)
		list = slices.DeleteFunc(list, func(t T) bool { return t.in().Boot != here.Boot || t.in() == here })
		return append(list, part...), before > 0 || len(part) > 0, nil
	})
}

// cookie asks any socket for the namespace that it was made in.
func cookie() (uint64, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	cookie, err := unix.GetsockoptUint64(s, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	return cookie, os.NewSyscallError("getsockopt", err)
}
