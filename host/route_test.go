package host_test

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/route"
)

// TestRoutes has networks that AddRoute adds and what becomes of packets there.
func TestRoutes(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		for _, tt := range []struct {
			name string
			r    host.Route
			want error
		}{
			{"on the link, outside every network", host.Route{Prefix: prefix("100.64.0.1/32"), Interface: "e0"}, nil},
			{"default route by it", host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip("100.64.0.1")}, nil},
			{"again", host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip("100.64.0.1")}, syscall.EEXIST},
			{"unknown interface", host.Route{Prefix: prefix("10.0.0.0/8"), Interface: "e9"}, syscall.ENXIO},
			{"gateway nowhere", host.Route{Prefix: prefix("10.0.0.0/8"), Gateway: ip("10.1.1.1")}, syscall.ENETUNREACH},
			{"gateway not on that link", host.Route{Prefix: prefix("10.0.0.0/8"), Gateway: ip("10.1.1.1"), Interface: "e0"}, syscall.ENETUNREACH},
			{"nothing", host.Route{Prefix: prefix("10.0.0.0/8")}, syscall.EINVAL},
			{"bits beyond the prefix", host.Route{Prefix: prefix("10.0.0.1/8"), Interface: "e0"}, syscall.EINVAL},
			{"connected already", host.Route{Prefix: prefix("192.0.2.0/24"), Interface: "e0"}, syscall.EEXIST},
			{"reject", host.Route{Prefix: prefix("198.51.100.0/24"), Flags: route.Reject}, nil},
			{"reject one", host.Route{Prefix: prefix("198.51.100.7/32"), Flags: route.Reject}, nil},
			{"blackhole", host.Route{Prefix: prefix("198.18.0.0/15"), Flags: route.Blackhole}, nil},
		} {
			if err := a.AddRoute(tt.r); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
			}
		}
		for _, tt := range []struct {
			to   string
			want error
		}{
			{"198.51.100.1", syscall.EHOSTUNREACH}, {"198.51.100.7", syscall.EHOSTDOWN}, {"198.18.1.1", nil},
		} {
			if err := a.Output(packet(ip(tt.to), 1)); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.to, err, tt.want)
			}
		}
		if got := a.port.Stats().Sent; got != 0 {
			t.Errorf("%d frames sent, want none yet", got)
		}
		gateway := l.host("02:00:00:00:00:fe", "100.64.0.1/32")
		if err := a.Output(packet(ip("203.0.113.5"), 5)); err != nil {
			t.Error(err)
		}
		if got := gateway.data(); !slices.Equal(got, []byte{5}) {
			t.Errorf("the gateway got %v", got)
		}
		var got []string
		for _, r := range a.Routes() {
			got = append(got, fmt.Sprint(r.Prefix, " ", r.Gateway, " ", r.Flags, " ", r.MAC))
		}
		want := []string{
			"0.0.0.0/0 100.64.0.1 UGS ",
			"100.64.0.1/32 invalid IP UCS ",
			"100.64.0.1/32 invalid IP UHLW 02:00:00:00:00:fe",
			"192.0.2.0/24 invalid IP UC ",
			"192.0.2.1/32 invalid IP UHLW 02:00:00:00:00:01",
			"192.0.2.255/32 invalid IP UHLWb ff:ff:ff:ff:ff:ff",
			"198.18.0.0/15 invalid IP USB ",
			"198.51.100.0/24 invalid IP URS ",
			"198.51.100.7/32 invalid IP UHRS ",
		}
		if !slices.Equal(got, want) {
			t.Errorf("routes\n%q, want\n%q", got, want)
		}

		for _, tt := range []struct {
			name string
			r    host.Route
			want error
		}{
			{"of an address", host.Route{Prefix: prefix("192.0.2.0/24")}, syscall.EPERM},
			{"none", host.Route{Prefix: prefix("10.0.0.0/8")}, syscall.ESRCH},
			{"another gateway", host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip("192.0.2.9")}, syscall.ESRCH},
			{"on the link", host.Route{Prefix: prefix("100.64.0.1/32"), Interface: "e0"}, nil},
			{"reject", host.Route{Prefix: prefix("198.51.100.0/24")}, nil},
		} {
			if err := a.DeleteRoute(tt.r); !errors.Is(err, tt.want) {
				t.Errorf("deleting %s: %v, want %v", tt.name, err, tt.want)
			}
		}
		a.none(t, "100.64.0.1") // a cloning route takes its clones along
		if err := a.Output(packet(ip("203.0.113.5"), 6)); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("without the gateway's network: %v", err)
		}
		if err := a.DeleteRoute(host.Route{Prefix: prefix("0.0.0.0/0"), Gateway: ip("100.64.0.1")}); err != nil {
			t.Errorf("deleting the default route: %v", err)
		}
	})
}

