package lab

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// explain tells why the system did not let us have our namespaces or what belongs
// in them, and what helps. It returns nil for an error that is no such refusal.
// sysctl reads a setting by its path below /proc/sys, "" if there is none.
func explain(err error, sysctl func(path string) string) *refusal {
	switch {
	case errors.Is(err, unix.ENOSPC) && sysctl("user/max_net_namespaces") == "0":
		return &refusal{"this system allows no network namespaces: user.max_net_namespaces is 0",
			"sudo sysctl user.max_net_namespaces=15000"}
	case errors.Is(err, unix.ENOSPC):
		return &refusal{"this system allows no more user namespaces: user.max_user_namespaces is " + sysctl("user/max_user_namespaces"),
			"sudo sysctl user.max_user_namespaces=15000, or run it as root"}
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return explainDenied(sysctl)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return &refusal{"this kernel has no user namespaces (CONFIG_USER_NS)", "run it as root"}
	case errors.Is(err, unix.EOPNOTSUPP):
		return &refusal{"this kernel lacks veth or bridge interfaces", "sudo modprobe -a veth bridge"}
	}
	return nil
}

// explainDenied tells who denies namespaces to ordinary users. Distributions do it
// in different ways.
func explainDenied(sysctl func(path string) string) *refusal {
	switch {
	case sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1": // Ubuntu from 23.10 on
		return &refusal{"AppArmor keeps user namespaces from ordinary users: kernel.apparmor_restrict_unprivileged_userns is 1",
			"sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or run it as root"}
	case sysctl("kernel/unprivileged_userns_clone") == "0": // a patch of Debian and Arch
		return &refusal{"this system keeps user namespaces from ordinary users: kernel.unprivileged_userns_clone is 0",
			"sudo sysctl kernel.unprivileged_userns_clone=1, or run it as root"}
	}
	return &refusal{"user and network namespaces are denied here, as in a container with a seccomp filter",
		"run it as root outside of the container, or start the container with --privileged"}
}

// readSysctl returns the value of a setting, "" if there is none.
func readSysctl(path string) string {
	b, err := os.ReadFile("/proc/sys/" + path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
