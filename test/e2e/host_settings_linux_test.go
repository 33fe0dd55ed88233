package e2e

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// taken are the neighbour parameters of a taken-over interface (DESIGN section 4):
// the kernel asks isat alone, and if isat is gone it asks the wire maxtries times.
var taken = map[string]string{
	"app_solicit": "1", "ucast_solicit": "0", "mcast_solicit": "5", "mcast_resolicit": "5", "delay_first_probe_time": "1",
}

// params returns the neighbour parameters of an interface that isat changes.
func (h *Host) params(ifname string) map[string]string {
	h.t.Helper()
	all := make(map[string]string)
	for name := range taken {
		all[name] = strings.TrimSpace(h.Must("cat", "/proc/sys/net/ipv4/neigh/"+ifname+"/"+name))
	}
	return all
}

// checkTaken looks at the parameters of an interface without dad.
func checkTaken(t *testing.T, h *Host, ifname string) {
	t.Helper()
	checkParams(t, h, ifname, taken)
}

// checkTakenDAD is checkTaken with dad, where the kernel waits for six requests at
// least.
func checkTakenDAD(t *testing.T, h *Host, ifname string) {
	t.Helper()
	want := maps.Clone(taken)
	want["mcast_solicit"], want["mcast_resolicit"] = "6", "6"
	checkParams(t, h, ifname, want)
}

func checkParams(t *testing.T, h *Host, ifname string, want map[string]string) {
	t.Helper()
	for name, value := range h.params(ifname) {
		if value != want[name] {
			t.Errorf("%s of %s is %s, want %s", name, ifname, value, want[name])
		}
	}
}

// records returns the text of the daemon's records.
func (d *ISAT) records() string {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.path("run"), "records.json"))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

// TestHostSettings takes an interface over and hands it back in every way: by
// SIGTERM, and by SIGKILL and `isat restore`. Nothing remains.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestHostSettings(t *testing.T) {
	t.Parallel()
	isat, _ := NewPair(t)
	// A value that is nobody's default has to come back, too.
	isat.Sysctl("net.ipv4.neigh.e0.mcast_solicit", 4)
	before := isat.Dump()

	d := StartISAT(t, isat, standard)
	checkTaken(t, isat, "e0")
	for name := range taken {
		if !strings.Contains(d.records(), `"`+name+`"`) {
			t.Errorf("%s is not in the records:\n%s", name, d.records())
		}
	}
	if rules := isat.Must("nft", "list", "ruleset"); !strings.Contains(rules, "e0") {
		t.Errorf("there is no guard for e0:\n%s", rules)
	}
	if r := d.restore(); r.Code != 1 || !strings.Contains(r.Stderr, "isat") {
		t.Errorf("isat restore while the daemon lives: %+v", r)
	}
	checkTaken(t, isat, "e0")
	d.Stop()
	isat.SameDump("after SIGTERM", before)

	d = d.Restart(standard)
	isat.Must("ping", "-c", "1", peerIP)
	d.Kill()
	checkTaken(t, isat, "e0") // a crash leaves the settings: the kernel's ARP works with them
	if r := d.restore(); r.Code != 0 || !strings.Contains(r.Stdout, "app_solicit of e0") {
		t.Errorf("isat restore: %+v", r)
	}
	isat.SameDump("after SIGKILL and restore", before)
	if n, ok := isat.Neighbour("e0", peerIP); ok && n.Protocol == "82" {
		t.Errorf("isat restore leaves isat's entry in the kernel: %+v", n)
	}
	if r := d.restore(); r.Code != 0 || r.Stdout != "" {
		t.Errorf("isat restore again: %+v", r)
	}
	isat.SameDump("after another restore", before)

	// A value that somebody has set since is theirs.
	d = d.Restart(standard)
	d.Kill()
	isat.Sysctl("net.ipv4.neigh.e0.ucast_solicit", 7)
	if r := d.restore(); r.Code != 0 || !strings.Contains(r.Stdout, "left at 7") {
		t.Errorf("isat restore of a value that is not isat's: %+v", r)
	}
	if got := isat.params("e0")["ucast_solicit"]; got != "7" {
		t.Errorf("isat restore made ucast_solicit %s, somebody else had set it to 7", got)
	}
	isat.Sysctl("net.ipv4.neigh.e0.ucast_solicit", 3)
	isat.SameDump("in the end", before)
}

