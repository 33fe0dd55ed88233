package takeover

import (
	"net/netip"
	"testing"

	"github.com/isat-project/isat/host"
)

// An order to take an address down that somebody has deleted and added again meanwhile
// is not for the new one, of which the host says something else by then, or nothing yet.
func TestStaleOrder(t *testing.T) {
	order := func(index int, prefix string) []host.OwnAddress {
		return []host.OwnAddress{{Interface: index, Address: host.Address{Prefix: netip.MustParsePrefix(prefix)}, Usage: host.Withdrawn, Owner: other}}
	}
	t.Run("the host says otherwise", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0")
		r.m.followUsage(order(r.index, "192.0.2.1/24"))
		r.requireAddresses("192.0.2.1/24")
		r.requireRecords(0)
	})
	t.Run("it was deleted, and is free again", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0", "address add 192.0.2.2/24 dev e0")
		deleted := netip.MustParseAddr("192.0.2.3")
		if err := r.says.Resume(host.Address{Prefix: netip.PrefixFrom(deleted, 24)}, other); err != nil {
			t.Fatal(err)
		}
		r.told(host.Usable, "192.0.2.3/24", "192.0.2.2/24") // without having been Withdrawn before
		if own, ok := r.says.Interface.OwnAddress(deleted); ok {
			t.Errorf("the host still has %+v", own)
		}
		r.requireAddresses("192.0.2.1/24", "192.0.2.2/24")
	})
	t.Run("the host does not know it", func(t *testing.T) {
		r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0")
		stale := order(r.index, "192.0.2.2/24")
		if err := r.m.unverified.update(stale); err != nil {
			t.Fatal(err)
		}
		r.m.mu.Lock() // so that the host does not hear of what is new
		r.ip("address", "add", "192.0.2.2/24", "dev", "e0")
		r.m.carryOut(stale)
		r.m.mu.Unlock()
		r.requireAddresses("192.0.2.1/24", "192.0.2.2/24")
		r.requireRecords(0)
		if got := unverifiedSet(t); got != "" {
			t.Errorf("the rule is for %s", got)
		}
	})
}
