package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nobody runs a command of isat as a user without any rights.
func (d *ISAT) nobody(args ...string) Result {
	d.t.Helper()
	line := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program(d.t), "--socket", d.path("sock")}
	return d.Host.Run(append(line, args...)...)
}

// TestHostRights lets nobody read what `ip neigh` shows anyone, and change
// nothing.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestHostRights(t *testing.T) {
	t.Parallel()
	need(t, "setpriv")
	isat, _ := NewPair(t)
	d := StartISAT(t, isat, standard)
	for _, dir := range []string{d.dir, filepath.Dir(program(t))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	isat.Must("ping", "-c", "1", peerIP)
	if s, err := os.Stat(d.path("sock")); err != nil || s.Mode().Perm() != 0o666 {
		t.Errorf("the socket has mode %v, %v, want 0666", s.Mode(), err)
	}
	reads := [][]string{{"arp", "-an"}, {"status"}, {"stats"}, {"route"}, {"sysctl", "-a"}}
	for _, args := range reads {
		if r := d.nobody(args...); r.Code != 0 || r.Stdout == "" || r.Stderr != "" {
			t.Errorf("nobody may not read: %+v", r)
		}
	}
	if r := d.nobody("arp", "-an"); !strings.Contains(r.Stdout, peerMAC) {
		t.Errorf("nobody reads %q", r.Stdout)
	}
	before, table := isat.Dump(), d.listing("e0")
	changes := [][]string{
		{"arp", "-s", "192.0.2.9", "02:00:00:00:00:09"}, {"arp", "-d", peerIP}, {"arp", "-d", "-a"},
		{"sysctl", "net.link.ether.inet.max_age=60"}, {"release", "e0"}, {"take", "lo"}, {"reload"},
		{"announce", "e0", isatIP}, {"probe", "e0", "192.0.2.77"}, {"resolve", "192.0.2.77"}, {"events", "--count", "1"},
	}
	for _, args := range changes {
		r := d.nobody(args...)
		if r.Code != 1 || strings.Count(r.Stderr, "\n") != 1 || !strings.Contains(r.Stderr, "not permitted") {
			t.Errorf("nobody runs isat %v: %+v, want exit status 1 and one line", args, r)
		}
	}
	isat.SameDump("after nobody has tried", before)
	if got := d.listing("e0"); got != table {
		t.Errorf("nobody changed the table from\n%s\nto\n%s", table, got)
	}
	if r := d.nobody("restore", "--runtime-dir", d.path("run")); r.Code != 1 {
		t.Errorf("nobody runs isat restore: %+v", r)
	}
	isat.SameDump("after nobody has restored", before)
}
