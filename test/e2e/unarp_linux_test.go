package e2e

import (
	"strings"
	"testing"

	"github.com/isat-project/isat/arp"
)

// TestUnARP: an UNARP of RFC 1868, made by scapy, removes the entry of its
// sender, here and in the kernel, where unarp is 1 and nowhere else. The kernel
// itself ignores them; tshark reads what isat sends as always.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2 peer, who speaks for the asker
func TestUnARP(t *testing.T) {
	t.Parallel()
	Require(t, "ping")
	frames := scapy(t,
		`ether(body(1, 0x800, 0, 4, 2, "c000020a", "ffffffff"))`,
		`ether(body(1, 0x800, 0, 4, 2, "c000020a", "ffffffff"), src=PEER)`,
		`ether(body(1, 0x800, 0, 4, 2, "c0000201", "ffffffff"))`)
	left, forged, own := frames[0], frames[1], frames[2]

	isat, peer := NewPair(t)
	d := StartISAT(t, isat, verbose+standard)
	wire := peer.Capture("e0")
	// The asker becomes known to both: it asks, and isat's host has something for it.
	know := func() {
		t.Helper()
		wire.Say(arp.Request, everybody, askerMAC, askerIP, isatIP)
		isat.Run("ping", "-c", "1", "-W", "0.1", askerIP)
		awaitKernel(t, isat, askerIP, askerMAC)
	}
	know()
	before := d.Stats()
	exchange(t, wire, left)
	checkDrops(t, before, d.Stats(), "hardware_length")
	if n, ok := isat.Neighbour("e0", askerIP); !ok || n.MAC != askerMAC {
		t.Errorf("with unarp=0 the kernel has %+v", n)
	}

	if r := d.Tool("sysctl", "net.link.ether.inet.unarp=1"); r.Code != 0 {
		t.Fatalf("isat sysctl: %+v", r)
	}
	for _, frame := range [][]byte{forged, own} {
		before = d.Stats()
		exchange(t, wire, frame)
		checkDrops(t, before, d.Stats(), "unarp")
	}
	if _, ok := d.Entry("e0", askerIP); !ok {
		t.Error("another host's UNARP removed the entry")
	}
	exchange(t, wire, left)
	if e, ok := d.Entry("e0", askerIP); ok {
		t.Errorf("after the UNARP isat has %+v", e)
	}
	await(t, "the kernel has forgotten "+askerIP, func() bool {
		_, ok := isat.Neighbour("e0", askerIP)
		return !ok
	})
	if got := d.Tool("sysctl", "-n", "net.link.ether.arp.stats.unarps").Stdout; got != "1\n" {
		t.Errorf("unarps is %q, want 1", got)
	}
	if strings.Contains(d.Output(), "is using my IP address") {
		t.Errorf("an UNARP was taken for a claim:\n%s", d.Output())
	}
	know() // who is back is known again
	peer.Must("ping", "-q", "-c", "1", "-W", "10", isatIP)
}
