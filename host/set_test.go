package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/lladdr"
)

// admin is a permanent entry by an administrator.
func admin(address, mac string) host.Change {
	return host.Change{IP: ip(address), MAC: lladdr.MustParse(mac), Origin: host.Administrator}
}

func TestSetRefused(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		for _, tt := range []struct {
			name string
			c    host.Change
			want error
		}{
			{"own address", admin("192.0.2.1", macPeer), syscall.EPERM},
			{"broadcast address", admin("192.0.2.255", macPeer), syscall.EINVAL},
			{"limited broadcast", admin("255.255.255.255", macPeer), syscall.EINVAL},
			{"multicast", admin("224.0.0.1", macPeer), syscall.EINVAL},
			{"loopback", admin("127.0.0.1", macPeer), syscall.EINVAL},
			{"unspecified", admin("0.0.0.0", macPeer), syscall.EINVAL},
			{"IPv6", admin("2001:db8::1", macPeer), syscall.EINVAL},
			{"no network", admin("198.51.100.1", macPeer), syscall.ENETUNREACH},
			{"no network of the interface", host.Change{Interface: "e0", IP: ip("198.51.100.1"), MAC: lladdr.MustParse(macPeer)}, syscall.ENETUNREACH},
			{"no interface", host.Change{Interface: "e9", IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macPeer)}, syscall.ENXIO},
			{"broadcast link-layer address", admin("192.0.2.9", "ff:ff:ff:ff:ff:ff"), syscall.EINVAL},
			{"multicast link-layer address", admin("192.0.2.9", "01:00:5e:00:00:01"), syscall.EINVAL},
			{"zero link-layer address", admin("192.0.2.9", "00:00:00:00:00:00"), syscall.EINVAL},
			{"a short link-layer address", admin("192.0.2.9", "1f"), syscall.EINVAL},
			{"no link-layer address", host.Change{IP: ip("192.0.2.9"), Origin: host.Administrator}, syscall.EINVAL},
			{"rejected without a link-layer address", host.Change{IP: ip("192.0.2.9"), Origin: host.Administrator, Action: host.Reject}, syscall.EINVAL},
			{"own address, published", published("192.0.2.1", macPeer, host.Published), syscall.EPERM},
			{"own address, published only", published("192.0.2.1", macPeer, host.PublishedOnly), syscall.EPERM},
			{"own address, published only, auto", published("192.0.2.1", "", host.PublishedOnly), syscall.EPERM},
			{"broadcast address, published only", published("192.0.2.255", "", host.PublishedOnly), syscall.EINVAL},
			{"published in no network", published("198.51.100.1", macPeer, host.PublishedOnly), syscall.ENETUNREACH},
			{"published with a group address", published("192.0.2.9", "01:00:5e:00:00:01", host.PublishedOnly), syscall.EINVAL},
			{"published with a short address", published("192.0.2.9", "1f", host.PublishedOnly), syscall.EINVAL},
			{"published with a zero address", published("192.0.2.9", "00:00:00:00:00:00", host.PublishedOnly), syscall.EINVAL},
			{"published by nobody", host.Change{IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macPeer), Publish: host.Published}, syscall.EINVAL},
			{"ours by nobody", host.Change{IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macPeer), Authority: true}, syscall.EINVAL},
			{"rejected by nobody", host.Change{IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macPeer), Action: host.Reject}, syscall.EINVAL},
			{"no such publication", published("192.0.2.9", macPeer, host.PublishedOnly+1), syscall.EINVAL},
			{"no such action", ordered("192.0.2.9", host.Blackhole+1), syscall.EINVAL},
		} {
			checked := a.Check(tt.c)
			if created, err := a.Set(tt.c); created || !errors.Is(err, tt.want) || checked == nil || checked.Error() != err.Error() {
				t.Errorf("%s: %v, %v, Check %v, want %v", tt.name, created, err, checked, tt.want)
			}
		}
		elsewhere := admin("192.0.2.1", macPeer)
		elsewhere.Interface = "e7"
		if err := a.Check(elsewhere); !errors.Is(err, syscall.EPERM) {
			t.Errorf("own address on an interface that is not here: Check %v", err)
		}
		if err := a.Check(admin("192.0.2.9", macPeer)); err != nil {
			t.Errorf("what can be set: Check %v", err)
		}
		if n := len(a.Entries()); n != 1 {
			t.Errorf("%d entries, want the own one", n)
		}
	})
}

