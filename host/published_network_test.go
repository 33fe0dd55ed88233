package host_test

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

// TestPublishedEnds: a published-only entry goes with the last network that has its
// address, for an own address, and with the interface.
func TestPublishedEnds(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24", func(c *host.InterfaceConfig) { c.AnyTarget = true })
		first := a.ifc.Addresses()
		second := append(slices.Clone(first), host.Address{Prefix: prefix("198.51.100.1/24")})
		if err := a.ifc.SetAddresses(second); err != nil {
			t.Fatal(err)
		}
		only := published("203.0.113.9", macThird, host.PublishedOnly)
		only.Interface = "e0"
		a.must(t, published("192.0.2.9", macThird, host.PublishedOnly), published("198.51.100.9", macThird, host.PublishedOnly), only)
		if err := a.ifc.SetAddresses(first); err != nil {
			t.Fatal(err)
		}
		a.entry(t, "198.51.100.9")
		a.entry(t, "192.0.2.9")
		a.entry(t, "203.0.113.9")
		if err := a.ifc.SetAddresses(append(first, host.Address{Prefix: prefix("192.0.2.9/24")})); err != nil {
			t.Fatal(err)
		}
		if e := a.Entries(); len(e) != 4 || a.count(event.Deleted) != 1 {
			t.Errorf("left: %+v", e)
		}
		temp := published("192.0.2.10", macThird, host.PublishedOnly)
		temp.Temporary = true
		a.must(t, temp)
		if err := a.ifc.Detach(); err != nil {
			t.Fatal(err)
		}
		if n := a.count(event.Deleted); n != 4 {
			t.Errorf("%d events deleted, want 4", n)
		}
		time.Sleep(time.Hour) // no timer is left
		if n := a.count(event.Expired); n != 0 {
			t.Errorf("%d entries expired after their interface", n)
		}
	})
}

// TestPublishedElsewhere: whoever is published lives behind another interface: its
// network is that of those who ask, and a host route to it makes it published only.
func TestPublishedElsewhere(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		other := segment.New(segment.Options{})
		defer other.Close()
		mac := lladdr.MustParse("02:00:00:00:01:01")
		if _, err := a.Attach(host.InterfaceConfig{Name: "e1", Index: 2, MAC: mac, Port: other.Port(mac), Addresses: []host.Address{{Prefix: prefix("198.51.100.1/24")}}}); err != nil {
			t.Fatal(err)
		}
		for _, r := range []host.Route{
			{Prefix: prefix("192.0.2.9/32"), Gateway: ip("198.51.100.9")},
			{Prefix: prefix("192.0.2.128/25"), Gateway: ip("198.51.100.9")},
		} {
			if err := a.AddRoute(r); err != nil {
				t.Fatal(err)
			}
		}
		a.must(t, published("192.0.2.9", "", host.Published), published("192.0.2.129", "", host.Published))
		for address, want := range map[string]host.Publish{"192.0.2.9": host.PublishedOnly, "192.0.2.129": host.Published} {
			if e := a.entry(t, address); e.Interface != "e0" || e.Publish != want {
				t.Errorf("%+v, want %v on e0", e, want)
			}
		}
		if _, err := a.Set(admin("192.0.2.130", macThird)); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("an ordinary entry behind a gateway: %v", err)
		}
	})
}

// TestPublishedOutlivesNetworks: as an ordinary entry, a published-only one stays
// while a network of its interface has its address. A route by a gateway is none.
func TestPublishedOutlivesNetworks(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "10.0.0.1/8")
		wide := a.ifc.Addresses()
		if err := a.ifc.SetAddresses(append(wide, host.Address{Prefix: prefix("10.1.0.1/16")})); err != nil {
			t.Fatal(err)
		}
		a.must(t, published("10.1.0.9", macThird, host.PublishedOnly))
		if err := a.ifc.SetAddresses(wide); err != nil {
			t.Fatal(err)
		}
		a.entry(t, "10.1.0.9")
		gateway := host.Route{Prefix: prefix("10.1.0.0/24"), Gateway: ip("10.0.0.2")}
		if err := errors.Join(a.AddRoute(gateway), a.DeleteRoute(gateway)); err != nil {
			t.Fatal(err)
		}
		a.entry(t, "10.1.0.9")
		if err := a.ifc.SetAddresses(nil); err != nil {
			t.Fatal(err)
		}
		a.none(t, "10.1.0.9")
	})
}

// TestPublishedOwnElsewhere: an address that becomes the host's own, on whichever
// interface, is not announced with what is published for it.
func TestPublishedOwnElsewhere(t *testing.T) {
	for _, p := range []host.Publish{host.Published, host.PublishedOnly} {
		t.Run(p.String(), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.host(macHost, "192.0.2.1/24")
				a.must(t, published("192.0.2.9", macThird, p))
				a.SetLocal([]host.Address{{Prefix: prefix("192.0.2.1/32")}, {Prefix: prefix("192.0.2.9/32")}})
				l.forget()
				a.ifc.SetRunning(false)
				a.ifc.SetRunning(true)
				if got := l.announcements(a); !slices.Equal(got, []string{"192.0.2.1 " + macHost}) {
					t.Errorf("with the link announced %q", got)
				}
				if err := a.ifc.Announce(ip("192.0.2.9")); !errors.Is(err, syscall.EADDRNOTAVAIL) {
					t.Errorf("asked for: %v", err)
				}
				a.SetLocal([]host.Address{{Prefix: prefix("192.0.2.1/32")}})
				if err := a.ifc.Announce(ip("192.0.2.9")); err != nil {
					t.Errorf("when it is another host's again: %v", err)
				}
			})
		})
	}
}
