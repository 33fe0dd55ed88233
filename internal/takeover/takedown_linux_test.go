package takeover

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

// Of an address that somebody else removes just before isat does the kernel tells no
// deletion of isat's, which is not waited for: added again, it is theirs.
func TestRemovedWhileItIsTakenDown(t *testing.T) {
	ip := netip.MustParseAddr("192.0.2.1")
	r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0", "address add 192.0.2.1/16 dev e0", "address add 198.51.100.1/24 dev e0")
	remove := func(awaited []netip.Addr, removed ...string) {
		t.Helper()
		r.m.mu.Lock() // nobody follows changes
		defer r.m.mu.Unlock()
		stood, err := r.m.conn.Addrs(r.index)
		if err != nil {
			t.Fatal(err)
		}
		d := departure{index: r.index, name: "e0", stood: stood, owner: map[netip.Addr]lladdr.Addr{ip: other}}
		d.going = slices.DeleteFunc(slices.Clone(stood), func(a rtnl.Addr) bool { return a.Local != ip })
		for _, p := range removed {
			r.ip("address", "delete", p, "dev", "e0")
		}
		if err := r.m.removeAddresses(d); err != nil {
			t.Fatal(err)
		}
		var got []netip.Addr
		for k := range maps.Keys(r.m.unsettled) {
			got = append(got, k.ip)
		}
		if !slices.Equal(got, awaited) {
			t.Errorf("with %v removed by others, isat waits to be told of the deletion of %v, want %v", removed, got, awaited)
		}
	}
	// One of two is isat's to delete.
	remove([]netip.Addr{ip}, "192.0.2.1/16")
	r.requireRecords(2)
	r.eventually("isat is told of its own deletion", func() bool {
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		return len(r.m.unsettled) == 0
	})
	r.ip("address", "add", "192.0.2.1/24", "dev", "e0")
	r.eventually("the address is theirs", r.nothingIsDown)
	remove(nil, "192.0.2.1/24")
	r.requireRecords(1)
	r.ip("address", "add", "192.0.2.1/24", "dev", "e0")
	r.eventually("the address is theirs again", r.nothingIsDown)
	r.requireAddresses("198.51.100.1/24", "192.0.2.1/24")
	r.requireRecords(0)
}

// nothingIsDown reports whether no address is taken down.
func (r *ownRig) nothingIsDown() bool {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return len(r.m.down) == 0
}
