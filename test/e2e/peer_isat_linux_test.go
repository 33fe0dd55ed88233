package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/isat-project/isat/api"
)

// TestPeerISAT: two hosts with isat get the same address at the same moment, and
// start with the same one. Never do both keep it; it is not long until one has it,
// and the other goes without.
//
//	a 192.0.2.1 e0 ──── e0 192.0.2.2 b
func TestPeerISAT(t *testing.T) {
	t.Parallel()
	const contested = "192.0.2.77"
	const macA, macB = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
	for _, test := range []struct {
		name  string
		early bool // both have it when their daemons start
	}{{"appears", false}, {"present", true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := NewNet(t)
			hosts := []*Host{n.Host("a"), n.Host("b")}
			n.Veth(hosts[0].End("e0", macA), hosts[1].End("e0", macB))
			add := func() {
				var added []*Process
				for _, h := range hosts {
					added = append(added, h.Start("ip", "addr", "add", contested+"/24", "dev", "e0"))
				}
				for i, p := range added {
					if p.Code() != 0 {
						t.Fatalf("adding the address to %s: %s", hosts[i].Name, p.Output())
					}
				}
			}
			if test.early {
				add()
			}
			var daemons []*ISAT
			for i, h := range hosts {
				h.Must("ip", "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "e0")
				d := StartISAT(t, h, "[sysctl]\n\"net.link.ether.arp.dup_recovery\" = 1000\n"+detecting)
				d.Wire("e0").AllowClaims("the address has two hosts")
				daemons = append(daemons, d)
			}
			wire := daemons[0].Wire("e0")
			mark := wire.Mark()
			if !test.early {
				add()
			}
			// use counts the hosts that use it.
			use := func() (n int) {
				for _, d := range daemons {
					if d.inUse(contested) {
						n++
					}
				}
				return n
			}
			await(t, "one has it, and the other does not", func() bool {
				return use() == 1 && daemons[0].ownState("e0", contested) != api.AddrProbing && daemons[1].ownState("e0", contested) != api.AddrProbing
			})
			// The loser tries again meanwhile.
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				if n := use(); n != 1 {
					t.Fatalf("%d hosts use the address", n)
				}
			}
			var kernels int
			for _, h := range hosts {
				if h.has("e0", contested) {
					kernels++
				}
			}
			if kernels != 1 {
				t.Errorf("%d kernels have the address", kernels)
			}
			if a, b := wire.Since(mark, said(macA, contested)), wire.Since(mark, said(macB, contested)); !test.early && len(a) > 0 && len(b) > 0 {
				t.Errorf("both hosts claimed the address: %v and %v", a[0].Packet, b[0].Packet)
			}
		})
	}
}
