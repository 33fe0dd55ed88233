package lab

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/testns"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err    error
		sysctl map[string]string
		reason string // a part of it, "" for no refusal
		remedy string
	}{
		{unix.ENOSPC, map[string]string{"user/max_user_namespaces": "0"}, "user.max_user_namespaces is 0", "sudo sysctl user.max_user_namespaces="},
		{unix.ENOSPC, map[string]string{"user/max_net_namespaces": "0"}, "user.max_net_namespaces is 0", "sudo sysctl user.max_net_namespaces="},
		{unix.EPERM, map[string]string{"kernel/apparmor_restrict_unprivileged_userns": "1"}, "AppArmor", "apparmor_restrict_unprivileged_userns=0"},
		{unix.EACCES, map[string]string{"kernel/apparmor_restrict_unprivileged_userns": "1"}, "AppArmor", "apparmor_restrict_unprivileged_userns=0"},
		{unix.EPERM, map[string]string{"kernel/unprivileged_userns_clone": "0"}, "unprivileged_userns_clone is 0", "unprivileged_userns_clone=1"},
		{unix.EPERM, map[string]string{"kernel/unprivileged_userns_clone": "1"}, "container", "--privileged"},
		{unix.EINVAL, nil, "CONFIG_USER_NS", "root"},
		{unix.EOPNOTSUPP, nil, "veth or bridge", "modprobe"},
		{unix.ENOMEM, nil, "", ""},
		{nil, nil, "", ""},
	} {
		var err error
		if c.err != nil {
			err = fmt.Errorf("starting: %w", c.err)
		}
		r := explain(err, func(path string) string { return c.sysctl[path] })
		switch {
		case c.reason == "":
			if r != nil {
				t.Errorf("%v: refusal %v, want none", c.err, r)
			}
		case r == nil || !strings.Contains(r.reason, c.reason) || !strings.Contains(r.remedy, c.remedy):
			t.Errorf("%v with %v: %+v, want %q and %q", c.err, c.sysctl, r, c.reason, c.remedy)
		}
	}
}

// refusedEnv makes the test program forbid user namespaces and become nobody.
const refusedEnv = "ISAT_LAB_TEST_REFUSED"

// TestRefused runs the lab where there may be no user namespace more: in a user
// namespace with the limit 0, as a user without rights there.
func TestRefused(t *testing.T) {
	testns.Require(t)
	if os.Geteuid() != 0 {
		testns.Missing(t, "only root can map two users into a user namespace")
	}
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: nobody, HostID: nobody, Size: 1}}
	t.Setenv(refusedEnv, "1")
	stdout, stderr, ok := runLab(t, &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
	}, "--once", "resolve", "hang")
	for _, want := range []string{
		"No network of real kernels here: this system allows no more user namespaces: user.max_user_namespaces is 0.\n",
		"Remedy: sudo sysctl user.max_user_namespaces=",
		"resolve: a cold ping both ways",
		"PASS  ",
		"SKIP  this system allows no more user namespaces",
		"1 passed, 0 failed, 1 skipped",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("output lacks %q", want)
		}
	}
	if !ok || t.Failed() {
		t.Errorf("ok %v\n%s%s", ok, stdout, stderr)
	}
}

// refuseNamespaces is run as root of a user namespace: it forbids namespaces
// below it and runs the program again as nobody.
func refuseNamespaces() error {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		return err
	}
	os.Unsetenv(refusedEnv)
	if err := syscall.Setgid(nobody); err != nil {
		return err
	}
	if err := syscall.Setuid(nobody); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}
