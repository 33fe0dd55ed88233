package tun

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// clone is the device whose every opening makes an interface.
const clone = "/dev/net/tun"

// Attach makes the interface with the name and returns the file that its frames
// come from, non-blocking, so that Close wakes who reads it. flags are IFF_TUN or
// IFF_TAP and what goes with them. The interface is in the network namespace of
// the calling thread, down, and vanishes when the file is closed.
//
// The error wraps ENOENT or EACCES if there is no /dev/net/tun to open, EPERM
// without CAP_NET_ADMIN, and EBUSY if there is an interface of that name.
func Attach(name string, flags uint16) (*os.File, error) {
	fd, err := unix.Open(clone, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
			return nil, fmt.Errorf("making interface %s: opening %s (load it with \"modprobe tun\", or give the container the device): %w", name, clone, err)
		}
		return nil, fmt.Errorf("making interface %s: opening %s: %w", name, clone, err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		// IFF_TUN_EXCL: an interface that somebody has made to stay is not ours.
		request.SetUint16(flags | unix.IFF_NO_PI | unix.IFF_TUN_EXCL)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		switch {
		case errors.Is(err, unix.EBUSY):
			err = fmt.Errorf("there is one of that name: %w", err)
		case errors.Is(err, unix.EPERM):
			err = fmt.Errorf("needs CAP_NET_ADMIN: %w", err)
		}
		return nil, fmt.Errorf("making interface %s: %w", name, err)
	}
	// After TUNSETIFF: before it the poller finds an error on the file.
	return os.NewFile(uintptr(fd), name), nil
}

// SetCarrier tells the kernel whether the wire behind a TUN or TAP interface is
// there (TUNSETCARRIER, Linux 5.0).
func SetCarrier(f *os.File, carrier bool) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("setting the carrier of %s: %w", f.Name(), err)
	}
	value := 0
	if carrier {
		value = 1
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = unix.IoctlSetPointerInt(int(fd), tunSetCarrier, value) }); err != nil {
		set = err
	}
	if set != nil {
		return fmt.Errorf("setting the carrier of %s: %w", f.Name(), set)
	}
	return nil
}

// tunSetCarrier is TUNSETCARRIER of <linux/if_tun.h>, _IOW('T', 226, int).
const tunSetCarrier = 0x400454e2
