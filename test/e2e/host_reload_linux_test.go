package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/isat-project/isat/api"
	"github.com/isat-project/isat/arp"
)

// interfaces returns what `isat status` says of the interfaces: "e0 up kernel".
func (d *ISAT) interfaces() []string {
	d.t.Helper()
	s, err := d.API.Status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	var all []string
	for _, i := range s.Interfaces {
		all = append(all, i.Name+" "+string(i.State)+" "+string(i.Datapath))
	}
	return all
}

func (d *ISAT) wantInterfaces(what string, want ...string) {
	d.t.Helper()
	if got := d.interfaces(); !slices.Equal(got, want) {
		d.t.Errorf("%s: interfaces %q, want %q", what, got, want)
	}
}

// undisturbed checks that e0 was left alone since the mark: its entry and the
// time of its takeover are as they were, and nothing was asked or announced.
type undisturbed struct {
	since string
	entry api.Entry
	mark  int
}

func (d *ISAT) observe() undisturbed {
	d.t.Helper()
	s, err := d.API.Status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	u := undisturbed{mark: d.Wire("e0").Mark()}
	for _, i := range s.Interfaces {
		if i.Name == "e0" {
			u.since = i.Since.String()
		}
	}
	u.entry, _ = d.Entry("e0", peerIP)
	return u
}

func (u undisturbed) check(d *ISAT, what string) {
	d.t.Helper()
	now := d.observe()
	if now.since != u.since || now.entry.MAC != u.entry.MAC || now.entry.State != u.entry.State {
		d.t.Errorf("%s disturbs e0: %+v, before %+v", what, now, u)
	}
	// (The peer may ask, and is answered.)
	asks := func(f Frame) bool { return f.Packet.Operation == arp.Request }
	if sent := d.Wire("e0").Since(u.mark, both(sentARP, asks)); len(sent) != 0 {
		d.t.Errorf("%s: isat sends %v", what, sent[0].Packet)
	}
}

