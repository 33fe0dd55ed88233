package takeover

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/isat-project/isat/host"
)

// TestStandReturns has the entries of the configuration go with their interface, or
// because their address becomes the host's own: they are there again as soon as they
// can be, but for one that was deleted by hand.
func TestStandReturns(t *testing.T) {
	r := newRig(t, 0)
	at := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 66, last}) }
	all := []host.Change{
		{Interface: "e0", IP: at(1), MAC: rejectedMAC, Publish: host.Published},
		{Interface: "e0", IP: at(2), Publish: host.PublishedOnly},
		{IP: at(3), Publish: host.PublishedOnly},
		{Interface: "e0", IP: rejectedIP, MAC: rejectedMAC, Action: host.Reject},
		{Interface: "e0", IP: at(4), MAC: rejectedMAC},
	}
	if err := r.m.Stand(all); err != nil {
		t.Fatal(err)
	}
	if err := r.host.Delete("e0", at(4)); err != nil {
		t.Fatal(err)
	}
	addresses := func() (ips []netip.Addr) {
		for _, e := range r.host.Entries() {
			if isAdministrative(e) {
				ips = append(ips, e.IP)
			}
		}
		slices.SortFunc(ips, netip.Addr.Compare)
		return ips
	}
	want := []netip.Addr{rejectedIP, at(1), at(2), at(3)}
	slices.SortFunc(want, netip.Addr.Compare)
	await := func(when string, want ...netip.Addr) {
		t.Helper()
		eventually(t, when+", the entries of the configuration are there", func() bool { return slices.Equal(addresses(), want) })
	}
	await("at first", want...)

	if err := r.m.Release("e0"); err != nil {
		t.Fatal(err)
	}
	await("after a release")
	if err := r.m.Take(Spec{Name: "e0"}); err != nil {
		t.Fatal(err)
	}
	await("taken over again", want...)
	r.awaitRoutes(unreachable)

	for _, own := range []netip.Addr{at(1), at(2), at(3)} {
		ip(t, "addr add "+own.String()+"/16 dev e0")
		others := slices.DeleteFunc(slices.Clone(want), func(ip netip.Addr) bool { return ip == own })
		await(own.String()+" is an own address", others...)
		ip(t, "addr del "+own.String()+"/16 dev e0")
		await(own.String()+" is none any more", want...)
	}

	ip(t, "link del e0")
	await("without e0")
	ip(t, "link add e0 type veth peer name e1")
	for _, name := range []string{"e1", "e0"} {
		ip(t, "link set "+name+" up")
	}
	ip(t, "addr add 10.1.0.1/16 dev e0")
	await("with another e0", want...)
	r.m.Administered()
	r.m.mu.Lock()
	err := r.m.keep()
	r.m.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := r.m.entries.Load(); err != nil || len(kept) != 0 {
		t.Errorf("written down: %+v, %v, want nothing", kept, err)
	}
}