// restore runs isat restore with the daemon's records.
func (d *ISAT) restore(args ...string) Result {
	d.t.Helper()
	return d.Tool(append([]string{"restore", "--runtime-dir", d.path("run")}, args...)...)
}

// TestHostPatience follows maxtries into the kernel: by sysctl and by reload.
func TestHostPatience(t *testing.T) {
	t.Parallel()
	isat, _ := NewPair(t)
	d := StartISAT(t, isat, standard)
	const tries = "net.link.ether.inet.maxtries"
	if r := d.Tool("sysctl", tries+"=9"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	if p := isat.params("e0"); p["mcast_solicit"] != "9" || p["mcast_resolicit"] != "9" {
		t.Errorf("after sysctl %s=9 the kernel has %v", tries, p)
	}
	d.WriteConfig(standard + "[interface.sysctl]\n\"" + tries + "\" = 7\n")
	if r := d.Tool("reload"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	if p := isat.params("e0"); p["mcast_solicit"] != "7" || p["mcast_resolicit"] != "7" {
		t.Errorf("after a reload with %s = 7 for e0 the kernel has %v", tries, p)
	}
}

// TestInterfaceTunables sets the values of interfaces: of those that isat knows
// alone, and until they are reset.
func TestInterfaceTunables(t *testing.T) {
	t.Parallel()
	isat, _ := NewPair(t)
	isat.Must("ip", "link", "add", "free", "type", "veth", "peer", "name", "freed")
	d := StartISAT(t, isat, standard)
	d.WriteConfig(standard + strings.ReplaceAll(standard, "e0", "later"))
	if r := d.Tool("reload"); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	const tries = "net.link.ether.inet.maxtries"
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-i", "e0", tries + "=7"}, 0, tries + ": 5 -> 7\n"},
		{[]string{"-i", "e0", tries + "=default"}, 0, tries + ": 7 -> 5\n"},
		{[]string{"-i", "later", tries + "=7"}, 0, tries + ": 5 -> 7\n"}, // the configuration waits for it
		{[]string{"-i", "e7", tries + "=7"}, 1, "isat: setting " + tries + " of e7: no such interface: \"isat status\" lists those that isat knows\n"},
		{[]string{"-i", "e7", tries + "=default"}, 1, "isat: setting " + tries + " of e7: no such interface: \"isat status\" lists those that isat knows\n"},
		{[]string{"-i", "e7", tries}, 1, "isat: reading " + tries + " of e7: no such interface: \"isat status\" lists those that isat knows\n"},
		{[]string{"-i", "free", tries + "=7"}, 1, "isat: setting " + tries + " of free: not taken over: \"isat take free\" does that\n"},
	} {
		if r := d.Tool(append([]string{"sysctl"}, c.args...)...); r.Code != c.code || r.Stdout+r.Stderr != c.want {
			t.Errorf("isat sysctl %v: %+v, want %d, %q", c.args, r, c.code, c.want)
		}
	}
	if p := isat.params("e0"); p["mcast_solicit"] != "5" {
		t.Errorf("after the reset the kernel has %v", p)
	}
	if _, err := d.API.ResetSysctl(t.Context(), tries, "e7"); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("resetting it on no interface: %v, want ENXIO", err)
	}
	if r := d.Tool("resolve", "-i", "e7", peerIP); r.Code != 1 || !strings.Contains(r.Stderr, "on e7: no such interface: ") {
		t.Errorf("isat resolve on no interface: %+v", r)
	}
}
