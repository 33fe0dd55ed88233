package host_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/cache"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// published is a permanent entry that an administrator publishes; without a
// link-layer address with that of the interface.
func published(address, mac string, p host.Publish) host.Change {
	c := host.Change{IP: ip(address), Origin: host.Administrator, Publish: p}
	if mac != "" {
		c.MAC = lladdr.MustParse(mac)
	}
	return c
}

// must sets entries.
func (n *node) must(t *testing.T, changes ...host.Change) {
	t.Helper()
	for _, c := range changes {
		if _, err := n.Set(c); err != nil {
			t.Fatal(err)
		}
	}
}

// listed returns the rows of an address as "MAC state publish action flags".
func (n *node) listed(address string) (all []string) {
	synctest.Wait()
	for _, e := range n.Entry(ip(address)) {
		all = append(all, strings.TrimSpace(fmt.Sprint(e.MAC, " ", e.State, " ", e.Publish, " ", e.Action, " ", e.Flags)))
	}
	return all
}

// expectListed compares what listed returns.
func (n *node) expectListed(t *testing.T, address string, want ...string) {
	t.Helper()
	if got := n.listed(address); !slices.Equal(got, want) {
		t.Errorf("entries of %s: %q, want %q", address, got, want)
	}
}

// announcements returns what a host has announced since the last forget, as
// "address MAC".
func (l *lan) announcements(n *node) (all []string) {
	for _, s := range l.from(n) {
		if s.arp.IsAnnouncement() {
			all = append(all, fmt.Sprint(s.arp.SenderIP, " ", s.arp.SenderHW))
		}
	}
	l.forget()
	return all
}

const thirdPublished = macThird + " permanent true  ULS2"

// TestPublished: an ordinary entry that is published too. It is announced once,
// carries traffic, is told to the IP side, and stands against its owner.
func TestPublished(t *testing.T) {
	onLAN(t, func(l *lan) {
		a, k := l.taken()
		third := l.stranger(macThird)
		created, err := a.Set(published("192.0.2.9", macThird, host.Published))
		if !created || err != nil {
			t.Fatal(created, err)
		}
		if got := l.announcements(a); !slices.Equal(got, []string{"192.0.2.9 " + macThird}) {
			t.Errorf("announced %q", got)
		}
		a.expectListed(t, "192.0.2.9", thirdPublished)
		k.expect(t, "set", "192.0.2.9 fixed "+macThird)
		if created, err := a.Set(published("192.0.2.9", macThird, host.Published)); created || err != nil {
			t.Error(created, err)
		}
		if got := l.announcements(a); len(got) != 0 {
			t.Errorf("set again: announced %q", got)
		}
		if err := a.Output(packet(ip("192.0.2.9"), 7)); err != nil {
			t.Error(err)
		}
		frames := make([][]byte, 8)
		if n, err := third.port.ReadFrames(frames); err != nil || n == 0 || frames[n-1][34] != 7 {
			t.Errorf("the packet is not there: %d frames, %v", n, err)
		}
		l.stranger(macPeer).answer(a, "192.0.2.9")
		a.expectListed(t, "192.0.2.9", thirdPublished)
		if seen := a.seen(event.PermanentModify); len(seen) != 1 || seen[0].Message != "arp: 02:00:00:00:00:02 attempts to modify permanent entry for 192.0.2.9 on e0" {
			t.Errorf("events %+v", seen)
		}
		a.must(t, published("192.0.2.9", macPeer, host.Published))
		if got := l.announcements(a); !slices.Equal(got, []string{"192.0.2.9 " + macPeer}) {
			t.Errorf("with another address: announced %q", got)
		}
		a.must(t, admin("192.0.2.9", macPeer))
		a.expectListed(t, "192.0.2.9", macPeer+" permanent false  UHLS")
		if got := l.announcements(a); len(got) != 0 {
			t.Errorf("not published any more: announced %q", got)
		}
		if err := a.DeletePublished("", ip("192.0.2.9")); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("deleting a published-only entry that is none: %v", err)
		}
	})
}

