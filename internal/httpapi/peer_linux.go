package httpapi

import (
	"fmt"
	"net"
	"os"
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
	if u.Uid == ^uint32(0) { // (uid_t)-1: not a Unix socket with a peer
		return Credentials{}, fmt.Errorf("getsockopt SO_PEERCRED: no peer: %w", unix.ENOTCONN)
	}
	groups, err := peerGroups(fd)
	if err != nil && err != unix.ENOPROTOOPT { // a sandbox without it: gid alone counts
		return Credentials{}, os.NewSyscallError("getsockopt SO_PEERGROUPS", err)
	}
	return Credentials{Known: true, UID: u.Uid, GID: u.Gid, Groups: groups}, nil
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
