package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// published are entries as arp -s makes them, with the MAC that is answered; ""
// is that of the interface, whichever it is.
var published = []struct{ args, ip, mac string }{
	{"192.0.2.70 02:00:00:00:00:70 pub", "192.0.2.70", "02:00:00:00:00:70"},
	{"192.0.2.71 auto pub", "192.0.2.71", ""},
	{"192.0.2.72 02:00:00:00:00:72 pub only", "192.0.2.72", "02:00:00:00:00:72"},
	{"192.0.2.73 auto pub only", "192.0.2.73", ""},
}

// TestHostPublished lets everything happen to an interface that publishes: what it
// publishes is announced when peers may have forgotten or have it wrong, and
// answered for, with the interface's address of that moment, and it is there again
// when isat is.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestHostPublished(t *testing.T) {
	t.Parallel()
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, standard)
	d.Wire("e0").AllowClaims("isat answers for others")
	wire := peer.Capture("e0")
	own := isatMAC
	macOf := func(mac string) string {
		if mac == "" {
			return own
		}
		return mac
	}
	check := func(when string, mark int, announces bool) {
		t.Helper()
		for _, p := range published {
			if announces {
				wire.Await(mark, when+": the announcement of "+p.ip, announced(p.ip, macOf(p.mac)))
			}
			await(t, fmt.Sprintf("%s: %s is answered with %s", when, p.ip, macOf(p.mac)), func() bool {
				mark := wire.Mark()
				wire.Send(request(peerIP, peerMAC, p.ip))
				return len(wire.Since(mark, both(isAt(p.ip), func(f Frame) bool { return f.Packet.SenderHW.String() == macOf(p.mac) }))) > 0
			})
		}
	}

	mark := wire.Mark()
	for _, p := range published {
		if r := d.Tool(append([]string{"arp", "-s"}, strings.Fields(p.args)...)...); r.Code != 0 {
			t.Fatalf("arp -s %s: %+v", p.args, r)
		}
	}
	check("set", mark, true)
	for _, p := range published {
		_, fixed := isat.Neighbour("e0", p.ip)
		if only := strings.HasSuffix(p.args, "only"); fixed == only {
			t.Errorf("arp -s %s: it is in the kernel's neighbour table: %v, want %v", p.args, fixed, !only)
		}
	}

	mark = wire.Mark()
	peer.Must("ip", "link", "set", "e0", "down")
	await(t, "isat sees the link down", func() bool { return d.Said("isat: e0: link is down") == 1 })
	peer.Must("ip", "link", "set", "e0", "up")
	check("the link was down", mark, true)

	mark = wire.Mark()
	own = "02:00:00:00:00:11"
	isat.Must("ip", "link", "set", "e0", "address", own)
	check("the MAC is another", mark, true)

	mark = wire.Mark()
	isat.Must("ip", "link", "set", "e0", "down")
	isat.Must("ip", "link", "set", "e0", "name", "e7")
	isat.Must("ip", "link", "set", "e7", "up")
	check("the name is another", mark, true)
	isat.Must("ip", "link", "set", "e7", "down")
	isat.Must("ip", "link", "set", "e7", "name", "e0")
	isat.Must("ip", "link", "set", "e0", "up")
	await(t, "the old name is back", func() bool { _, ok := d.Entry("e0", published[0].ip); return ok })

	if r := d.Tool("release", "e0"); r.Code != 0 {
		t.Fatalf("isat release: %+v", r)
	}
	mark = wire.Mark()
	wire.Send(request(peerIP, peerMAC, published[0].ip))
	wire.Send(request(peerIP, peerMAC, isatIP))
	wire.Await(mark, "the kernel's answer", isAt(isatIP))
	if f := wire.Since(mark, isAt(published[0].ip)); len(f) > 0 {
		t.Errorf("a published address is answered for after the release: %v", f)
	}
	mark = wire.Mark()
	if r := d.Tool("take", "e0"); r.Code != 0 {
		t.Fatalf("isat take: %+v", r)
	}
	check("taken over again", mark, true)

	d.Stop()
	mark = wire.Mark()
	d = d.Restart(standard)
	d.Wire("e0").AllowClaims("isat answers for others")
	check("another daemon", mark, true)
	own = "02:00:00:00:00:12"
	isat.Must("ip", "link", "set", "e0", "address", own)
	check("another daemon, another MAC", wire.Mark(), false)
}

// TestHostRejectKilled kills the daemon while it has routes for reject and
// blackhole: isat restore deletes them and nothing else, and the next daemon has
// what was set by hand.
func TestHostRejectKilled(t *testing.T) {
	t.Parallel()
	isat, _ := NewPair(t)
	isat.Must("ip", "route", "add", "unreachable", "192.0.2.82", "proto", "static")
	before := isat.Dump()
	d := StartISAT(t, isat, standard)
	for _, args := range []string{"192.0.2.80 02:00:00:00:00:80 reject", "192.0.2.81 02:00:00:00:00:81 blackhole"} {
		if r := d.Tool(append([]string{"arp", "-s"}, strings.Fields(args)...)...); r.Code != 0 {
			t.Fatalf("arp -s %s: %+v", args, r)
		}
	}
	r := d.Tool("arp", "-s", "192.0.2.82", "02:00:00:00:00:82", "reject")
	if r.Code == 0 || !strings.Contains(r.Stderr, `delete it by "ip route del unreachable 192.0.2.82"`+"\n") {
		t.Errorf("arp -s where somebody else has a route: %+v", r)
	}
	const routes = "unreachable 192.0.2.80 proto 82\nblackhole 192.0.2.81 proto 82\n" // by address
	here := func() bool {
		var ours []string
		for l := range strings.Lines(isat.Must("ip", "route", "show")) {
			if strings.Contains(l, " proto 82") {
				ours = append(ours, strings.TrimSpace(l)+"\n")
			}
		}
		return strings.Join(ours, "") == routes
	}
	await(t, "the kernel has the routes", here)
	if r := isat.Run("ping", "-c", "1", "-W", "1", "192.0.2.80"); r.Code == 0 || !strings.Contains(r.Stderr, "No route to host") {
		t.Errorf("ping of a rejected address: %+v", r)
	}
	await(t, "the entries are written down", func() bool {
		b, err := os.ReadFile(d.path("run/entries.json"))
		return err == nil && strings.Contains(string(b), "192.0.2.80") && strings.Contains(string(b), "192.0.2.81")
	})
	d.Kill()
	if !here() {
		t.Errorf("after SIGKILL the routes are\n%s", isat.Must("ip", "route", "show"))
	}
	if r := isat.Run(program(t), "restore", "--runtime-dir", d.path("run")); r.Code != 0 {
		t.Fatalf("isat restore: %+v", r)
	}
	isat.SameDump("after isat restore", before)
	d = d.Restart(standard)
	await(t, "the routes are there again", here)
	d.Stop()
	isat.SameDump("after the end", before)
}
