package takeover

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/internal/record"
	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/internal/testns"
	"github.com/isat-project/isat/lladdr"
)

// A route goes and returns even if none is left without its address.
func TestLastRouteReturns(t *testing.T) {
	r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0", "route add default via 192.0.2.254", "address flush dev lo")
	before := r.state()
	r.told(host.Withdrawn, "192.0.2.1/24")
	if left := r.ip("-4", "route", "show", "table", "all"); left != "" {
		t.Fatalf("there are still routes, so this test is none:\n%s", left)
	}
	r.told(host.Usable, "192.0.2.1/24")
	r.requireState(before, "after the return")
}

// What another interface has all along is not added again by anybody.
func TestAddressOfTwoInterfacesReturns(t *testing.T) {
	r := newOwnRig(t, DownAddress, "address add 192.0.2.1/32 dev lo", "address add 192.0.2.1/24 dev e0")
	before := r.state()
	for range 2 {
		r.told(host.Withdrawn, "192.0.2.1/24")
		r.requireAddresses()
		r.told(host.Usable, "192.0.2.1/24")
		r.requireState(before, "after the return")
	}
}

func TestIsAddedAgain(t *testing.T) {
	address := netip.MustParseAddr("192.0.2.1")
	first := places([]rtnl.Addr{{Index: 2, Local: address}, {Index: 3, Local: address}})
	d := record.Address{Index: 2, Local: address, Others: first[address]}
	for _, tt := range []struct {
		name  string
		there map[netip.Addr][]int
		want  bool
	}{
		{"nowhere", nil, false},
		{"on the other", places([]rtnl.Addr{{Index: 3, Local: address}}), false},
		{"on a third", places([]rtnl.Addr{{Index: 3, Local: address}, {Index: 4, Local: address}}), true},
		{"here", places([]rtnl.Addr{{Index: 2, Local: address}}), true},
	} {
		if got := isAddedAgain(d, tt.there); got != tt.want {
			t.Errorf("%s: added again is %t, want %t", tt.name, got, tt.want)
		}
	}
}

// An address that somebody else has removed before it could be taken down may be on
// another interface next: nothing is dropped for it.
func TestRemovedBeforeItIsTakenDown(t *testing.T) {
	for _, down := range []Down{DownAddress, DownInterface} {
		t.Run(down.String(), func(t *testing.T) {
			r := newOwnRig(t, down, "address add 192.0.2.1/24 dev e0")
			r.told(host.Withdrawn, "192.0.2.2/24")
			r.requireAddresses("192.0.2.1/24")
			if got := unverifiedSet(t); got != "" {
				t.Errorf("the rule is for %s", got)
			}
		})
	}
}

// What the host says of an address that was added again at once is not forgotten with
// what it said of the one that was taken down.
func TestAddedAgainIsNotVerified(t *testing.T) {
	r := newOwnRig(t, DownAddress, "address add 192.0.2.1/24 dev e0")
	again := []host.OwnAddress{{Interface: r.index, Address: host.Address{Prefix: netip.MustParsePrefix("192.0.2.1/24")}, Usage: host.Suspended}}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	a := *r.m.addressed[r.index]
	a.device = &Device{Follow: func([]netip.Prefix) { // the host is told next, and tells this
		if err := r.m.unverified.update(again); err != nil {
			t.Error(err)
		}
	}}
	if err := r.m.departed(&a, departure{index: r.index, owner: map[netip.Addr]lladdr.Addr{netip.MustParseAddr("192.0.2.1"): other}}); err != nil {
		t.Fatal(err)
	}
	if got := unverifiedSet(t); got != "192.0.2.1" {
		t.Errorf("the rule is for %q, want that of the address which is there again", got)
	}
}

// An interface that an earlier daemon has set down has its address probed when it is
// up, not announced as one in use.
func TestInterfaceDownBefore(t *testing.T) {
	r := newOwnRig(t, DownInterface, "address add 192.0.2.1/24 dev e0")
	r.told(host.Withdrawn, "192.0.2.1/24")
	r.crash()
	r.ip("link", "set", "e0", "down") // the crash was an orderly end, as far as the interface is concerned
	r.start(Spec{Name: "e0", DAD: true, Down: DownInterface})
	ifc, _ := r.host.Interface("e0")
	for _, own := range ifc.OwnAddresses() {
		if own.State != acd.Probing {
			t.Errorf("%v is %v, want probing", own.Address.Prefix, own.State)
		}
	}
}

// That the kernel cannot be asked for an interface does not mean that it is gone.
func TestNothingIsForgottenUnasked(t *testing.T) {
	testns.Enter(t)
	conn, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	here, err := record.Here()
	if err != nil {
		t.Fatal(err)
	}
	records, err := record.OpenAddresses(t.TempDir(), here)
	if err != nil {
		t.Fatal(err)
	}
	m := &Manager{conn: conn, addressRecords: records, log: slog.New(slog.DiscardHandler), down: []record.Address{{Index: 7, Local: netip.MustParseAddr("192.0.2.1")}}}
	if _, err := m.restoreAddresses(7); err == nil || len(m.down) != 1 {
		t.Errorf("%d addresses are written down, want 1: %v", len(m.down), err)
	}
}

// A route that cannot be added keeps no other from it.
func TestRoutesAreAddedApart(t *testing.T) {
	testns.Enter(t)
	conn, err := rtnl.Dial(rtnl.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := &ownRig{rig: &rig{t: t}}
	r.ip("route", "add", "blackhole", "198.51.100.0/24")
	all, err := conn.RouteImages()
	if err != nil {
		t.Fatal(err)
	}
	r.ip("route", "delete", "198.51.100.0/24")
	m := &Manager{conn: conn, log: slog.New(slog.DiscardHandler)}
	missing, why := m.addRoutes(append(all, "no image"))
	if len(missing) != 1 || missing[0] != "no image" || len(why) != 1 {
		t.Errorf("%d of %d routes are not added: %v", len(missing), len(all)+1, why)
	}
	if got := r.ip("route", "show"); !strings.Contains(got, "blackhole 198.51.100.0/24") {
		t.Errorf("the routes are %q", got)
	}
}