// TestRouteOfAddressReturns: a route that took the place of an address's network
// gives it back.
func TestRouteOfAddressReturns(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		r := host.Route{Prefix: prefix("198.51.100.0/24"), Interface: "e0"}
		if err := a.AddRoute(r); err != nil {
			t.Fatal(err)
		}
		if err := a.ifc.SetAddresses(append(a.ifc.Addresses(), host.Address{Prefix: prefix("198.51.100.1/24")})); err != nil {
			t.Fatal(err)
		}
		if err := a.DeleteRoute(r); err != nil {
			t.Fatal(err)
		}
		l.host(macPeer, "198.51.100.2/24")
		if _, err := a.Resolve(l.t.Context(), ip("198.51.100.2")); err != nil {
			t.Error(err)
		}
	})
}

// TestNetworkTakesEntries: a network that is added takes the entries over that a
// wider one had in it, with all they have.
func TestNetworkTakesEntries(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "10.0.0.1/8")
		b := l.host(macPeer, "10.1.0.2/8")
		if _, err := a.Resolve(l.t.Context(), b.ip); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Set(host.Change{IP: ip("10.1.0.3"), MAC: lladdr.MustParse(macThird), Origin: host.Administrator}); err != nil {
			t.Fatal(err)
		}
		if err := a.Output(packet(ip("10.1.0.9"), 9)); err != nil {
			t.Fatal(err)
		}
		before := a.Entries()
		if err := a.ifc.SetAddresses(append(a.ifc.Addresses(), host.Address{Prefix: prefix("10.1.0.1/16")})); err != nil {
			t.Fatal(err)
		}
		for _, e := range before {
			if e.Own {
				continue
			}
			if got := a.entry(t, e.IP.String()); got != e {
				t.Errorf("entry is %+v, was %+v", got, e)
			}
		}
		if mac, ok := a.Lookup(b.ip); !ok || mac != b.mac {
			t.Errorf("looked up %v, %v", mac, ok)
		}
		l.stranger("02:00:00:00:00:09").answer(a, "10.1.0.9")
		if e := a.entry(t, "10.1.0.9"); e.State != cache.Reachable || e.Held != 0 {
			t.Errorf("the entry that waited is %+v", e)
		}
		time.Sleep(1300 * time.Second)
		a.none(t, "10.1.0.2") // its timer came along
	})
}

// TestNetworkGivesEntriesBack: a network that is deleted gives its entries to the one
// around it, with all they have; without one they go.
func TestNetworkGivesEntriesBack(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "10.0.0.1/8")
		wide := a.ifc.Addresses()
		if err := a.ifc.SetAddresses(append(wide, host.Address{Prefix: prefix("10.1.0.1/16")})); err != nil {
			t.Fatal(err)
		}
		b := l.host(macPeer, "10.1.0.2/8")
		if _, err := a.Resolve(l.t.Context(), b.ip); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Set(host.Change{IP: ip("10.1.0.3"), MAC: lladdr.MustParse(macThird), Origin: host.Administrator}); err != nil {
			t.Fatal(err)
		}
		before := a.Entry(b.ip)
		if err := a.ifc.SetAddresses(wide); err != nil {
			t.Fatal(err)
		}
		if got := a.entry(t, "10.1.0.2"); got != before[0] {
			t.Errorf("entry is %+v, was %+v", got, before[0])
		}
		if mac, ok := a.Lookup(ip("10.1.0.3")); !ok || mac.String() != macThird {
			t.Errorf("looked up %v, %v", mac, ok)
		}
		if err := a.ifc.SetAddresses(nil); err != nil {
			t.Fatal(err)
		}
		a.none(t, "10.1.0.2")
		a.none(t, "10.1.0.3")
	})
}

// TestNetworksAreToldWhole: the event of a network says which, with its length.
func TestNetworksAreToldWhole(t *testing.T) {
	onLAN(t, func(l *lan) {
		n := l.host("02:00:00:00:00:01", "192.0.2.1/24")
		added := n.seen(event.RouteAdd)
		if len(added) != 1 || added[0].Message != "route: add 192.0.2.0/24 on e0, flags UC" || added[0].Severity != event.Debug {
			t.Errorf("told %+v", added)
		}
	})
}
