package takeover

import (
	"net/netip"
	"os"
	"testing"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/testns"
)

// An order to take an address down that somebody has deleted and added again meanwhile
// is not for the new one, of which the host says something else by then, or nothing yet.
// What was deleted before the order came is forgotten when it is free again.
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

// TestFreeAgainBeforeTakenDown: an address is free again before isat has taken it down,
// and deleted by others then. The host does not wait for it to be put back.
func TestFreeAgainBeforeTakenDown(t *testing.T) {
	peer := testns.New(t)
	ns := testns.Enter(t)
	r := &ownRig{rig: &rig{t: t, ns: ns, index: cable(t, peer), dir: t.TempDir()}}
	r.ip("address", "flush", "dev", "e0")
	r.ip("address", "add", "10.1.0.1/16", "dev", "e0")
	r.start(Spec{Name: "e0", DAD: true, Down: DownAddress})
	if err := r.host.MIB().Set("net.link.ether.arp.dup_recovery", "", 1000); err != nil {
		t.Fatal(err)
	}
	contested := netip.MustParseAddr("10.1.64.5") // one that the peer answers for
	own := func() host.OwnAddress {
		o, _ := r.says.Interface.OwnAddress(contested)
		return o
	}
	r.ip("address", "add", "10.1.64.5/16", "dev", "e0")
	r.eventually("it is a duplicate", func() bool { return own().State == acd.Duplicate })
	if err := peer.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/e0/arp_ignore", []byte("8"), 0o644) }); err != nil {
		t.Fatal(err)
	}
	r.eventually("it is free again", func() bool { return own().State.Usable() })
	r.m.followUsage([]host.OwnAddress{own()}) // the first that the manager hears of it
	r.requireAddresses("10.1.0.1/16", "10.1.64.5/16")
	r.ip("address", "del", "10.1.64.5/16", "dev", "e0")
	r.eventually("the host has forgotten it", func() bool {
		_, known := r.says.Interface.OwnAddress(contested)
		return !known
	})
}
