package host_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// TestRouteListing has every kind of host route that arp(4) tells of, with the
// letters of netstat(1) (facts/freebsd-arp.md 2.5). Expire is of temporary ones.
func TestRouteListing(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24", func(c *host.InterfaceConfig) {
			c.Addresses = append(c.Addresses, host.Address{Prefix: prefix("192.0.2.2/24")}, host.Address{Prefix: prefix("198.51.100.1/31")})
		})
		l.stranger(macPeer).ask("192.0.2.1", "192.0.2.10")
		temp := admin("192.0.2.12", macThird)
		temp.Temporary = true
		tempOnly := published("192.0.2.15", macThird, host.PublishedOnly)
		tempOnly.Temporary = true
		reject, blackhole := ordered("192.0.2.17", host.Reject), ordered("192.0.2.18", host.Blackhole)
		a.must(t, admin("192.0.2.11", macThird), temp,
			published("192.0.2.13", macThird, host.PublishedOnly), published("192.0.2.13", macPeer, host.Published),
			published("192.0.2.14", "", host.PublishedOnly), tempOnly, published("192.0.2.16", "", host.Published),
			reject, blackhole)
		if err := a.Output(packet(ip("192.0.2.19"), 1)); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		var got []string
		for _, r := range a.Routes() {
			line := fmt.Sprint(r.Prefix, " ", r.MAC, " ", r.Flags, " ", r.Interface)
			if !r.Expires.IsZero() {
				line += fmt.Sprint(" ", time.Until(r.Expires))
			}
			got = append(got, line)
		}
		want := []string{
			"192.0.2.0/24  UC e0",
			"192.0.2.1/32 " + macHost + " UHLW lo",
			"192.0.2.2/32 " + macHost + " UHLW lo",
			"192.0.2.10/32 " + macPeer + " UHLW e0 19m58s",
			"192.0.2.11/32 " + macThird + " UHLS e0",
			"192.0.2.12/32 " + macThird + " UHLS e0 19m58s",
			"192.0.2.13/32 " + macPeer + " ULS2 e0",
			"192.0.2.13/32 " + macThird + " UHLS2 e0",
			"192.0.2.14/32 " + macHost + " UHLS2 e0",
			"192.0.2.15/32 " + macThird + " UHLS2 e0 19m58s",
			"192.0.2.16/32 " + macHost + " ULS2 e0",
			"192.0.2.17/32 " + macThird + " UHRLS e0",
			"192.0.2.18/32 " + macThird + " UHLSB e0",
			"192.0.2.19/32  UHLW e0 18s",
			"192.0.2.255/32 ff:ff:ff:ff:ff:ff UHLWb e0",
			"198.51.100.0/31  UC e0",
			"198.51.100.1/32 " + macHost + " UHLW lo", // and no broadcast address: RFC 3021
		}
		if !slices.Equal(got, want) {
			t.Errorf("routes\n%q, want\n%q", got, want)
		}
		for _, e := range a.Entries() {
			if e.Own && e.Flags.String() != "UHLW" {
				t.Errorf("the entry of %v has the flags %v", e.IP, e.Flags)
			}
		}
	})
}

// TestRouteListingAnywhere: on a taken-over interface what is in no network comes
// last, an own address without a network included.
func TestRouteListingAnywhere(t *testing.T) {
	onLAN(t, func(l *lan) {
		n, _ := l.taken(func(c *host.InterfaceConfig) {
			c.Addresses = append(c.Addresses, host.Address{Prefix: prefix("203.0.113.1/32")})
		})
		for _, c := range []host.Change{admin("100.64.0.1", macThird), published("100.64.0.2", macThird, host.PublishedOnly)} {
			c.Interface = "e0"
			n.must(t, c)
		}
		var got []string
		for _, r := range n.Routes() {
			got = append(got, fmt.Sprint(r.Prefix, " ", r.Flags, " ", r.Interface))
		}
		want := []string{"192.0.2.0/24 UC e0", "192.0.2.1/32 UHLW lo", "192.0.2.255/32 UHLWb e0",
			"100.64.0.1/32 UHLS e0", "100.64.0.2/32 UHLS2 e0", "203.0.113.1/32 UHLW lo"}
		if !slices.Equal(got, want) {
			t.Errorf("routes\n%q, want\n%q", got, want)
		}
	})
}

// TestRouteEventsOfOrders: entries that an administrator changes report their host
// route once a change.
func TestRouteEventsOfOrders(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		forward := host.Change{IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macThird), Origin: host.Administrator}
		reject, publish := forward, forward
		reject.Action, publish.Publish = host.Reject, host.Published
		for _, tt := range []struct {
			name string
			c    host.Change
			want event.Type
			n    int
		}{
			{"new", reject, event.RouteAdd, 2}, // the first is of the network
			{"the same", reject, event.RouteChange, 1},
			{"forwarded", forward, event.RouteChange, 2},
			{"published", publish, event.RouteChange, 3},
		} {
			a.must(t, tt.c)
			if n := a.count(tt.want); n != tt.n {
				t.Errorf("%s: %d events %v, want %d", tt.name, n, tt.want, tt.n)
			}
		}
		a.Flush("")
		if n := a.count(event.RouteDelete); n != 1 {
			t.Errorf("%d events route_delete", n)
		}
	})
}
