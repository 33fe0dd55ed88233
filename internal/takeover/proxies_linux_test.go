package takeover

import (
	"net/netip"
	"testing"
)

// TestProxyNeighbourReturns gives the interface the address of a proxy neighbour
// of the kernel for a while: it is adopted again when the address is gone.
func TestProxyNeighbourReturns(t *testing.T) {
	r := newRouter(t)
	proxied := netip.MustParseAddr("10.1.65.21")
	reread := func() {
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		r.m.reread()
	}
	ip(t, "route add 10.1.65.21 dev r0")
	ip(t, "neigh add proxy 10.1.65.21 dev e0")
	for range 2 {
		eventually(t, "the proxy neighbour is adopted", func() bool {
			reread()
			e := r.host.Entry(proxied)
			return len(e) == 1 && !e[0].Own && r.m.isForeign(e[0])
		})
		ip(t, "address add 10.1.65.21/32 dev e0")
		addresses := func() int { return len(r.m.get(r.index).ifc.Addresses()) }
		eventually(t, "it is an own address", func() bool { return addresses() == 2 })
		ip(t, "address del 10.1.65.21/32 dev e0")
		eventually(t, "it is none any more", func() bool { return addresses() == 1 })
	}
}