// TestHostReload changes the configuration in every way, by SIGHUP and by
// `isat reload`: what did not change is not disturbed, and a bad file changes
// nothing.
//
//	isat 192.0.2.1    e0 ──── e0 192.0.2.2 peer
//	     198.51.100.1 e1 ──── e1
func TestHostReload(t *testing.T) {
	t.Parallel()
	need(t, "arping", "ping")
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	n.Veth(isat.End("e1", "02:00:00:00:01:01"), peer.End("e1", "02:00:00:00:01:02"))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	isat.Must("ip", "addr", "add", "198.51.100.1/24", "dev", "e1")
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	before := isat.Dump()
	d := StartISAT(t, isat, standard)
	isat.Must("ping", "-c", "1", peerIP)
	during := isat.Dump()
	e1 := strings.ReplaceAll(standard, "e0", "e1")
	e0 := d.observe()

	reload := func(config string) Result {
		t.Helper()
		d.WriteConfig(config)
		return d.Tool("reload")
	}
	// Nothing new.
	if r := reload(standard); r.Code != 0 {
		t.Errorf("reload of the same file: %+v", r)
	}
	e0.check(d, "a reload of the same file")
	isat.SameDump("after a reload of the same file", during)

	// Bad files, and one that cannot be carried out.
	isat.Must("ip", "link", "add", "br7", "type", "bridge")
	isat.Must("ip", "link", "add", "p0", "type", "veth", "peer", "name", "p1")
	isat.Must("ip", "link", "set", "p0", "master", "br7")
	isat.Must("ip", "link", "set", "p0", "up")
	during = isat.Dump()
	bad := []struct{ config, word string }{
		{standard + "nonsense = 1\n", "nonsense"},
		{"[[interface]]\nname = \n", "toml:"},
		{"", "no [[interface]]"},
		{standard + "[interface.sysctl]\n\"net.link.ether.inet.max_age\" = -7\n", "max_age"},
		{standard + standard, "e0"},
		{e1 + strings.ReplaceAll(standard, "e0", "p0"), "br7"},
		{e1 + standard + "[[arp]]\nhost = \"198.51.100.1\"\nether = \"" + peerMAC + "\"\ninterface = \"e1\"\n", "it is an address of this host"},
	}
	for i, b := range bad {
		r := reload(b.config)
		if r.Code != 1 || !strings.Contains(r.Stderr, b.word) {
			t.Errorf("reload of a bad file: %+v, want exit status 1 and %q", r, b.word)
		}
		if err := d.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		await(t, "SIGHUP says that nothing is changed", func() bool { return strings.Count(d.Output(), "nothing is changed") == i+1 })
	}
	peer.Must("arping", "-c", "1", "-I", "e0", isatIP) // as its kernel does sooner or later
	d.wantInterfaces("after bad files", "e0 up kernel")
	e0.check(d, "a bad file")
	isat.SameDump("after bad files", during)
	isat.Must("ip", "link", "del", "p0")
	isat.Must("ip", "link", "del", "br7")

	// An interface more, by SIGHUP, and one less.
	d.WriteConfig(standard + e1)
	if err := d.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await(t, "isat does ARP on e1", func() bool { return d.Said("isat: does ARP on e1 now") == 1 })
	await(t, "both are taken over", func() bool { return slices.Equal(d.interfaces(), []string{"e0 up kernel", "e1 up kernel"}) })
	checkTaken(t, isat, "e1")
	e0.check(d, "another interface")
	if r := reload(standard); r.Code != 0 || !strings.Contains(r.Stdout, "e1: removed") {
		t.Errorf("reload: %+v", r)
	}
	d.wantInterfaces("without e1", "e0 up kernel")
	if p := isat.params("e1"); p["app_solicit"] != "0" || p["ucast_solicit"] != "3" {
		t.Errorf("e1 has %v after it was handed back", p)
	}
	e0.check(d, "an interface less")

	// Entries.
	entry := func(ip, mac string) string { return "\n[[arp]]\nhost = \"" + ip + "\"\nether = \"" + mac + "\"\n" }
	reload(standard + entry("192.0.2.70", "02:00:00:00:00:70") + entry("192.0.2.71", "02:00:00:00:00:71"))
	listed := func() []string {
		var lines []string
		for line := range strings.Lines(d.listing("e0")) {
			if strings.Contains(line, "(192.0.2.7") {
				lines = append(lines, strings.Fields(line)[1]+" "+strings.Fields(line)[3])
			}
		}
		return lines
	}
	if got, want := listed(), []string{"(192.0.2.70) 02:00:00:00:00:70", "(192.0.2.71) 02:00:00:00:00:71"}; !slices.Equal(got, want) {
		t.Errorf("with two entries: %q, want %q", got, want)
	}
	d.Agree("e0")
	reload(standard + entry("192.0.2.70", "02:00:00:00:00:7a") + entry("192.0.2.72", "02:00:00:00:00:72"))
	if got, want := listed(), []string{"(192.0.2.70) 02:00:00:00:00:7a", "(192.0.2.72) 02:00:00:00:00:72"}; !slices.Equal(got, want) {
		t.Errorf("with one changed, one less and one more: %q, want %q", got, want)
	}
	d.Agree("e0")
	reload(standard)
	if got := listed(); len(got) != 0 {
		t.Errorf("without entries: %q", got)
	}
	d.Agree("e0")
	e0.check(d, "entries that come and go")

	// A pattern: those that are there, those that come, and not those that cannot.
	if r := reload(strings.ReplaceAll(standard, "e0", "*")); r.Code != 0 {
		t.Errorf("reload with a pattern: %+v", r)
	}
	d.wantInterfaces("with a pattern", "e0 up kernel", "e1 up kernel")
	e0.check(d, "a pattern in place of the name")
	n.Veth(isat.End("e2", "02:00:00:00:02:01"), peer.End("e2", "02:00:00:00:02:02"))
	await(t, "isat does ARP on an interface that came", func() bool { return d.Said("isat: does ARP on e2 now") == 1 })
	isat.Must("ip", "link", "del", "e2")
	await(t, "isat says that it is gone", func() bool { return strings.Contains(d.Output(), "isat: e2 is gone") })

	// Observed only.
	if r := reload(strings.ReplaceAll(standard, "dad", "datapath = \"observe\"\ndad")); r.Code != 0 {
		t.Errorf("reload with observe: %+v", r)
	}
	d.wantInterfaces("observed", "e0 up observe")
	isat.SameDump("observed", before)
	d.Stop()
	isat.SameDump("in the end", before)
}

// TestHostTakeRelease hands interfaces back and forth in the running daemon.
func TestHostTakeRelease(t *testing.T) {
	t.Parallel()
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	n.Veth(isat.End("e1", "02:00:00:00:01:01"), peer.End("e1", "02:00:00:00:01:02"))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	peer.Must("ip", "addr", "add", peerIP+"/24", "dev", "e0")
	before := isat.Dump()
	d := StartISAT(t, isat, standard)
	both := func() {
		t.Helper()
		peer.Must("arping", "-q", "-f", "-w", "5", "-I", "e0", isatIP)
		isat.Must("ping", "-c", "1", "-W", "5", peerIP)
	}
	must := func(args ...string) {
		t.Helper()
		if r := d.Tool(args...); r.Code != 0 {
			t.Fatalf("%+v", r)
		}
	}
	both()
	replies := d.Stats().TxReplies
	must("release", "e0")
	isat.SameDump("after release", before)
	both() // the kernel's
	if n := d.Stats().TxReplies; n != replies || n == 0 {
		t.Errorf("isat has sent %d replies, %d before the release", n, replies)
	}
	must("reload")
	d.wantInterfaces("after a reload", "e0 released kernel")
	if r := d.Tool("release", "e0"); r.Code != 1 {
		t.Errorf("isat release of what is not taken over: %+v", r)
	}
	must("take", "e1") // of which the configuration says nothing
	checkTakenDAD(t, isat, "e1")
	must("take", "e0")
	checkTaken(t, isat, "e0")
	both()
	if r := d.Tool("take", "e0"); r.Code != 1 || !strings.Contains(r.Stderr, "already") {
		t.Errorf("isat take of what is taken over: %+v", r)
	}
	d.Stop()
	isat.SameDump("in the end", before)
}
