//go:build linux

package rtnl_test

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/internal/rtnl"
	"github.com/isat-project/isat/lladdr"
)

var values = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, lladdr.Addr{})

func TestAddrs(t *testing.T) {
	e0 := enter(t)
	ip(t, "address", "add", "192.0.2.2/24", "broadcast", "+", "dev", "e0", "label", "e0:vip", "valid_lft", "1000", "preferred_lft", "500")
	ip(t, "address", "add", "198.51.100.1", "peer", "198.51.100.2/32", "dev", "e0", "scope", "link", "noprefixroute", "metric", "77")
	ip(t, "address", "add", "2001:db8::1/64", "dev", "e0")
	setProc(t, "conf/e0/promote_secondaries", "1")
	c := dial(t)
	got, err := c.Addrs(e0)
	if err != nil {
		t.Fatal(err)
	}
	want := []rtnl.Addr{
		{Index: e0, Local: address("192.0.2.1"), Prefix: netip.MustParsePrefix("192.0.2.0/24"), Label: "e0",
			Flags: rtnl.AddrPermanent, Preferred: rtnl.Forever, Valid: rtnl.Forever},
		{Index: e0, Local: address("198.51.100.1"), Prefix: netip.MustParsePrefix("198.51.100.2/32"), Peer: address("198.51.100.2"), Label: "e0",
			Scope: rtnl.ScopeLink, Flags: rtnl.AddrPermanent | rtnl.AddrNoPrefixRoute, Metric: 77, Preferred: rtnl.Forever, Valid: rtnl.Forever},
		{Index: e0, Local: address("192.0.2.2"), Prefix: netip.MustParsePrefix("192.0.2.0/24"), Broadcast: address("192.0.2.255"), Label: "e0:vip",
			Flags: rtnl.AddrSecondary, Preferred: 500 * time.Second, Valid: 1000 * time.Second},
	}
	byLocal := cmpopts.SortSlices(func(a, b rtnl.Addr) bool { return a.Local.Less(b.Local) })
	// The kernel counts the seconds down.
	lifetimes := cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < 60*time.Second })
	if d := cmp.Diff(want, got, values, byLocal, lifetimes); d != "" {
		t.Errorf("addresses (-want +got):\n%s", d)
	}

	// What was listed can be deleted and added again.
	for _, a := range got {
		if err := c.DeleteAddr(a); err != nil {
			t.Fatal(err)
		}
		if err := c.AddAddr(a); err != nil {
			t.Fatal(err)
		}
	}
	again, err := c.Addrs(0)
	if err != nil {
		t.Fatal(err)
	}
	again = again[1:] // of lo
	for i := range again {
		again[i].Flags &^= rtnl.AddrSecondary // another is the first now
	}
	want[2].Flags = 0
	if d := cmp.Diff(want, again, values, byLocal, lifetimes); d != "" {
		t.Errorf("addresses added again (-want +got):\n%s", d)
	}
}

func TestWriteAddrs(t *testing.T) {
	e0 := enter(t)
	c := dial(t)
	a := rtnl.Addr{Index: e0, Local: address("203.0.113.1"), Prefix: netip.MustParsePrefix("203.0.113.0/24"), Broadcast: address("203.0.113.255"),
		Label: "e0:d", Flags: rtnl.AddrNoPrefixRoute, Protocol: rtnl.ProtocolISAT}
	if err := c.AddAddr(a); err != nil {
		t.Fatal(err)
	}
	if got := ip(t, "-4", "address", "show", "dev", "e0"); !strings.Contains(got, "inet 203.0.113.1/24 brd 203.0.113.255 scope global noprefixroute e0:d") {
		t.Errorf("ip(8) shows %s", got)
	}
	if err := c.AddAddr(a); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("added again: %v, want EEXIST", err)
	}
	a.Valid, a.Preferred = 300*time.Second, 200*time.Second
	if err := c.ReplaceAddr(a); err != nil {
		t.Fatal(err)
	}
	all, err := c.Addrs(e0)
	if err != nil || len(all) != 2 || all[1].Protocol != rtnl.ProtocolISAT || all[1].Valid > 300*time.Second || all[1].Valid < 200*time.Second {
		t.Errorf("addresses are %+v, %v", all, err)
	}
	if err := c.DeleteAddr(a); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteAddr(a); !errors.Is(err, syscall.EADDRNOTAVAIL) || !rtnl.IsNotExist(err) {
		t.Errorf("deleted again: %v, want EADDRNOTAVAIL", err)
	}
	a.Local = address("2001:db8::1")
	if err := c.AddAddr(a); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("IPv6: %v, want EAFNOSUPPORT", err)
	}
	if err := c.AddAddr(rtnl.Addr{}); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("the zero Addr: %v, want EAFNOSUPPORT", err)
	}
}
