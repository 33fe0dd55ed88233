package packet

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls on a non-blocking socket. They are made here because those of
// x/sys/unix allocate an address for each message, and it has none for several
// messages.

// mmsghdr is struct mmsghdr of recvmmsg(2), which x/sys/unix lacks.
type mmsghdr struct {
	unix.Msghdr
	n uint32 // bytes received or sent
}

// recvmsg receives one message without waiting and returns 1, or 0 and the
// error.
func recvmsg(fd uintptr, h *mmsghdr) (int, syscall.Errno) {
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&h.Msghdr)), 0)
	if errno != 0 {
		return 0, errno
	}
	h.n = uint32(n)
	return 1, 0
}

// recvmmsg receives as many messages as are there without waiting, and returns
// how many, or 0 and the error.
func recvmmsg(fd uintptr, h []mmsghdr) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&h[0])), uintptr(len(h)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// send sends one frame without waiting and returns 1, or 0 and the error.
func send(fd uintptr, frame []byte) (int, syscall.Errno) {
	_, _, errno := unix.Syscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(frame))), uintptr(len(frame)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return 1, 0
}

// sendmmsg sends messages without waiting and returns how many went, or 0 and
// the error of the first.
func sendmmsg(fd uintptr, h []mmsghdr) (int, syscall.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&h[0])), uintptr(len(h)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
