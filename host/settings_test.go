package host_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/arp"
	"github.com/isat-project/isat/event"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/lladdr"
)

// The tunables that are not about time hold for what is there already, too;
// TestTunablesOfRunningEntries has max_age, wait and maxtries.

// TestMaxHoldWhileHeld: the oldest packets go at once, and more are held later.
func TestMaxHoldWhileHeld(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		a.set(t, "maxhold", 5)
		to := ip("192.0.2.9")
		for i := range byte(5) {
			if err := a.Output(packet(to, i)); err != nil {
				t.Fatal(err)
			}
		}
		a.set(t, "maxhold", 2)
		if e := a.entry(t, "192.0.2.9"); e.Held != 2 || a.Stats().Dropped != 3 {
			t.Errorf("%d held, %d dropped, want 2 and 3", e.Held, a.Stats().Dropped)
		}
		a.set(t, "maxhold", 3)
		if err := a.Output(packet(to, 5)); err != nil {
			t.Fatal(err)
		}
		b := l.host(macPeer, "192.0.2.9/24")
		if err := b.ifc.Announce(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := b.data(); !slices.Equal(got, []byte{3, 4, 5}) {
			t.Errorf("packets %v arrived, want 3, 4 and 5", got)
		}
	})
}

// TestMaxEntriesWhileFull: what is too much goes at once, but not what is in use or
// what an administrator has ordered.
func TestMaxEntriesWhileFull(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		temp := published("192.0.2.200", macThird, host.Published)
		temp.Temporary = true
		a.must(t, temp, admin("192.0.2.201", macThird))
		s := l.stranger(macPeer)
		for i := 10; i < 50; i++ {
			s.ask("192.0.2.1", fmt.Sprintf("192.0.2.%d", i))
		}
		a.Lookup(ip("192.0.2.20"))
		a.set(t, "max_entries", 5)
		if n := len(a.Entries()); n != 5+2 { // the own one and the permanent one
			t.Errorf("%d entries are left", n)
		}
		for _, kept := range []string{"192.0.2.20", "192.0.2.200", "192.0.2.201"} {
			a.entry(t, kept)
		}
		if got := a.Stats().Evicted; got != 36 {
			t.Errorf("%d evicted, want 36", got)
		}
	})
}

// TestUseLoopbackRoutes: the route of an own address follows the switch.
func TestUseLoopbackRoutes(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		for value, want := range []string{"e0", "lo", "e0"} {
			a.set(t, "useloopback", int64(value%2))
			for _, r := range a.Routes() {
				if r.Prefix.Addr() == a.ip && r.Interface != want {
					t.Errorf("useloopback %d: by %s, want %s", value%2, r.Interface, want)
				}
			}
		}
	})
}

// TestAllowMulticastWhileRunning: a sender with a group address is learned while
// the switch is on, and an administrator may set one.
func TestAllowMulticastWhileRunning(t *testing.T) {
	const group = "03:00:00:00:00:01"
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		s := l.stranger(macPeer)
		for i, allowed := range []bool{false, true, false} {
			a.set(t, "allow_multicast", int64(i%2))
			address := fmt.Sprintf("192.0.2.%d", 10+i)
			s.send(lladdr.Broadcast(), arp.Packet{Operation: arp.Request, SenderHW: lladdr.MustParse(group), SenderIP: ip(address), TargetIP: a.ip})
			if got := len(a.Entry(ip(address))) == 1; got != allowed {
				t.Errorf("allow_multicast %d: learned %v", i%2, got)
			}
			for j, publish := range []host.Publish{host.Unpublished, host.PublishedOnly} {
				if _, err := a.Set(published(fmt.Sprintf("192.0.2.%d", 20+10*j+i), group, publish)); (err == nil) != allowed {
					t.Errorf("allow_multicast %d, published %v: %v", i%2, publish, err)
				}
			}
			if _, err := a.Set(admin("192.0.2.99", "ff:ff:ff:ff:ff:ff")); err == nil {
				t.Errorf("allow_multicast %d: a broadcast address was set", i%2)
			}
		}
	})
}

// TestLogSwitchesWhileRunning: each switch holds from the next message on; the
// event comes either way.
func TestLogSwitchesWhileRunning(t *testing.T) {
	for _, tt := range []struct {
		tunable string
		kind    event.Type
		change  host.Change
	}{
		{"log_arp_movements", event.Moved, host.Change{IP: ip("192.0.2.9"), MAC: lladdr.MustParse(macThird)}},
		{"log_arp_permanent_modify", event.PermanentModify, admin("192.0.2.9", macThird)},
	} {
		onLAN(t, func(l *lan) {
			a := l.host(macHost, "192.0.2.1/24")
			a.must(t, tt.change)
			claimants := []*stranger{l.stranger(macPeer), l.stranger("02:00:00:00:00:77")}
			for i, on := range []int64{1, 0, 1} {
				a.set(t, tt.tunable, on)
				claimants[i%2].answer(a, "192.0.2.9")
				seen := a.seen(tt.kind)
				if len(seen) != i+1 || (seen[i].Message != "") != (on == 1) {
					t.Errorf("%s %d: %+v", tt.tunable, on, seen)
				}
				time.Sleep(2 * time.Second) // not held back by max_log_per_second
			}
		})
	}
}

// TestMaxLogPerSecondWhileLogging: a higher limit lets more be said within the same
// second, and what was held back is told at its end.
func TestMaxLogPerSecondWhileLogging(t *testing.T) {
	onLAN(t, func(l *lan) {
		a := l.host(macHost, "192.0.2.1/24")
		s := l.stranger(macPeer)
		for i, limit := range []int64{1, 3, 2} {
			a.set(t, "max_log_per_second", limit)
			for range 5 {
				s.ask("192.0.2.7", "192.0.2.1")
			}
			if got, want := a.count(event.Conflict), []int{1, 3, 3}[i]; got != want {
				t.Errorf("limit %d: %d said, want %d", limit, got, want)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if seen := a.seen(event.Suppressed); len(seen) != 1 || seen[0].Count != 12 || seen[0].Message != "arp: suppressed 12 messages like this: conflict, 192.0.2.1" {
			t.Errorf("%+v", seen)
		}
	})
}

// TestGarpRexmitCountWhileAnnouncing: the repetitions under way become more or
// fewer.
func TestGarpRexmitCountWhileAnnouncing(t *testing.T) {
	for _, tt := range []struct {
		count int64
		want  []int // seconds
	}{{0, []int{0, 1}}, {1, []int{0, 1}}, {2, []int{0, 1, 3}}, {5, []int{0, 1, 3, 7, 15, 31}}} {
		onLAN(t, func(l *lan) {
			a := l.host(macHost, "192.0.2.1/24")
			a.set(t, "garp_rexmit_count", 3)
			start := time.Now()
			if err := a.ifc.SetAddresses(append(a.ifc.Addresses(), host.Address{Prefix: prefix("192.0.2.5/24")})); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			a.set(t, "garp_rexmit_count", tt.count)
			time.Sleep(time.Hour)
			var got []int
			for _, s := range l.from(a) {
				got = append(got, int(s.at.Sub(start)/time.Second))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("garp_rexmit_count %d after two: announced at %v, want %v", tt.count, got, tt.want)
			}
		})
	}
}
