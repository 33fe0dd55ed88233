//go:build linux

package guard

import (
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Destroy deletes the table through the socket that owns it: nobody else can.
func (g *Guard[K]) Destroy() error {
	b := g.batch()
	b.add(unix.NFT_MSG_DELTABLE, 0, func(a *netlink.AttributeEncoder) {
		a.String(unix.NFTA_TABLE_NAME, g.table.name)
	})
	return g.apply(b)
}

// CloseOnExec reports whether the guard's socket is closed by execve(2).
func (g *Guard[K]) CloseOnExec() (bool, error) {
	raw, err := g.conn.SyscallConn()
	if err != nil {
		return false, err
	}
	var flags int
	var failed error
	err = raw.Control(func(fd uintptr) {
		flags, failed = unix.FcntlInt(fd, unix.F_GETFD, 0)
	})
	if err != nil {
		return false, err
	}
	return flags&unix.FD_CLOEXEC != 0, failed
}
