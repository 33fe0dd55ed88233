package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isat-project/isat/link/cable"
)

// library builds parts of compat and returns their directory.
func library(t *testing.T, parts ...string) (dir string) {
	t.Helper()
	need(t, "make", "cc")
	dir, err := os.MkdirTemp("", "library") // not t.TempDir, which nobody may read
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	args := []string{"-s", "-C", "../../compat", "BUILD=" + dir}
	for _, p := range append(parts, "libisat-ioctl.so") {
		args = append(args, filepath.Join(dir, p))
	}
	if out, err := exec.Command("make", args...).CombinedOutput(); err != nil {
		t.Fatalf("building %v: %v\n%s", parts, err, out)
	}
	return dir
}

// preload returns the words of a command that runs others with the library of a
// directory, for the daemon.
func (d *ISAT) preload(dir string) []string {
	return []string{"env", "LD_PRELOAD=" + filepath.Join(dir, "libisat-ioctl.so"), "ISAT_SOCKET=" + d.path("sock")}
}

// TestLibraryErrno has compat/errno_test.c, which names each errno of
// docs/ioctl.md, in valgrind.
//
//	192.0.2.1    isat0 (TUN)  isat  e0 ──── e0 peer
//	198.51.100.1 arc0 (TUN)   isat ──────── hub of ARCnet
//	203.0.113.1  off0, no ARP by isat ───── off0 peer
//	10.9.0.1     k0, the kernel's ───────── k0 peer
func TestLibraryErrno(t *testing.T) {
	t.Parallel()
	need(t, "valgrind")
	dir := library(t, "errno_test")
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	n.Veth(isat.End("off0", "02:00:00:00:01:01"), peer.End("off0", "02:00:00:00:01:02"))
	n.Veth(isat.End("k0", "02:00:00:00:02:01"), peer.End("k0", "02:00:00:00:02:02"))
	isat.Must("ip", "addr", "add", "203.0.113.1/24", "dev", "off0")
	isat.Must("ip", "addr", "add", "10.9.0.1/24", "dev", "k0")
	hub, err := cable.Listen(filepath.Join(dir, "hub"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	d := StartISAT(t, isat, fmt.Sprintf(`
[[interface]]
name = "isat0"
datapath = "tun"
port = "packet:e0"
addresses = ["192.0.2.1/24"]
dad = false
[[interface]]
name = "arc0"
datapath = "tun"
port = "cable:%s"
medium = "arcnet"
mac = "1f"
addresses = ["198.51.100.1/24"]
dad = false
[[interface]]
name = "off0"
arp = "off"
dad = false
`, filepath.Join(dir, "hub")))
	if err := os.Chmod(d.dir, 0o755); err != nil { // for nobody
		t.Fatal(err)
	}

	r := isat.Run(append(d.preload(dir), "valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full",
		"--show-leak-kinds=all", "--errors-for-leak-kinds=all", "--suppressions=../../compat/errno_test.supp",
		filepath.Join(dir, "errno_test"))...)
	cases := 0
	for line := range strings.Lines(r.Stdout) {
		verdict, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		cases++
		t.Run(name, func(t *testing.T) {
			if verdict != "PASS" {
				t.Error(line)
			}
		})
	}
	if r.Code != 0 || r.Stderr != "" || cases < 100 {
		t.Errorf("%d cases, exit status %d; standard error has\n%s", cases, r.Code, r.Stderr)
	}
	if e, ok := d.Entry("isat0", "192.0.2.9"); !ok || string(e.MAC) != "02:00:00:00:00:09" || !e.Permanent {
		t.Errorf("the entry that it leaves is %+v, %v", e, ok)
	}
}
