package takeover

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
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
	r.wantNothingKept()
}

// TestStandRefused gives entries that can never be set: that is an error before
// anything has changed.
func TestStandRefused(t *testing.T) {
	r := newRig(t, 0)
	at := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 66, last}) }
	own := netip.MustParseAddr("10.1.0.1")
	good := []host.Change{{Interface: "e0", IP: at(1), MAC: rejectedMAC}}
	if err := r.m.Stand(good); err != nil {
		t.Fatal(err)
	}
	before := r.host.Entries()
	for name, refused := range map[string]host.Change{
		"an own address": {Interface: "e0", IP: own, MAC: rejectedMAC},
		"an own address on an interface that is absent": {Interface: "e7", IP: own, MAC: rejectedMAC},
		"an own address, published only":                {IP: own, Publish: host.PublishedOnly},
		"a group address":                               {Interface: "e0", IP: at(3), MAC: lladdr.MustParse("01:00:5e:00:00:01")},
	} {
		bad := []host.Change{{Interface: "e0", IP: at(2), MAC: rejectedMAC}, refused}
		for call, stand := range map[string]func([]host.Change) error{"CheckStand": r.m.CheckStand, "Stand": r.m.Stand} {
			if err := stand(bad); !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s of %s: error %v, want EPERM or EINVAL", call, name, err)
			}
		}
		if after := r.host.Entries(); !slices.Equal(before, after) {
			t.Errorf("after %s the entries are %+v, want %+v", name, after, before)
		}
	}
	if err := r.m.CheckStand([]host.Change{{Interface: "e7", IP: at(4), MAC: rejectedMAC}}); err != nil {
		t.Errorf("an entry for an interface that is absent: %v", err)
	}

	// The address of an entry that stands becomes the host's own. That is told once,
	// and is no reason against the configuration.
	r.m.mu.Lock()
	ip(t, "addr add "+at(1).String()+"/16 dev e0")
	err := r.m.readdress(r.index)
	first, second := r.m.settle(), r.m.settle()
	r.m.mu.Unlock()
	if err != nil || !errors.Is(first, syscall.EPERM) || second != nil {
		t.Errorf("told %v, then %v (%v), want EPERM and nothing", first, second, err)
	}
	if err := r.m.Stand(good); err != nil {
		t.Errorf("the same configuration: %v", err)
	}
}

// TestStandBesideRoute has a published entry of the configuration whose address has
// a host route that leads elsewhere: it is published only, but the configuration's.
func TestStandBesideRoute(t *testing.T) {
	r := newRig(t, 0)
	routed := netip.MustParseAddr("10.1.66.1")
	if err := r.host.AddRoute(host.Route{Prefix: netip.PrefixFrom(routed, 32), Flags: route.Reject}); err != nil {
		t.Fatal(err)
	}
	if err := r.m.Stand([]host.Change{{Interface: "e0", IP: routed, MAC: rejectedMAC, Publish: host.Published}}); err != nil {
		t.Fatal(err)
	}
	if e := r.host.Entry(routed); len(e) != 1 || e[0].Publish != host.PublishedOnly {
		t.Fatalf("the entries are %+v, want one that is published only", e)
	}
	r.wantNothingKept()
	if err := r.m.Stand(nil); err != nil {
		t.Fatal(err)
	}
	if e := r.host.Entry(routed); len(e) != 0 {
		t.Errorf("without the configuration: %+v", e)
	}
}

// wantNothingKept has what was set by hand written down, and wants that to be nothing.
func (r *rig) wantNothingKept() {
	r.t.Helper()
	r.m.Administered()
	r.m.mu.Lock()
	err := r.m.keep()
	r.m.mu.Unlock()
	if err != nil {
		r.t.Fatal(err)
	}
	if kept, err := r.m.entries.Load(); err != nil || len(kept) != 0 {
		r.t.Errorf("written down: %+v, %v, want nothing", kept, err)
	}
}
