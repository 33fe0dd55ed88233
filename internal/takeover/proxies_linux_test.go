package takeover

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
)

// reread reads what changes without a notification, as the chores do every few seconds.
func (r *rig) reread() {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.reread()
}

// TestProxyNeighbourReturns gives the interface the address of a proxy neighbour
// of the kernel for a while: it is adopted again when the address is gone.
func TestProxyNeighbourReturns(t *testing.T) {
	r := newRouter(t)
	proxied := netip.MustParseAddr("10.1.65.21")
	ip(t, "route add 10.1.65.21 dev r0")
	ip(t, "neigh add proxy 10.1.65.21 dev e0")
	for range 2 {
		eventually(t, "the proxy neighbour is adopted", func() bool {
			r.reread()
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

// TestProxyNeighbourPublishedByHand: over the entry of a proxy neighbour of the kernel, one
// that is set with isat and says the same stays the kernel's, and goes with it. Once isat
// has had another entry there, or none, what is set is isat's.
func TestProxyNeighbourPublishedByHand(t *testing.T) {
	proxied := netip.MustParseAddr("10.1.65.21")
	auto := host.Change{Interface: "e0", IP: proxied, Publish: host.PublishedOnly}
	other, temporary := auto, auto
	other.MAC, temporary.Temporary = rejectedMAC, true
	for _, tt := range []struct {
		name   string
		before func(*testing.T, *rig)
		stays  bool
	}{
		{"the kernel's", func(*testing.T, *rig) {}, false},
		{"another address", func(_ *testing.T, r *rig) { r.publish(other) }, true},
		{"temporary", func(_ *testing.T, r *rig) { r.publish(temporary) }, true},
		{"deleted", func(t *testing.T, r *rig) {
			if err := r.host.DeletePublished("e0", proxied); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRouter(t)
			ip(t, "route add 10.1.65.21 dev r0")
			ip(t, "neigh add proxy 10.1.65.21 dev e0")
			eventually(t, "the proxy neighbour is adopted", func() bool {
				r.reread()
				return r.m.isAdopted(r.m.get(r.index), proxied)
			})
			tt.before(t, r)
			r.publish(auto)
			r.reread()
			if got := !r.m.isAdopted(r.m.get(r.index), proxied); got != tt.stays {
				t.Errorf("it is isat's: %t, want %t", got, tt.stays)
			}
			if got := r.keeps(proxied); got != tt.stays {
				t.Errorf("it is written down: %t, want %t", got, tt.stays)
			}
			ip(t, "neigh del proxy 10.1.65.21 dev e0")
			r.reread()
			if got := len(r.host.Entry(proxied)) == 1; got != tt.stays {
				t.Errorf("it is there without the kernel's proxy neighbour: %t, want %t", got, tt.stays)
			}
		})
	}
}

// publish sets a published entry as the daemon does.
func (r *rig) publish(c host.Change) {
	r.t.Helper()
	r.m.Publishing(c.Interface, c.IP)
	r.set(c)
	r.m.Administered()
}

// keeps reports whether an entry of an address is written down.
func (r *rig) keeps(ip netip.Addr) bool {
	r.t.Helper()
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if err := r.m.keep(); err != nil {
		r.t.Fatal(err)
	}
	kept, err := r.m.entries.Load()
	if err != nil {
		r.t.Fatal(err)
	}
	return slices.ContainsFunc(kept, func(e record.Entry) bool { return e.IP == ip })
}
