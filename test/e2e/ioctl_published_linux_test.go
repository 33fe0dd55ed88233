package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/ioctl"
	"github.com/isat-project/isat/lladdr"
)

// TestIoctlPublished: what an ioctl publishes where there is duplicate detection is
// probed first. The peer has the address, and is left alone; when it has it no more,
// arping finds isat.
//
//	isat 192.0.2.1 e0 ──── e0 192.0.2.2, and 192.0.2.60 for a while, peer
func TestIoctlPublished(t *testing.T) {
	t.Parallel()
	Require(t, "arping")
	const published, free = "192.0.2.60", "192.0.2.61"
	isat, peer := NewPair(t)
	peer.Must("ip", "addr", "add", published+"/24", "dev", "e0")
	d := StartISAT(t, isat, verbose+`
"net.link.ether.arp.dup_recovery" = 1000
"net.link.ether.arp.publish_interval" = 1000
[[interface]]
name = "e0"
dad = true
`)
	d.Wire("e0").AllowClaims("it answers for another host")
	wire := peer.Capture("e0")
	var c *ioctl.Conn
	if err := isat.NS.Do(func() (err error) { c, err = ioctl.Dial(d.path("ioctl.sock")); return err }); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	publish := func(ip string) {
		t.Helper()
		x := ioctl.XARPReq{Family: ioctl.AFInet, IP: netip.MustParseAddr(ip), Flags: ioctl.Permanent | ioctl.Published}
		if err := x.Hardware.Fill("", lladdr.MustParse(isatMAC)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(ioctl.SIOCSXARP, ioctl.AFInet, x.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
	}

	mark := wire.Mark()
	publish(published)
	duplicate := fmt.Sprintf("e0 has duplicate address %s (in use by %s); disabled.", published, peerMAC)
	await(t, "isat says "+duplicate, func() bool { return d.Said(duplicate) == 1 })
	if e, ok := d.Entry("e0", published); !ok || !e.Published || !e.Permanent {
		t.Errorf("the entry is %+v, %v", e, ok)
	}
	if got := d.Tool("explain", "e0", published, askerIP, askerMAC); !strings.Contains(got.Stdout, "not verified") {
		t.Errorf("isat explain says %+v", got)
	}
	for _, f := range exchange(t, wire, request(askerIP, askerMAC, published)) {
		if !f.Packet.IsProbe() { // it tries again now and then
			t.Errorf("isat sent %v", f.Packet)
		}
	}
	publish(free)
	wire.Await(mark, "an announcement of the free one", func(f Frame) bool {
		return !f.Out && isARP(f) && f.Packet.IsAnnouncement() && f.Packet.SenderIP.String() == free
	})
	if got := peer.arping(free); got != isatMAC {
		t.Errorf("arping of the free one is answered by %q, want %s", got, isatMAC)
	}

	peer.Must("ip", "addr", "del", published+"/24", "dev", "e0")
	recovered := fmt.Sprintf("Recovered address %s on e0.", published)
	await(t, "isat says "+recovered, func() bool { return d.Said(recovered) == 1 })
	if got := peer.arping(published); got != isatMAC {
		t.Errorf("arping is answered by %q, want %s", got, isatMAC)
	}
	problem := fmt.Sprintf("Proxy ARP problem?  Node '%s' is using %s on e0", impostorMAC, published)
	wire.Say(arp.Request, everybody, impostorMAC, published, published)
	await(t, "isat says "+problem, func() bool { return d.Said(problem) == 1 })
	if got := peer.arping(published); got != isatMAC {
		t.Errorf("after a claim arping is answered by %q, want %s", got, isatMAC)
	}
}
