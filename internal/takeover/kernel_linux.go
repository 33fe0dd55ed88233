package takeover

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The oldest kernel that takeover works on (DESIGN section 4): the flag owner of
// nftables tables came with 5.12, the cookie of a network namespace with 5.14,
// and the accounting of externally learned neighbours is relied on as of 5.16.
const (
	minKernelMajor = 5
	minKernelMinor = 16
)

// checkKernel returns an error that wraps EOPNOTSUPP if the kernel is too old.
func checkKernel() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("asking for the kernel's release: %w", err)
	}
	return checkRelease(unix.ByteSliceToString(u.Release[:]))
}

// checkRelease is checkKernel for a release such as 6.1.0-13-amd64. One that
// cannot be read is let pass: what is missing then shows when it is used.
func checkRelease(release string) error {
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		return nil
	}
	if major < minKernelMajor || major == minKernelMajor && minor < minKernelMinor {
		return fmt.Errorf("this is Linux %s, and taking interfaces over needs %d.%d or newer: %w", release, minKernelMajor, minKernelMinor, syscall.EOPNOTSUPP)
	}
	return nil
}
