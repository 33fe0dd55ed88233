package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/isat-project/isat/arp"
)

// verbose lets every diagnostic through, however often it repeats.
const verbose = `
[sysctl]
"net.link.ether.inet.max_log_per_second" = 1000
`

// awaitKernel waits until the kernel has a MAC for an address.
func awaitKernel(t *testing.T, h *Host, ip, mac string) {
	t.Helper()
	await(t, fmt.Sprintf("the kernel of %s has %s at %s", h.Name, ip, mac), func() bool {
		n, ok := h.Neighbour("e0", ip)
		return ok && n.MAC == mac
	})
}

// TestMoves: whatever packet an existing dynamic entry's owner sends, to whomever,
// brings it up to date, in isat and in the kernel, with one diagnostic.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer, who speaks for the asker
func TestMoves(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, verbose+standard)
	d.Wire("e0").AllowClaims("the asker has many MACs")
	wire := peer.Capture("e0")
	mark := wire.Mark()
	ping := isat.Start("ping", "-c", "1", "-W", "1", askerIP)
	wire.AnswerNext(mark, askerIP, askerMAC)
	awaitKernel(t, isat, askerIP, askerMAC)
	ping.Code() // no host answers it: there is only ARP

	was := askerMAC
	for i, say := range []struct {
		name   string
		op     arp.Operation
		to     string
		target string
	}{
		{"a request for us", arp.Request, everybody, isatIP},
		{"a request for another host", arp.Request, everybody, peerIP},
		{"an announcement by a request", arp.Request, everybody, askerIP},
		{"an announcement by a reply", arp.Reply, everybody, askerIP},
		{"a reply to us that nobody asked for", arp.Reply, isatMAC, isatIP},
		{"a reply to everybody about another host", arp.Reply, everybody, peerIP},
	} {
		mac := fmt.Sprintf("02:00:00:00:0a:%02x", i)
		wire.Say(say.op, say.to, mac, askerIP, say.target)
		awaitKernel(t, isat, askerIP, mac)
		if e, ok := d.Entry("e0", askerIP); !ok || string(e.MAC) != mac {
			t.Errorf("after %s isat has %+v, want %s", say.name, e, mac)
		}
		line := fmt.Sprintf("arp: %s moved from %s to %s on e0", askerIP, was, mac)
		await(t, "isat says "+line, func() bool { return d.Said(line) > 0 })
		// The same again is no move.
		wire.Say(say.op, say.to, mac, askerIP, say.target)
		was = mac
	}
	exchange(t, wire, nil)
	if n := strings.Count(d.Output(), " moved from "); n != 6 {
		t.Errorf("isat said %d times that something moved, want 6", n)
	}
}

// TestLogMovements: without log_arp_movements a move makes no line.
func TestLogMovements(t *testing.T) {
	t.Parallel()
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, verbose+"\"net.link.ether.inet.log_arp_movements\" = 0\n"+standard)
	d.Wire("e0").AllowClaims("the asker has two MACs")
	wire := peer.Capture("e0")
	wire.Say(arp.Request, everybody, askerMAC, askerIP, isatIP)
	wire.Say(arp.Request, everybody, "02:00:00:00:0a:01", askerIP, isatIP)
	exchange(t, wire, nil)
	if e, ok := d.Entry("e0", askerIP); !ok || e.MAC != "02:00:00:00:0a:01" {
		t.Errorf("isat has %+v", e)
	}
	if strings.Contains(d.Output(), "moved") {
		t.Errorf("isat said\n%s", d.Output())
	}
}

// TestMACChange: the peer's MAC changes, then isat's, and pings in both
// directions go on.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer
func TestMACChange(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, verbose+standard)
	d.Wire("e0").AllowClaims("both hosts change their MAC")
	isat.Must("ping", "-c", "1", "-W", "5", peerIP)

	const peerNew = "02:00:00:00:02:02"
	peer.Must("ip", "link", "set", "e0", "address", peerNew)
	// Linux forgets its neighbours with its MAC and asks anew.
	peer.Must("ping", "-c", "1", "-W", "5", isatIP)
	isat.Must("ping", "-c", "1", "-W", "5", peerIP)
	awaitKernel(t, isat, peerIP, peerNew)
	line := fmt.Sprintf("arp: %s moved from %s to %s on e0", peerIP, peerMAC, peerNew)
	if e, ok := d.Entry("e0", peerIP); !ok || e.MAC != peerNew || d.Said(line) != 1 {
		t.Errorf("isat has %+v and said %d times %q", e, d.Said(line), line)
	}

	// isat's own: the peer, which has an entry, hears an announcement.
	const isatNew = "02:00:00:00:01:01"
	isat.Must("ip", "link", "set", "e0", "address", isatNew)
	awaitKernel(t, peer, isatIP, isatNew)
	peer.Must("ping", "-c", "1", "-W", "5", isatIP)
	isat.Must("ping", "-c", "1", "-W", "5", peerIP)
	mark := d.Wire("e0").Mark()
	peer.Must("ip", "neigh", "flush", "all")
	peer.Must("ping", "-c", "1", "-W", "5", isatIP)
	reply := d.Wire("e0").Await(mark, "a reply", both(sentARP, isAt(isatIP)))
	if reply.Header.Source.String() != isatNew || reply.Packet.SenderHW.String() != isatNew {
		t.Errorf("isat answered with %v in a frame from %v, want %s", reply.Packet, reply.Header.Source, isatNew)
	}
}

// TestStaticAgainstClaims: no packet changes a permanent entry; each claim is
// worth one line.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer, who speaks for the impostor
func TestStaticAgainstClaims(t *testing.T) {
	t.Parallel()
	isat, peer := NewPair(t)
	d := StartISAT(t, isat, verbose+standard)
	d.Wire("e0").AllowClaims("impostors claim the asker's address")
	wire := peer.Capture("e0")
	if r := d.Tool("arp", "-s", askerIP, askerMAC); r.Code != 0 || r.Stdout+r.Stderr != "" {
		t.Fatalf("isat arp -s: %+v", r)
	}
	for i, say := range []struct {
		op         arp.Operation
		to, target string
	}{
		{arp.Request, everybody, isatIP},
		{arp.Request, everybody, askerIP},
		{arp.Reply, isatMAC, isatIP},
		{arp.Reply, everybody, askerIP},
	} {
		impostor := fmt.Sprintf("02:00:00:00:66:%02x", i)
		wire.Say(say.op, say.to, impostor, askerIP, say.target)
		exchange(t, wire, nil)
		line := fmt.Sprintf("arp: %s attempts to modify permanent entry for %s on e0", impostor, askerIP)
		await(t, "isat says "+line, func() bool { return d.Said(line) > 0 })
		if d.Said(line) != 1 {
			t.Errorf("isat said it %d times: %s", d.Said(line), line)
		}
		if n, ok := isat.Neighbour("e0", askerIP); !ok || n.MAC != askerMAC || n.State[0] != "PERMANENT" {
			t.Errorf("the kernel has %+v", n)
		}
		if r := d.Tool("arp", "-n", askerIP); r.Stdout != fmt.Sprintf("? (%s) at %s on e0 permanent [ethernet]\n", askerIP, askerMAC) {
			t.Errorf("isat arp -n: %+v", r)
		}
	}
	// The owner itself may say it.
	wire.Say(arp.Request, everybody, askerMAC, askerIP, isatIP)
	exchange(t, wire, nil)
	if n := strings.Count(d.Output(), "attempts to modify"); n != 4 {
		t.Errorf("isat said %d times that somebody attempts to modify the entry, want 4", n)
	}
}