// TestSet sets entries over others, and looks at what the owner's claim does.
func TestSet(t *testing.T) {
	temp := admin("192.0.2.9", macThird)
	temp.Temporary = true
	ours := temp // permanent all the same
	ours.Authority = true
	learned := host.Change{IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macThird), Age: 200 * time.Second}
	for _, tt := range []struct {
		name    string
		changes []host.Change
		state   cache.State
		flags   string
		expires time.Duration // 0 is never
		claimed string        // the address after macPeer has claimed it
		event   event.Type
	}{
		{"permanent", []host.Change{admin("192.0.2.9", macThird)}, cache.Permanent, "UHLS", 0, macThird, event.PermanentModify},
		{"temporary", []host.Change{temp}, cache.Reachable, "UHLS", 1200 * time.Second, macPeer, event.Moved},
		{"adopted", []host.Change{learned}, cache.Reachable, "UHLW", 1000 * time.Second, macPeer, event.Moved},
		{"permanent over adopted", []host.Change{learned, admin("192.0.2.9", macThird)}, cache.Permanent, "UHLS", 0, macThird, event.PermanentModify},
		{"temporary over permanent", []host.Change{admin("192.0.2.9", macPeer), temp}, cache.Reachable, "UHLS", 1200 * time.Second, macPeer, event.Moved},
		{"ours", []host.Change{ours}, cache.Permanent, "UHLS", 0, macThird, event.PermanentModify},
		{"ours no more", []host.Change{ours, temp}, cache.Reachable, "UHLS", 1200 * time.Second, macPeer, event.Moved},
		{"another permanent one", []host.Change{admin("192.0.2.9", macPeer), admin("192.0.2.9", macThird)}, cache.Permanent, "UHLS", 0, macThird, event.PermanentModify},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.host(macHost, "192.0.2.1/24")
				for i, c := range tt.changes {
					if created, err := a.Set(c); err != nil || created != (i == 0) {
						t.Errorf("change %d: %v, %v", i, created, err)
					}
				}
				e := a.entry(t, "192.0.2.9")
				if e.MAC.String() != macThird || e.State != tt.state || e.Flags.String() != tt.flags {
					t.Errorf("entry %v %v %v, want %s %v %s", e.MAC, e.State, e.Flags, macThird, tt.state, tt.flags)
				}
				if last := tt.changes[len(tt.changes)-1]; e.Authority != last.Authority {
					t.Errorf("authority %v, want %v", e.Authority, last.Authority)
				}
				if tt.expires == 0 != e.Expires.IsZero() || tt.expires != 0 && time.Until(e.Expires) != tt.expires {
					t.Errorf("expires %v, want after %v", e.Expires, tt.expires)
				}
				l.stranger(macPeer).answer(a, "192.0.2.9")
				if e := a.entry(t, "192.0.2.9"); e.MAC.String() != tt.claimed || a.count(tt.event) != 1 {
					t.Errorf("after a claim %v with %d events %v, want %s with one", e.MAC, a.count(tt.event), tt.event, tt.claimed)
				}
			})
		})
	}
}

// TestDelete: one deletion is one event, and the packets that waited are counted.
func TestDelete(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		if err := a.Output(packet(ip("192.0.2.9"), 1)); err != nil {
			t.Fatal(err)
		}
		if err := a.Delete("e0", ip("192.0.2.9")); err != nil {
			t.Error(err)
		}
		a.none(t, "192.0.2.9")
		if n, m := a.count(event.Deleted), a.count(event.RouteDelete); n != 1 || m != 1 {
			t.Errorf("%d events deleted, %d route_delete, want one each", n, m)
		}
		if got := a.Stats().Dropped; got != 1 {
			t.Errorf("%d packets counted as dropped, want 1", got)
		}
		for address, want := range map[string]error{"192.0.2.9": syscall.ENXIO, "192.0.2.1": syscall.EPERM} {
			if err := a.Delete("", ip(address)); !errors.Is(err, want) {
				t.Errorf("deleting %s: %v, want %v", address, err, want)
			}
		}
	})
}

func TestFlush(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		s := l.stranger(macPeer)
		for i := 10; i < 60; i++ {
			s.ask("192.0.2.1", fmt.Sprintf("192.0.2.%d", i))
		}
		if _, err := a.Set(admin("192.0.2.9", macThird)); err != nil {
			t.Error(err)
		}
		if gone := a.Flush("e1"); len(gone) != 0 {
			t.Errorf("flushing another interface removed %v", gone)
		}
		want := slices.DeleteFunc(a.Entries(), func(e host.Entry) bool { return e.Own })
		gone := a.Flush("")
		if len(gone) != 51 || a.count(event.Deleted) != 51 {
			t.Errorf("flushed %d with %d events, want 51", len(gone), a.count(event.Deleted))
		}
		same := func(a, b host.Entry) bool { return a.IP == b.IP }
		if !slices.EqualFunc(gone, want, same) {
			t.Errorf("flushed in another order than they are listed in: %v", gone)
		}
		if all := a.Entries(); len(all) != 1 || !all[0].Own {
			t.Errorf("left: %+v", all)
		}
		time.Sleep(time.Hour) // no timer of theirs is left
	})
}

