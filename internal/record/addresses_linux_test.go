//go:build linux

package record

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/isat-project/isat/lladdr"
)

func addresses(t *testing.T, dir string, scope Scope) *Addresses {
	t.Helper()
	a, err := OpenAddresses(dir, scope)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// requireAddresses fails unless exactly these are loaded.
func requireAddresses(t *testing.T, a *Addresses, want ...Address) {
	t.Helper()
	got, err := a.Load()
	if err != nil {
		t.Fatal(err)
	}
	comparable := cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, lladdr.Addr{})}
	if diff := cmp.Diff(want, got, comparable); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

func TestAddressesComeBackAsSaved(t *testing.T) {
	all := []Address{
		{
			Index: 2, Name: "eth0", Local: netip.MustParseAddr("192.0.2.1"), Prefix: netip.MustParsePrefix("192.0.2.0/24"),
			Broadcast: netip.MustParseAddr("192.0.2.255"), Label: "eth0:vip", Scope: 200, Flags: 0x480, Protocol: 82, Metric: 77,
			Preferred: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC), Owner: lladdr.MustParse("02:00:00:00:00:09"),
			Order:  []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")},
			Routes: [][]byte{{2, 0, 0xff}, {}}, Time: time.Date(2026, 7, 1, 12, 0, 0, 5, time.UTC),
		},
		{
			Index: 3, Name: "eth1", Local: netip.MustParseAddr("198.51.100.1"), Prefix: netip.MustParsePrefix("198.51.100.2/32"),
			Peer: netip.MustParseAddr("198.51.100.2"), InterfaceDown: true,
		},
	}
	dir := t.TempDir()
	requireAddresses(t, addresses(t, dir, here))
	for _, some := range [][]Address{all, all[1:], nil} {
		if err := addresses(t, dir, here).Save(some); err != nil {
			t.Fatal(err)
		}
		requireAddresses(t, addresses(t, dir, here), some...)
	}
}

func TestAddressesOfOtherScopes(t *testing.T) {
	of := func(name string) Address {
		return Address{Index: 2, Name: name, Local: netip.MustParseAddr("192.0.2.1")}
	}
	dir := t.TempDir()
	for i, scope := range []Scope{earlier, there} {
		if err := addresses(t, dir, scope).Save([]Address{of([]string{"a", "b"}[i])}); err != nil {
			t.Fatal(err)
		}
	}
	requireAddresses(t, addresses(t, dir, here)) // of another boot, or another namespace
	if err := addresses(t, dir, here).Save([]Address{of("c")}); err != nil {
		t.Fatal(err)
	}
	requireAddresses(t, addresses(t, dir, there), of("b"))
	requireAddresses(t, addresses(t, dir, here), of("c"))
	requireAddresses(t, addresses(t, dir, earlier)) // dropped
}