// TestPublishedOnly: the entry lies beside the ordinary one of its address, which
// goes on being learned, and it carries no traffic.
func TestPublishedOnly(t *testing.T) {
	onLAN(t, func(l *lan) {
		a, k := l.taken()
		if created, err := a.Set(published("192.0.2.9", macThird, host.PublishedOnly)); !created || err != nil {
			t.Fatal(created, err)
		}
		only := macThird + " permanent only  UHLS2"
		a.expectListed(t, "192.0.2.9", only)
		if got := l.announcements(a); !slices.Equal(got, []string{"192.0.2.9 " + macThird}) {
			t.Errorf("announced %q", got)
		}
		if err := a.Output(packet(ip("192.0.2.9"), 1)); err != nil {
			t.Error(err)
		}
		if got := l.requests(ip("192.0.2.9")); len(got) != 1 {
			t.Errorf("%d requests for where packets go, want 1", len(got))
		}
		if mac, ok := a.Lookup(ip("192.0.2.9")); ok {
			t.Errorf("packets go to %v", mac)
		}
		s := l.stranger(macPeer)
		s.answer(a, "192.0.2.9")
		a.expectListed(t, "192.0.2.9", macPeer+" reachable false  UHLW", only)
		l.stranger("02:00:00:00:00:77").answer(a, "192.0.2.9")
		a.expectListed(t, "192.0.2.9", "02:00:00:00:00:77 reachable false  UHLW", only)
		if n, m := a.count(event.Moved), a.count(event.PermanentModify); n != 1 || m != 0 {
			t.Errorf("%d events moved, %d permanent_modify, want 1 and none", n, m)
		}
		a.must(t, admin("192.0.2.9", macPeer)) // beside it as well
		k.expect(t, "the ordinary one alone", "192.0.2.9 fixed "+macPeer)
		a.expectListed(t, "192.0.2.9", macPeer+" permanent false  UHLS", only)

		if err := a.Delete("", ip("192.0.2.9")); err != nil {
			t.Error(err)
		}
		a.expectListed(t, "192.0.2.9", only)
		k.expect(t, "deleted", "192.0.2.9 gone")
		if err := a.Delete("e0", ip("192.0.2.9")); err != nil {
			t.Error(err)
		}
		a.none(t, "192.0.2.9")
		k.expect(t, "the published-only one is deleted")

		a.must(t, admin("192.0.2.9", macPeer), published("192.0.2.9", macThird, host.PublishedOnly))
		if err := a.DeletePublished("e1", ip("192.0.2.9")); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("on another interface: %v", err)
		}
		if err := a.DeletePublished("e0", ip("192.0.2.9")); err != nil {
			t.Error(err)
		}
		a.expectListed(t, "192.0.2.9", macPeer+" permanent false  UHLS")
		if err := a.DeletePublished("", ip("192.0.2.9")); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("once more: %v", err)
		}
		a.must(t, published("192.0.2.10", "", host.PublishedOnly))
		if gone := a.Flush(""); len(gone) != 2 || gone[1].Publish != host.PublishedOnly {
			t.Errorf("flushed %+v", gone)
		}
	})
}

// TestPublishedEvents: what happens to a published-only entry and its host route
// is told as of any other.
func TestPublishedEvents(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		only := published("192.0.2.9", macThird, host.PublishedOnly)
		a.must(t, only, only)
		if err := a.Delete("", only.IP); err != nil {
			t.Error(err)
		}
		a.must(t, published("192.0.2.10", macThird, host.Published))
		if err := a.Delete("", ip("192.0.2.10")); err != nil {
			t.Error(err)
		}
		var got []string
		r := a.Events().Reader(0)
		for e, ok := r.TryNext(); ok; e, ok = r.TryNext() {
			if e.MAC.IsValid() {
				got = append(got, fmt.Sprint(e.Type, " ", e.Interface, " ", e.IP, " ", e.MAC))
			}
		}
		var want []string
		for _, s := range []string{"added 9", "route_add 9", "announced 9", "changed 9", "route_change 9", "deleted 9", "route_delete 9",
			"route_change 10", "added 10", "announced 10", "deleted 10", "route_delete 10"} {
			kind, last, _ := strings.Cut(s, " ")
			want = append(want, fmt.Sprintf("%s e0 192.0.2.%s %s", kind, last, macThird))
		}
		if !slices.Equal(got, want) {
			t.Errorf("events\n%q, want\n%q", got, want)
		}
	})
}

// TestPublishedTemporary ends by its time, which runs by max_age; neither what
// its owner says nor the link changes that.
func TestPublishedTemporary(t *testing.T) {
	for _, p := range []host.Publish{host.Published, host.PublishedOnly} {
		t.Run(p.String(), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.host(macHost, "192.0.2.1/24")
				c := published("192.0.2.9", macThird, p)
				c.Temporary, c.Age = true, 200*time.Second
				a.must(t, c)
				if e := a.entry(t, "192.0.2.9"); e.State != cache.Reachable || time.Until(e.Expires) != 1000*time.Second {
					t.Errorf("%+v", e)
				}
				time.Sleep(500 * time.Second)
				if p == host.Published {
					l.stranger(macPeer).answer(a, "192.0.2.9")
				}
				a.ifc.SetRunning(false)
				a.ifc.SetRunning(true)
				if e := a.entry(t, "192.0.2.9"); e.MAC != c.MAC || time.Until(e.Expires) != 500*time.Second {
					t.Errorf("%+v", e)
				}
				a.set(t, "max_age", 800)
				if e := a.entry(t, "192.0.2.9"); time.Until(e.Expires) != 100*time.Second {
					t.Errorf("with a shorter max_age: %+v", e)
				}
				time.Sleep(99 * time.Second)
				a.entry(t, "192.0.2.9")
				time.Sleep(time.Second)
				a.none(t, "192.0.2.9")
				if n, m := a.count(event.Expired), a.Stats().Timeouts; n != 1 || m != 1 {
					t.Errorf("%d events expired, %d timeouts, want one each", n, m)
				}
				a.must(t, c)
				c.Temporary, c.Age = false, 0
				a.must(t, c)
				time.Sleep(time.Hour)
				if e := a.entry(t, "192.0.2.9"); e.State != cache.Permanent || !e.Expires.IsZero() {
					t.Errorf("made permanent: %+v", e)
				}
			})
		})
	}
}

