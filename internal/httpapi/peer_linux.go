package httpapi

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PeerCredentials asks the kernel who connected: SO_PEERCRED (unix(7)) for uid
// and gid, SO_PEERGROUPS (Linux 4.13) for the supplementary groups.
func PeerCredentials(c net.Conn) (Credentials, error) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return Credentials{}, fmt.Errorf("peer credentials of a %T: it has no descriptor", c)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return Credentials{}, fmt.Errorf("peer credentials: %w", err)
	}
	var cred Credentials
	var inner error
	err = raw.Control(func(fd uintptr) { cred, inner = credentials(int(fd)) })
	if err == nil {
		err = inner
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("peer credentials: %w", err)
	}
	return cred, nil
}

func credentials(fd int) (Credentials, error) {
	u, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Credentials{}, os.NewSyscallError("getsockopt SO_PEERCRED", err)
	}
	if u.Uid == noID { // not a Unix socket with a peer
		return Credentials{}, fmt.Errorf("getsockopt SO_PEERCRED: no peer: %w", unix.ENOTCONN)
	}
	groups, err := peerGroups(fd)
	if err != nil && err != unix.ENOPROTOOPT { // a sandbox without it: gid alone counts
		return Credentials{}, os.NewSyscallError("getsockopt SO_PEERGROUPS", err)
	}
	c := Credentials{Known: true, UID: u.Uid, GID: u.Gid, Groups: groups}
	if c.overflows() && !allMapped() {
		return c.withoutOverflow(), nil
	}
	return c, nil
}

// overflowID stands for every id without a number in our user namespace: the
// default of kernel.overflowuid and kernel.overflowgid (user_namespaces(7)). It
// is also the usual number of nobody.
const overflowID = 65534

// overflows reports whether c may be of somebody else than it says.
func (c Credentials) overflows() bool {
	return c.UID == overflowID || c.GID == overflowID || slices.Contains(c.Groups, overflowID)
}

// noID is (uid_t)-1, which is nobody's (user_namespaces(7)).
const noID = ^uint32(0)

// withoutOverflow returns c without the ids that may be anybody's. Groups are
// dropped one by one: whoever enters a namespace without root keeps groups that
// are not mapped there.
func (c Credentials) withoutOverflow() Credentials {
	if c.UID == overflowID {
		return Credentials{}
	}
	if c.GID == overflowID {
		c.GID = noID
	}
	c.Groups = slices.DeleteFunc(c.Groups, func(g uint32) bool { return g == overflowID })
	return c
}

// allMapped reports whether our user namespace has a number for every id, as the
// initial one does, so that 65534 is that very user.
func allMapped() bool {
	for _, name := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		text, err := os.ReadFile(name)
		// One line: all ids but -1, which is none.
		if err != nil || !slices.Equal(strings.Fields(string(text)), []string{"0", "0", "4294967295"}) {
			return false
		}
	}
	return true
}

// maxGroups is NGROUPS_MAX (linux/limits.h).
const maxGroups = 65536

// peerGroups exists because x/sys has no call for an option of any length.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32) // most users have fewer
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno == unix.ERANGE && int(size/4) > len(groups) && size/4 <= maxGroups: // size is what is needed
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}
