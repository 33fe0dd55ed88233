package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/isat-project/isat/arp"
)

// TestPeerArping is arping -D of iputils, which asks whether an address is free. It
// finds isat's addresses used, those that isat has verified included, and isat finds
// those used that arping asks for: who probes wants to have it.
//
//	isat 192.0.2.1 e0 ──── e0 peer with arping
func TestPeerArping(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	const added, wanted = "192.0.2.11", "192.0.2.77"
	n := NewNet(t)
	isat, peer := n.Host("isat"), n.Host("peer")
	n.Veth(isat.End("e0", isatMAC), peer.End("e0", peerMAC))
	isat.Must("ip", "addr", "add", isatIP+"/24", "dev", "e0")
	// arping asks once a second: isat has to listen for longer than that.
	d := StartISAT(t, isat, "[sysctl]\n\"net.link.ether.arp.fastprobe_interval\" = 1000\n"+detecting)
	wire := d.Wire("e0")

	isat.Must("ip", "addr", "add", added+"/24", "dev", "e0")
	await(t, "isat has verified "+added, func() bool { return d.inUse(added) })
	for _, ip := range []string{isatIP, added} {
		if r := peer.Run("arping", "-D", "-c", "3", "-w", "10", "-I", "e0", ip); r.Code != 1 {
			t.Errorf("arping -D finds %s free: %+v", ip, r)
		}
	}

	mark := wire.Mark()
	probes := func(f Frame) bool { return !f.Out && f.Packet.IsProbe() && f.Packet.TargetIP.String() == wanted }
	arping := peer.Start("arping", "-D", "-c", "60", "-I", "e0", wanted)
	wire.Await(mark, "arping's first probe", probes)
	checkDetects(t, d, wanted, peerMAC)
	if r := d.Tool("probe", "e0", wanted); r.Code != 1 || r.Stdout != fmt.Sprintf("%s in use by %s\n", wanted, peerMAC) {
		t.Errorf("isat probe: %+v", r)
	}
	answers := wire.Since(mark, both(sentARP, func(f Frame) bool { return f.Packet.Operation == arp.Reply }))
	if len(answers) > 0 {
		t.Errorf("isat answered %v", answers[0].Packet)
	}
	arping.End(t, syscall.SIGINT)
	if !strings.Contains(arping.Output(), "Received 0 response(s)") {
		t.Errorf("arping takes a probe for a claim:\n%s", arping.Output())
	}
	if got := isat.addresses("e0"); !slices.Equal(got, []string{isatIP + "/24", added + "/24"}) {
		t.Errorf("isat's host has %v", got)
	}
}