// TestDeleteWhileWaiting deletes an entry under a Resolve whose context ends in
// the same moment: what it held must not touch the entry that comes next.
func TestDeleteWhileWaiting(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		for range 50 {
			ctx, cancel := context.WithCancel(l.t.Context())
			done := make(chan error)
			go func() { _, err := a.Resolve(ctx, ip("192.0.2.9")); done <- err }()
			synctest.Wait()
			cancel() // the waiter is on its way out while the entry goes
			if err := a.Delete("", ip("192.0.2.9")); err != nil {
				t.Fatal(err)
			}
			if err := <-done; !errors.Is(err, syscall.ENXIO) && !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if _, err := a.Set(admin("192.0.2.9", macThird)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // the timer of the first would have fired
			if e := a.entry(t, "192.0.2.9"); e.State != cache.Permanent {
				t.Fatalf("the second entry is %+v", e)
			}
			if mac, ok := a.Lookup(ip("192.0.2.9")); !ok || mac.String() != macThird {
				t.Fatalf("looked up %v, %v", mac, ok)
			}
			a.Flush("")
		}
	})
}

// TestRouteMessages is the order of what a routing socket would say.
func TestRouteMessages(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		b := l.host(macPeer, "192.0.2.2/24")
		if _, err := a.Resolve(l.t.Context(), b.ip); err != nil {
			t.Fatal(err)
		}
		l.stranger(macThird).answer(a, "192.0.2.2")
		if err := a.Delete("", b.ip); err != nil {
			t.Fatal(err)
		}
		if err := a.Output(packet(ip("203.0.113.1"), 1)); err == nil {
			t.Error("a packet went where there is no route")
		}
		var got []string
		r := a.Events().Reader(0)
		for e, ok := r.TryNext(); ok; e, ok = r.TryNext() {
			if e.Type >= event.RouteAdd && e.Type <= event.RouteMiss {
				got = append(got, fmt.Sprint(e.Type, " ", e.Interface, " ", e.IP, " ", e.MAC))
			}
		}
		want := []string{
			"route_add e0 192.0.2.0 ",
			"route_add e0 192.0.2.2 ", "route_resolve e0 192.0.2.2 ",
			"route_change e0 192.0.2.2 " + macPeer, "route_change e0 192.0.2.2 " + macThird,
			"route_delete e0 192.0.2.2 " + macThird,
			"route_miss  203.0.113.1 ",
		}
		if !slices.Equal(got, want) {
			t.Errorf("messages\n%q, want\n%q", got, want)
		}
	})
}

// TestSetMedium: what a station's address is depends on the medium of the
// interface, whose word counts and not Ethernet's.
func TestSetMedium(t *testing.T) {
	for _, tt := range []struct {
		framing  link.Framing
		own      string
		mac      string
		possible bool
	}{
		{link.ARCnet{}, "1f", "21", true}, // Ethernet's group bit
		{link.ARCnet{}, "1f", "ff", true},
		{link.ARCnet{}, "1f", "00", false},
		{link.ARCnet{}, "1f", macPeer, false},
		{link.TokenRing{}, macHost, macPeer, true},
		{link.TokenRing{}, macHost, "01:00:00:00:00:01", true}, // an individual address there
		{link.TokenRing{}, macHost, "c0:00:00:00:00:01", false},
		{link.TokenRing{}, macHost, "ff:ff:ff:ff:ff:ff", false},
		{link.TokenRing{}, macHost, "21", false},
		{link.Ethernet{}, macHost, "c0:00:00:00:00:01", true},
		{link.Ethernet{}, macHost, "00:00:00:00:00:00:00:01", false},
	} {
		h := host.New(host.Config{})
		if _, err := h.Attach(host.InterfaceConfig{Name: "m0", Index: 1, MAC: lladdr.MustParse(tt.own), Port: new(sink), Framing: tt.framing,
			Addresses: []host.Address{{Prefix: prefix("192.0.2.1/24")}}}); err != nil {
			t.Fatal(err)
		}
		c := admin("192.0.2.9", tt.mac)
		for _, c.Publish = range []host.Publish{host.Unpublished, host.Published, host.PublishedOnly} {
			_, err := h.Set(c)
			if (err == nil) != tt.possible || err != nil && !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%T, %s, published %v: %v", tt.framing, tt.mac, c.Publish, err)
			}
		}
	}
}