// TestPublishedAuto: without a link-layer address it is the interface's, whichever
// that is; published addresses are announced where own ones are.
func TestPublishedAuto(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		temp := published("192.0.2.11", "", host.Published)
		temp.Temporary = true
		known := published("192.0.2.13", "", host.PublishedOnly)
		known.Known = true
		a.must(t, published("192.0.2.9", "", host.Published), published("192.0.2.10", "", host.PublishedOnly), temp,
			published("192.0.2.12", macThird, host.PublishedOnly), known)
		want := []string{"192.0.2.9 " + macHost, "192.0.2.10 " + macHost, "192.0.2.11 " + macHost, "192.0.2.12 " + macThird}
		if got := l.announcements(a); !slices.Equal(got, want) {
			t.Errorf("announced %q, want %q", got, want)
		}
		time.Sleep(200 * time.Second)
		changed := lladdr.MustParse("02:00:00:00:00:aa")
		a.port.SetMAC(changed)
		if err := a.ifc.SetMAC(changed); err != nil {
			t.Fatal(err)
		}
		a.mac = changed
		for i, mac := range []string{changed.String(), changed.String(), changed.String(), macThird, changed.String()} {
			if e := a.entry(t, fmt.Sprintf("192.0.2.%d", 9+i)); e.MAC.String() != mac {
				t.Errorf("%v has %v, want %s", e.IP, e.MAC, mac)
			}
		}
		if e := a.entry(t, "192.0.2.11"); time.Until(e.Expires) != 1000*time.Second {
			t.Errorf("the temporary one has %v left, want 1000 s as before", time.Until(e.Expires))
		}
		want = []string{"192.0.2.1 " + changed.String(), "192.0.2.10 " + changed.String(), "192.0.2.11 " + changed.String(),
			"192.0.2.12 " + macThird, "192.0.2.9 " + changed.String()}
		got := l.announcements(a)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("after the change announced %q, want %q", got, want)
		}
		a.ifc.SetRunning(false)
		a.must(t, published("192.0.2.14", "", host.PublishedOnly))
		if got := l.announcements(a); len(got) != 0 {
			t.Errorf("announced %q while the link is down", got)
		}
		a.ifc.SetRunning(true)
		got = l.announcements(a)
		slices.Sort(got)
		want = slices.Insert(want, 4, "192.0.2.14 "+changed.String())
		if !slices.Equal(got, want) {
			t.Errorf("with the link announced %q, want %q", got, want)
		}

		if err := a.ifc.Announce(ip("192.0.2.12"), ip("192.0.2.9"), ip("192.0.2.13"), ip("192.0.2.1")); err != nil {
			t.Error(err)
		}
		want = []string{"192.0.2.12 " + macThird, "192.0.2.9 " + changed.String(), "192.0.2.13 " + changed.String(), "192.0.2.1 " + changed.String()}
		if got := l.announcements(a); !slices.Equal(got, want) {
			t.Errorf("asked for, announced %q, want %q", got, want)
		}
		if err := a.ifc.Announce(ip("192.0.2.9"), ip("192.0.2.99")); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("announcing a stranger's address: %v", err)
		}
		if got := l.announcements(a); len(got) != 0 {
			t.Errorf("announced %q", got)
		}
	})
}

// TestPublishedSameAddress: to say "auto" of the address that it stands for, or the
// reverse, announces nothing.
func TestPublishedSameAddress(t *testing.T) {
	for _, p := range []host.Publish{host.Published, host.PublishedOnly} {
		t.Run(p.String(), func(t *testing.T) {
			onLAN(t, func(l *lan) {
				a := l.host(macHost, "192.0.2.1/24")
				a.must(t, published("192.0.2.9", "", p))
				l.forget()
				a.must(t, published("192.0.2.9", macHost, p), published("192.0.2.9", "", p))
				if got := l.announcements(a); len(got) != 0 {
					t.Errorf("announced %q", got)
				}
			})
		})
	}
}
